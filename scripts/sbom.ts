/**
 * Prints the SBOM (SPDX, JSON) of the packages that dist/ is built from, by the lock file alone: no network.
 * `npm sbom --omit dev` leaves out a package that a development dependency needs as well (npm/cli#7909), so npm gets a
 * package.json without those.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

const folder = mkdtempSync(join(tmpdir(), 'sbom-'));
try {
  const npm = (...args: string[]) => execFileSync('npm', args, { cwd: folder, encoding: 'utf8' });
  const { devDependencies: _, ...shipped } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify(shipped));
  cpSync(join(root, 'package-lock.json'), join(folder, 'package-lock.json'));
  npm('install', '--package-lock-only', '--offline', '--ignore-scripts');
  console.log(
    npm('sbom', '--package-lock-only', '--sbom-format', 'spdx', '--sbom-type', 'application').trim(),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
