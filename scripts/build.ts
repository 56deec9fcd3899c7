/**
 * Builds dist/ (or the folder given) from src/: compiled by tsc, bundled by ncc, each file minified by terser (ncc
 * would minify the first alone). ncc's own TypeScript loader needs an older compiler, so it is given JavaScript.
 * The files that manifests name are small: each starts the one bundle as its own entry.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { minify } from 'terser';
import { licences } from './licences.ts';

/** The keys of ENTRIES in src/index.ts. */
export const ENTRIES = ['index', 'post', 'verify', 'prune'];

/**
 * A runner may start it with a Node that could not even parse the bundle: no syntax newer than Node 12's. In the post
 * step there is nothing to add: main has said it, and did nothing.
 */
export const starter = (entry: string) => `\
const [major, minor] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 19)) {
  import('./bundle.js').then(({ run }) => run('${entry}'));
}${entry === 'post' ? '' : REFUSAL}
`;
const REFUSAL = ` else {
  console.log(
    '::error::This action needs Node 24; this runner started it with ' + process.versions.node +
    '. Update the runner (2.327.1 or newer), or, where the runner takes node from PATH, that Node.'
  );
  process.exitCode = 1;
}`;

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
  leaveOut(folder, compiled);
  const ncc = join(folder, 'node_modules/@vercel/ncc/dist/ncc/cli.js');
  const stats = join(compiled, 'stats.json');
  run(ncc, 'build', join(compiled, 'index.js'), '-o', out, '--no-cache', '--stats-out', stats);
  writeFileSync(join(out, 'licenses.txt'), licences(stats));
  renameSync(join(out, 'index.js'), join(out, 'bundle.js'));
  for (const name of readdirSync(out).filter((file) => file.endsWith('.js'))) {
    const path = join(out, name);
    // Names are kept: they make the stack of a defect readable.
    const options = { module: true, mangle: { keep_fnames: true, keep_classnames: true } };
    const { code } = await minify(readFileSync(path, 'utf8'), options);
    writeFileSync(path, `${code}\n`);
  }
  for (const entry of ENTRIES) writeFileSync(join(out, `${entry}.js`), starter(entry));
}

/**
 * Two libraries load at every start what this action never uses, which doubles the time and a third of the memory that
 * it takes: @actions/core an HTTP client for OIDC tokens and what starts processes to name the platform, and undici its
 * mock agents, caches, web sockets and fetch.
 * The bundle gets copies of them without that; only publishing on a release needs fetch, and loads it then. Whoever
 * imports undici is copied too, so that the bundle holds it once.
 */
function leaveOut(folder: string, compiled: string): void {
  const copy = (name: string) => {
    const to = join(compiled, 'node_modules', name);
    cpSync(join(folder, 'node_modules', name), to, { recursive: true });
    return to;
  };
  const core = copy('@actions/core');
  writeFileSync(join(core, 'lib/oidc-utils.js'), 'export class OidcClient {}\n');
  writeFileSync(join(core, 'lib/platform.js'), 'export {};\n');
  for (const name of ['@actions/github', '@actions/http-client']) copy(name);
  writeFileSync(join(copy('undici'), 'index.js'), UNDICI);
}

const UNDICI = `\
Object.assign(require('./lib/dispatcher/dispatcher').prototype, require('./lib/api'));
exports.Agent = require('./lib/dispatcher/agent');
exports.Pool = require('./lib/dispatcher/pool');
exports.ProxyAgent = require('./lib/dispatcher/proxy-agent');
exports.fetch = (...args) => require('./lib/web/fetch').fetch(...args);
`;

if (import.meta.main) await build(root, join(root, 'dist'));
