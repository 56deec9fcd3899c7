import { afterEach, expect, it, vi } from 'vitest';
import { startEmulator } from '../emulator/emulator.ts';
import { inputs, outcome, type Result, Step } from './step.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const before = SIGNALS.map((name) => process.listeners(name));

afterEach(() => {
  SIGNALS.forEach((name, index) => {
    for (const listener of process.listeners(name)) {
      if (!before[index]?.includes(listener)) process.off(name, listener as () => void);
    }
  });
});

/** Starts the entry as the runner does: a fresh module, its environment in process.env. */
async function start(
  env: Record<string, string>,
  state: Record<string, string> = {},
  step = new Step(),
): Promise<Result> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  vi.resetModules();
  return step.capture(async () => {
    await import('../../src/index.ts');
  }, state);
}

it('runs main first, and leaves word for the post step that it has begun', async () => {
  const result = await start(inputs({ timeout: 'x' }));
  expect(result.failed).toBe(true);
  expect(result.errors[0]).toMatch(/timeout/);
  expect(result.state.begun).toBe('true');
});

it('runs post when main has begun', async () => {
  const result = await start(inputs({ timeout: 'x' }), { begun: 'true' });
  expect([result.failed, result.errors, result.outputs]).toEqual([false, [], {}]);
});

it('a defect of ours is one error without a stack, in the post step one warning', async () => {
  const broken = { GITHUB_OUTPUT: '/nowhere/output' };
  const entry = (state: Record<string, string>, work: string) =>
    new Step().capture(async () => {
      for (const [name, value] of Object.entries({ ...broken, ...inputs({ timeout: 'x' }) }))
        vi.stubEnv(name, value);
      vi.resetModules();
      vi.doMock('../../src/post.ts', () => ({ post: () => Promise.reject(new TypeError(work)) }));
      await import('../../src/index.ts');
    }, state);
  const first = await entry({}, 'unused');
  expect(first.failed).toBe(true);
  expect(first.errors).toHaveLength(1);
  expect(first.errors[0]).toContain('/nowhere/output');
  expect(first.errors[0]).not.toMatch(/\n\s+at /);
  const second = await entry({ begun: 'true' }, 'defect in post');
  vi.doUnmock('../../src/post.ts');
  expect([second.failed, second.errors]).toEqual([false, []]);
  expect(second.warnings[0]).toContain('defect in post');
});

it.each(SIGNALS)('%s ends the wait at once, with the ids in the outputs', async (signal) => {
  const emulator = await startEmulator({ copySeconds: Number.POSITIVE_INFINITY });
  try {
    const given = {
      'source-image-id': emulator.sourceImageId,
      'target-project-id': emulator.projects.target,
      'target-regions': 'hk, sg',
    };
    const known = new Set(process.listeners(signal));
    let since = 0;
    const watch = setInterval(() => {
      if (since > 0 || emulator.images('sg', emulator.projects.target).length === 0) return;
      since = Date.now();
      // The ids are answered before the handler runs.
      setTimeout(() => {
        for (const listener of process.listeners(signal))
          if (!known.has(listener)) (listener as () => void)();
      }, 200);
    }, 10);
    const result = await start({ ...emulator.env, ...inputs(given) });
    clearInterval(watch);
    expect(Date.now() - since).toBeLessThan(5_000);
    expect(result.failed).toBe(true);
    expect(result.errors).toHaveLength(1);
    expect(Object.keys(outcome(result).ids)).toEqual(['hk', 'sg']);
  } finally {
    await emulator.close();
  }
});
