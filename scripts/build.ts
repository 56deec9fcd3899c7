/**
 * Builds dist/ (or the folder given) from src/: compiled by tsc, bundled by ncc.
 * ncc's own TypeScript loader needs an older compiler, so it is given JavaScript.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** Builds the project in `folder`. The bundler is that folder's own: its path is part of what names the modules. */
export function build(folder: string, out: string): void {
  const run = (script: string, ...args: string[]) =>
    execFileSync(process.execPath, [script, ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const compiled = join(folder, 'build');
  for (const old of [compiled, out]) rmSync(old, { recursive: true, force: true });
  run(join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json');
  const ncc = join(folder, 'node_modules/@vercel/ncc/dist/ncc/cli.js');
  run(
    ncc,
    'build',
    join(compiled, 'index.js'),
    '-o',
    out,
    '--minify',
    '--license',
    'licenses.txt',
    '--no-cache',
  );
}

if (import.meta.main) build(root, join(root, 'dist'));
