import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { read } from './step.ts';

// release.yml runs on Linux.
describe.skipIf(process.platform !== 'linux')('a release', () => {
  it('has an SBOM that names every package of dist/, and no tool', () => {
    const licences = read('dist/licenses.txt');
    const bundled = [...licences.matchAll(/^((?:@[a-z-]+\/)?[a-z][a-z.-]*)\n[A-Z0-9][\w.-]*$/gm)].map(
      ([, name]) => name ?? '',
    );
    expect(bundled).toEqual(expect.arrayContaining(['@actions/core', '@vercel/ncc', 'tunnel', 'undici']));
    const script = fileURLToPath(new URL('../../scripts/sbom.ts', import.meta.url));
    const cache = mkdtempSync(join(tmpdir(), 'npm-cache-'));
    onTestFinished(() => rmSync(cache, { recursive: true }));
    // The cache is empty, so that nothing but the lock file can have told it.
    const env = { ...process.env, npm_config_cache: cache };
    const sbom = JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8', env })) as {
      packages: { name: string }[];
    };
    const named = sbom.packages.map(({ name }) => name);
    // The bundler's own few lines are in dist/ as well; it is a tool.
    expect(named).toEqual(expect.arrayContaining(bundled.filter((name) => name !== '@vercel/ncc')));
    expect(named).not.toContain('vitest');
  });
});
