/** Beside the other tests, since a build takes a while and one core. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/check-dist.ts', import.meta.url));

// It computes for a quarter of a minute; others may leave it a tenth of a core.
test('dist/ is what src/ builds, and runs by itself', { timeout: 300_000 }, async () => {
  // What is wrong is on stderr, which the error tells.
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  expect(stdout).toContain('dist/ is what src/ builds');
});
