/**
 * Fails when dist/ is not what src/ builds. Builds in another folder, so that a path of the machine in the bundle
 * would show; then starts the bundle outside the repository, since a broken one can look whole.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { build, ENTRIES } from './build.ts';

const LIMIT = 1_200_000;

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const elsewhere = mkdtempSync(join(tmpdir(), 'check-dist-'));
const problems: string[] = [];
try {
  for (const name of ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(join(root, name), join(elsewhere, name), { recursive: true });
  }
  const listed = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    cwd: root,
    encoding: 'utf8',
  });
  const bundled = listed.split('\n').slice(1).filter(Boolean);
  for (const folder of [
    ...bundled,
    ...['@types/node', 'undici-types', '@vercel/ncc'].map((name) => join(root, 'node_modules', name)),
  ]) {
    cpSync(folder, join(elsewhere, relative(root, folder)), { recursive: true });
  }
  await build(elsewhere, join(elsewhere, 'dist'));
  const names = new Set([...readdirSync(dist), ...readdirSync(join(elsewhere, 'dist'))]);
  for (const name of names) {
    const [committed, built] = [dist, join(elsewhere, 'dist')].map((folder) => read(join(folder, name)));
    if (!committed || !built || !committed.equals(built))
      problems.push(`dist/${name} is not what src/ builds: run npm run build.`);
  }
  const code = [...names].filter((name) => name !== 'licenses.txt');
  const size = code.reduce((sum, name) => sum + (read(join(dist, name))?.length ?? 0), 0);
  if (size > LIMIT) problems.push(`dist/ has ${size} bytes, more than ${LIMIT}.`);

  const smoke = join(elsewhere, 'smoke');
  cpSync(dist, smoke, { recursive: true });
  const env = { PATH: process.env.PATH ?? '', INPUT_TIMEOUT: 'soon' };
  for (const entry of ENTRIES) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(smoke, `${entry}.js`)], {
      cwd: elsewhere,
      env,
      encoding: 'utf8',
    });
    // Without a state the post step has nothing to do.
    const runs =
      entry === 'post' ? status === 0 && stdout + stderr === '' : /"soon" is not a duration/.test(stdout);
    if (!runs)
      problems.push(`dist/${entry}.js does not run by itself: exit code ${status}.\n${stdout}${stderr}`);
  }
  if (problems.length === 0)
    console.log(`dist/ is what src/ builds, and runs by itself: ${size} bytes without licences.`);
} finally {
  rmSync(elsewhere, { recursive: true, force: true });
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

function read(path: string): Buffer | null {
  return statSync(path, { throwIfNoEntry: false }) ? readFileSync(path) : null;
}
