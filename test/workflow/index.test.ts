import { afterEach, expect, it, vi } from 'vitest';
import { startEmulator } from '../emulator/emulator.ts';
import { inputs, type Result, Step } from './step.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const before = SIGNALS.map((name) => process.listeners(name));

afterEach(() => {
  SIGNALS.forEach((name, index) => {
    for (const listener of process.listeners(name)) {
      if (!before[index]?.includes(listener)) process.off(name, listener as () => void);
    }
  });
});

/** Starts an entry as the runner does: a fresh module, its environment in process.env. */
async function start(
  entry: 'index' | 'post',
  env: Record<string, string>,
  state: Record<string, string> = {},
): Promise<Result> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  vi.resetModules();
  return new Step().capture(async () => {
    const { run } = await import('../../src/index.ts');
    await run(entry);
  }, state);
}

it('index is main, whatever was saved', async () => {
  const result = await start('index', inputs({ timeout: 'x' }), { begun: 'true' });
  expect(result.failed).toBe(true);
  expect(result.errors[0]).toMatch(/timeout/);
});

it('post is post, also when main has saved nothing: it never promotes', async () => {
  const emulator = await startEmulator();
  try {
    const given = {
      'source-image-id': emulator.sourceImageId,
      'target-project-id': emulator.projects.target,
      'target-regions': 'hk, sg',
    };
    const result = await start('post', { ...emulator.env, ...inputs(given) });
    expect(emulator.requests).toEqual([]);
    expect([result.failed, result.errors, result.outputs]).toEqual([false, [], {}]);
  } finally {
    await emulator.close();
  }
});

it('a defect of ours is one error without a stack, in the post step one warning', async () => {
  const defect = () => Promise.reject(new TypeError('defect'));
  vi.doMock('../../src/main.ts', () => ({ main: defect }));
  vi.doMock('../../src/post.ts', () => ({ post: defect }));
  const first = await start('index', {});
  const second = await start('post', {});
  for (const module of ['main', 'post']) vi.doUnmock(`../../src/${module}.ts`);
  expect([first.failed, first.errors.length, first.warnings]).toEqual([true, 1, []]);
  expect(first.errors[0]).toMatch(/defect[^\n]*$/);
  expect([second.failed, second.errors, second.warnings.length]).toEqual([false, [], 1]);
  expect(second.warnings[0]).toContain('defect');
});
