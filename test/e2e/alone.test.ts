/** Started by a shell: no runner reads the log, keeps files or starts a post step. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type TestContext, test } from 'vitest';
import { type Emulator, startEmulator } from '../emulator/emulator.ts';

const index = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

/** `disturb` comes as soon as the copies have started. Null stands for a process that a signal has ended. */
async function alone(
  { onTestFinished }: TestContext,
  given: Record<string, string>,
  copySeconds: number,
  disturb: (child: ChildProcess) => void,
): Promise<{ cloud: Emulator; code: number | null; file: string; log: string }> {
  const cloud = await startEmulator({ copySeconds });
  const folder = mkdtempSync(join(tmpdir(), 'alone-'));
  onTestFinished(async () => {
    await cloud.close();
    rmSync(folder, { recursive: true });
  });
  const inputs = {
    'source-image-id': cloud.sourceImageId,
    'target-project-id': cloud.projects.target,
    'target-regions': 'hk, sg',
    'output-file': 'images.env',
    'poll-interval': '1s',
    ...given,
  };
  const env = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  const { PATH } = process.env;
  const child = spawn(process.execPath, [index], {
    cwd: folder,
    env: { PATH, ...cloud.env, ...Object.fromEntries(env) },
  });
  let log = '';
  let isDisturbed = false;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk;
      if (isDisturbed || !log.includes('Started 2 copies')) return;
      isDisturbed = true;
      disturb(child);
    });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const file = readFileSync(join(folder, 'images.env'), { encoding: 'utf8', flag: 'a+' });
  return { cloud, code, file, log };
}

test.concurrent('a log that nobody takes any more ends nothing: the ids are in the file', async (context) => {
  const close = ({ stdout }: ChildProcess) => void stdout?.destroy();
  const { cloud, code, file, log } = await alone(context, {}, 2, close);
  expect([code, log.includes('EPIPE')]).toEqual([0, false]);
  const [hk, sg] = ['hk', 'sg'].map((region) => cloud.images(region, cloud.projects.target)[0]?.imageId);
  expect(file).toBe(`IMAGE_ID_HK=${hk}\nIMAGE_ID_SG=${sg}\n`);
});

test.concurrent('a hang-up is a cancel, and the rollback is done before the end', async (context) => {
  const hangUp = (child: ChildProcess) => void child.kill('SIGHUP');
  const { cloud, code, file, log } = await alone(context, { rollback: 'step' }, 600, hangUp);
  expect(log).toContain('Cancelled, so all 2 copies were rolled back');
  expect([code, file]).toEqual([1, '']);
  for (const region of ['hk', 'sg']) expect(cloud.images(region, cloud.projects.target)).toEqual([]);
});
