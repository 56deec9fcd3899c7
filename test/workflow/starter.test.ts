import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { starter } from '../../scripts/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'starter-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
writeFileSync(join(folder, 'bundle.js'), "export const run = (entry) => console.log('runs', entry);");

/** Starts an entry of dist/ on a Node that says it is of that version. */
function start(entry: string, version: string) {
  writeFileSync(join(folder, `${entry}.js`), starter(entry));
  const versions = `Object.defineProperty(process, 'versions', { value: { node: '${version}' } })`;
  const preload = `data:text/javascript,${encodeURIComponent(versions)}`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', preload, join(folder, `${entry}.js`)],
    { encoding: 'utf8' },
  );
  return { status, printed: stdout + stderr };
}

it.each(['22.19.0', '24.0.0', '24.21.0', '26.1.0'])('on Node %s an entry runs as itself', (version) => {
  for (const entry of ['index', 'post'])
    expect(start(entry, version)).toEqual({ status: 0, printed: `runs ${entry}\n` });
});

it.each(['12.22.0', '16.20.2', '20.19.5', '22.18.0'])(
  'Node %s is too old: the runner is named',
  (version) => {
    const { status, printed } = start('index', version);
    expect(status).toBe(1);
    expect(printed).toMatch(
      /^::error::This action needs Node 24; this runner started it with \d+\.\d+\.\d+\. Update the runner \(2\.327\.1 or newer\)[^\n]*\n$/,
    );
    expect(printed).toContain(version);
    // Main has said it; the job is red already.
    expect(start('post', version)).toEqual({ status: 0, printed: '' });
  },
);
