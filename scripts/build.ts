/**
 * Builds dist/ (or the folder given) from src/: compiled by tsc, bundled by ncc, each file minified by terser (ncc
 * would minify the first alone). ncc's own TypeScript loader needs an older compiler, so it is given JavaScript.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { minify } from 'terser';
import { licences } from './licences.ts';

const root = resolve(import.meta.dirname, '..');

/** Builds the project in `folder`. The bundler is that folder's own: its path is part of what names the modules. */
export async function build(folder: string, out: string): Promise<void> {
  const run = (script: string, ...args: string[]) =>
    execFileSync(process.execPath, [script, ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const compiled = join(folder, 'build');
  for (const old of [compiled, out]) rmSync(old, { recursive: true, force: true });
  run(join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json');
  leaveOutOidc(folder, compiled);
  const ncc = join(folder, 'node_modules/@vercel/ncc/dist/ncc/cli.js');
  const stats = join(compiled, 'stats.json');
  run(ncc, 'build', join(compiled, 'index.js'), '-o', out, '--no-cache', '--stats-out', stats);
  writeFileSync(join(out, 'licenses.txt'), licences(stats));
  for (const name of readdirSync(out).filter((file) => file.endsWith('.js'))) {
    const path = join(out, name);
    // Names are kept: they make the stack of a defect readable.
    const options = { module: true, mangle: { keep_fnames: true, keep_classnames: true } };
    const { code } = await minify(readFileSync(path, 'utf8'), options);
    writeFileSync(path, `${code}\n`);
  }
}

/**
 * @actions/core brings an HTTP client for OIDC tokens, which this action never asks for, and loads it at every start:
 * it doubles the start-up time. The bundle gets a copy of core in which that one module is empty.
 */
function leaveOutOidc(folder: string, compiled: string): void {
  const copy = join(compiled, 'node_modules/@actions/core');
  cpSync(join(folder, 'node_modules/@actions/core'), copy, { recursive: true });
  writeFileSync(join(copy, 'lib/oidc-utils.js'), 'export class OidcClient {}\n');
}

if (import.meta.main) await build(root, join(root, 'dist'));
