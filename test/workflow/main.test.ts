import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { checkRelease, publishRelease } from '../../src/github/release.ts';
import { main } from '../../src/main.ts';
import { type Emulator, startEmulator } from '../emulator/emulator.ts';
import { BUILD, doneBut, FakeCloud, fails, HERE, PROD, SOURCE } from '../promotion/fake-cloud.ts';
import { onlyIn } from '../promotion/scenario.ts';
import type { FileResults } from '../runner/files.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { inputs, KEYS, ORDER, outcome, Step } from './step.ts';

const publishes = vi.hoisted(() => vi.fn<typeof publishRelease>());
const checks = vi.hoisted(() => vi.fn<typeof checkRelease>(async () => ({ stop: [], doubt: [] })));
vi.mock('../../src/github/release.ts', () => ({ checkRelease: checks, publishRelease: publishes }));

const COPY = 'CopyCustomImage';

/** A cloud in virtual time, and the step that promotes on it. */
function setUp() {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const step = new Step();
  const run = (given: Record<string, string> = {}) => step.play('main', cloud, clock, { ...ORDER, ...given });
  return { clock, cloud, step, run };
}

async function onEmulator(work: (emulator: Emulator, step: Step) => Promise<void>): Promise<void> {
  const emulator = await startEmulator();
  try {
    await work(emulator, new Step());
  } finally {
    await emulator.close();
  }
}

const order = ({ env }: Emulator, given: Record<string, string> = {}) => ({
  ...env,
  ...inputs({
    'source-image-id': env.EMULATOR_SOURCE_IMAGE_ID ?? '',
    'target-project-id': env.EMULATOR_TARGET_PROJECT_ID ?? '',
    'target-regions': 'hk\nsg\nus-ca',
    ...given,
  }),
});

describe('over real HTTP', () => {
  it('six wrong inputs at once are one error that names all six, and no request', async () => {
    await onEmulator(async (emulator, step) => {
      const wrong = {
        region: 'cn bj2',
        'api-url': 'ftp://x',
        'target-regions': `hk;sg ${'"hk sg", '.repeat(60)}`,
        timeout: '90',
        wait: 'yes',
        'if-exists': 'always',
      };
      const result = await step.capture(() => main(step.workflow(order(emulator, wrong))));
      expect(result.failed).toBe(true);
      expect(result.errors).toHaveLength(1);
      for (const input of Object.keys(wrong))
        expect(result.errors[0]).toMatch(new RegExp(`^- ${input}\\b`, 'm'));
      expect(result.errors[0]).toMatch(
        /^6 invalid inputs; no request was sent\.\nNext: fix them, then run again\.\n- /,
      );
      const lines = result.errors.join('\n').split('\n');
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(200);
      expect(result.errors[0]).not.toMatch(/\n\s+at /);
      expect(emulator.requests).toEqual([]);
      expect(outcome(result)).toEqual({ status: 'failed', ids: {}, failed: [], images: [] });
      expect(result.summary).toMatch(
        /^## ❌ 6 invalid inputs; no request was sent\n\n\*\*Next:\*\* fix them, then run again\.\n\n- ❌ /,
      );
      for (const input of Object.keys(wrong)) expect(result.summary).toContain(`- ❌ ${input}`);
      expect(result.outputs['summary-markdown']?.trim()).toBe(result.summary.trim());
      expect(result.masked).toHaveLength(2);
    });
  });

  it('a key pair that does not match is one error with what to do', async () => {
    await onEmulator(async (emulator, step) => {
      const result = await step.capture(() =>
        main(step.workflow(order(emulator, { 'private-key': 'wrong-canary' }))),
      );
      expect(result.failed).toBe(true);
      expect(result.errors).toHaveLength(1);
      expect(result.errors[0]).toMatch(/171/);
      expect(result.errors[0]?.match(/171/g)).toHaveLength(1);
      expect(result.errors[0]).not.toContain('wrong-canary');
      expect(outcome(result)).toEqual({ status: 'failed', ids: {}, failed: [], images: [] });
    });
  });

  it('tells once that a call is repeated', async () => {
    await onEmulator(async (emulator, step) => {
      emulator.faults.push({ action: 'GetRegion', executed: false, kind: { http: 502 }, times: 3 });
      const result = await step.capture(() => main(step.workflow(order(emulator))));
      expect(outcome(result).status).toBe('available');
      expect(result.log.split('\n').filter((line) => line.includes('HTTP 502'))).toHaveLength(1);
    });
  });
});

describe('what is written when', () => {
  it('one wrong input is told in the singular', async () => {
    const { run } = setUp();
    expect((await run({ timeout: '90' })).errors[0]).toMatch(/timeout/);
  });

  it('before CopyCustomImage is sent, the state says where images may be', async () => {
    const { cloud, step, run } = setUp();
    let before: FileResults | undefined;
    cloud.fault(COPY, (execute) => {
      before = step.files();
      return execute();
    });
    await run();
    const state = JSON.parse(before?.state.promotion ?? 'none');
    expect(state).toMatchObject({ succeeded: false, traces: { created: [], unclear: true } });
    expect(state.traces.run).toMatch(/^77-2-/);
    const places = state.traces.places.map(({ region }: { region: string }) => region);
    expect(places).toEqual(expect.arrayContaining(['hk', 'sg', HERE]));
    expect(state.submitted).toBe(true);
  });

  it('the ids reach the outputs and the state before the first poll: a kill loses none', async () => {
    const { cloud, step, run } = setUp();
    let then: FileResults | undefined;
    cloud.fault(
      'DescribeImage',
      (execute) => {
        then ??= step.files();
        return execute();
      },
      { skip: 3 },
    );
    const result = await run();
    if (!then) throw new Error('no poll');
    expect(outcome(then).status).toBe('copying');
    expect(outcome(then).ids).toEqual(outcome(result).ids);
    const { created } = JSON.parse(then.state.promotion ?? 'none').traces;
    expect(created.map(({ imageId }: { imageId: string }) => imageId)).toEqual(
      Object.values(outcome(result).ids),
    );
  });

  it('the ids are in the outputs and the state before the log names them', async () => {
    const { clock, cloud, step } = setUp();
    const workflow = step.workflow(inputs(ORDER), { clock, createCloud: () => cloud });
    const { core } = workflow;
    const seen: FileResults[] = [];
    const info = (line: string) => {
      if (line.includes('uimage-new-hk')) seen.push(step.files());
      core.info(line);
    };
    await step.capture(() => clock.run(main({ ...workflow, core: { ...core, info } })));
    expect(seen.length).toBeGreaterThan(0);
    expect(outcome(seen[0] as FileResults).ids).toEqual({ hk: cloud.ids('hk')[0], sg: cloud.ids('sg')[0] });
    expect(JSON.parse(seen[0]?.state.promotion ?? 'none').traces.created).toHaveLength(2);
  });

  it('at the end the state knows that the step was green, and holds no key', async () => {
    const { run } = setUp();
    const result = await run();
    expect(JSON.parse(result.state.promotion ?? 'none').succeeded).toBe(true);
    for (const key of Object.values(KEYS))
      expect(JSON.stringify([result.state, result.outputs])).not.toContain(key);
  });

  it('a copy that failed leaves the state red', async () => {
    const { cloud, run } = setUp();
    cloud.finalState = { hk: 'Unavailable' };
    const result = await run();
    expect(JSON.parse(result.state.promotion ?? 'none').succeeded).toBe(false);
    expect(result.failed).toBe(true);
    expect(result.errors).toHaveLength(1);
    expect(result.errors[0]).toContain('Unavailable');
    expect(outcome(result)).toMatchObject({ status: 'partial', failed: ['hk'] });
  });

  it('every connection is closed, whatever happened', async () => {
    const good = setUp();
    await good.run();
    expect(good.cloud.closed).toBe(true);
    const bad = setUp();
    bad.cloud.fault('GetRegion', () => {
      throw new TypeError('defect');
    });
    const result = await bad.run();
    expect(bad.cloud.closed).toBe(true);
    expect(result.errors).toHaveLength(1);
  });
});

describe('modes', () => {
  it('wait: false ends as soon as the ids are known', async () => {
    const { clock, run } = setUp();
    const result = await run({ wait: 'false' });
    expect(outcome(result).status).toBe('copying');
    expect(result.failed).toBe(false);
    expect(Object.keys(outcome(result).ids)).toEqual(['hk', 'sg']);
    expect(clock.elapsed).toBeLessThan(1_000);
    expect(JSON.parse(result.state.promotion ?? 'none').succeeded).toBe(true);
  });

  it('dry-run shows the plan and is green', async () => {
    const { cloud, run } = setUp();
    const result = await run({ 'dry-run': 'true', 'release-tag': 'v1', 'github-token': 'ghs_canary' });
    expect(outcome(result)).toMatchObject({ status: 'planned', ids: {} });
    expect(result.failed).toBe(false);
    expect(cloud.calls(COPY)).toEqual([]);
    expect(result.summary).toContain('hk');
    expect(publishes).not.toHaveBeenCalled();
    expect(JSON.parse(result.state.promotion ?? 'none').traces).toMatchObject({ created: [], places: [] });
  });

  it('a timeout is one error, and loses no id', async () => {
    const { cloud, run } = setUp();
    cloud.copySeconds = { hk: 9_999, sg: 9_999 };
    const result = await run({ timeout: '10m' });
    expect(result.errors).toHaveLength(1);
    expect(outcome(result)).toMatchObject({ status: 'failed', failed: ['hk', 'sg'] });
    expect(Object.keys(outcome(result).ids)).toEqual(['hk', 'sg']);
  });

  it('a cancel is one error, loses no id, and deletes nothing here: the post step does', async () => {
    const { clock, cloud, step, run } = setUp();
    cloud.copySeconds = { hk: 9_999, sg: 9_999 };
    clock.after(60_000, () => step.cancel.abort(new Error('The step was cancelled.')));
    const result = await run({ rollback: 'step' });
    expect(clock.elapsed).toBe(60_000);
    expect(result.errors).toHaveLength(1);
    expect(Object.keys(outcome(result).ids)).toEqual(['hk', 'sg']);
    expect(cloud.calls('TerminateCustomImage')).toEqual([]);
    const { created } = JSON.parse(result.state.promotion ?? 'none').traces;
    expect(created).toHaveLength(2);
  });
});

describe('a rollback in the step', () => {
  it.each(['step', 'job'])(
    '(%s) deletes what this run made when a target failed, and never an adopted one',
    async (rollback) => {
      const { cloud, run } = setUp();
      cloud.addCopy('sg');
      cloud.finalState = { hk: 'Unavailable' };
      const result = await run({ rollback, 'target-regions': 'hk, sg, us-ca' });
      expect(cloud.ids()).toEqual(['uimage-old-sg']);
      expect(outcome(result)).toMatchObject({
        status: 'partial',
        failed: ['hk', 'us-ca'],
        ids: { sg: 'uimage-old-sg' },
      });
      expect(outcome(result).images.map(({ state }) => state)).toEqual(['Deleted', 'Available', 'Deleted']);
      expect(result.errors).toHaveLength(1);
      // Why hk failed is still told, beside what the rollback did.
      expect(result.errors[0]).toContain('Unavailable');
      expect(result.errors[0]).toContain('us-ca');
      for (const { imageId } of outcome(result).images.filter(({ state }) => state === 'Deleted'))
        expect(result.log).toContain(imageId);
      expect(JSON.parse(result.state.promotion ?? 'none').traces.created).toEqual([]);
    },
  );

  it('that leaves nothing is a failure, not a part', async () => {
    const { cloud, run } = setUp();
    cloud.finalState = { hk: 'Unavailable' };
    const result = await run({ rollback: 'step' });
    expect(cloud.ids()).toEqual([]);
    expect(outcome(result)).toMatchObject({ status: 'failed', failed: ['hk', 'sg'], ids: {} });
  });

  it('does not happen with never, nor when all went well', async () => {
    const never = setUp();
    never.cloud.finalState = { hk: 'Unavailable' };
    await never.run({ rollback: 'never' });
    expect(never.cloud.ids()).toHaveLength(2);
    const well = setUp();
    await well.run({ rollback: 'job' });
    expect(well.cloud.ids()).toHaveLength(2);
    expect(well.cloud.calls('TerminateCustomImage')).toEqual([]);
  });

  it('has nothing to do when nothing was sent', async () => {
    const { cloud, run } = setUp();
    const result = await run({ rollback: 'step', 'target-regions': 'hkk' });
    expect(result.errors).toHaveLength(1);
    expect(cloud.calls('TerminateCustomImage')).toEqual([]);
  });

  it('finds by its mark an image whose id was never told', async () => {
    const { cloud, run } = setUp();
    cloud.listingSeconds = { hk: 50 };
    cloud.fault(COPY, doneBut(110));
    const result = await run({ rollback: 'step', 'target-regions': 'hk', timeout: '30s' });
    expect(cloud.ids()).toEqual([]);
    expect(result.failed).toBe(true);
  });

  it('takes back what was said of an image that it has deleted', async () => {
    const { cloud, run } = setUp();
    cloud.fault(COPY, (execute, sent) => {
      onlyIn(cloud, 'hk')(execute, sent);
      return execute();
    });
    cloud.copySeconds = { hk: 600 };
    const result = await run({ rollback: 'step', 'target-regions': 'hk', timeout: '3m' });
    expect([cloud.ids(), result.warnings.join()]).toEqual([
      [],
      expect.stringMatching(/has deleted uimage-new-hk-/),
    ]);
    expect(result.warnings.join()).not.toMatch(/did not delete/);
  });

  it('tells what it could not delete, and that image stays in the outputs', async () => {
    const { cloud, run } = setUp();
    cloud.finalState = { hk: 'Unavailable' };
    cloud.fault('TerminateCustomImage', fails(299), { region: 'sg' });
    const result = await run({ rollback: 'step' });
    const [left] = cloud.ids('sg');
    expect(outcome(result).ids).toEqual({ sg: left });
    expect(result.warnings.some((text) => text.includes(left ?? '-') && text.includes('299'))).toBe(true);
    expect(result.errors).toHaveLength(1);
    expect(JSON.parse(result.state.promotion ?? 'none').traces.created).toMatchObject([{ imageId: left }]);
  });
});

describe('the summary', () => {
  it('is written once, with the place of the source and the warnings', async () => {
    const { cloud, run } = setUp();
    cloud.fault('GetRegion', fails(299));
    const { summary, outputs } = await run({ 'target-regions': 'hk' });
    expect(summary).toContain(outputs['image-id']);
    expect(summary).toContain(` in \`${HERE}\`/\`${BUILD}\` to \`${PROD}\``);
    expect(summary).toContain('GetRegion');
    expect(summary.match(/^## /gm)).toHaveLength(1);
  });

  it('is not written when it is not wanted', async () => {
    expect((await setUp().run({ summary: 'false' })).summary).toBe('');
  });

  it('that cannot be written is a warning, and the step stays green', async () => {
    const { clock, cloud, step } = setUp();
    const workflow = step.workflow(inputs(ORDER), { clock, createCloud: () => cloud });
    const result = await step.capture(async () => {
      vi.stubEnv('GITHUB_STEP_SUMMARY', '/nowhere/summary');
      await clock.run(main(workflow));
    });
    expect(result.failed).toBe(false);
    expect(result.warnings).toHaveLength(1);
    expect(result.warnings[0]).toContain('summary');
    expect(outcome(result).status).toBe('available');
  });
});

describe('the release', () => {
  const RELEASE = { 'release-tag': 'v1.4.2', 'github-token': 'ghs_canary' };

  it('gets the ids when all went well', async () => {
    publishes.mockReset().mockResolvedValue({ url: 'https://github.test/releases/v1.4.2' });
    const { clock, cloud, step } = setUp();
    const env = { GITHUB_API_URL: 'https://github.test/api/v3', GITHUB_REPOSITORY: 'acme/web' };
    const workflow = step.workflow(
      { ...inputs({ ...ORDER, ...RELEASE }), ...env },
      { clock, createCloud: () => cloud },
    );
    const result = await step.capture(() => clock.run(main(workflow)));
    expect(publishes).toHaveBeenCalledTimes(1);
    const [options] = publishes.mock.calls[0] ?? [];
    expect(options).toMatchObject({
      tag: 'v1.4.2',
      token: 'ghs_canary',
      apiUrl: 'https://github.test/api/v3',
      repository: 'acme/web',
      images: expect.stringContaining('"schema": 1'),
      promotion: { status: 'available' },
      clock,
      env,
    });
    expect(result.log).toContain('https://github.test/releases/v1.4.2');
    expect(result.masked).toContain('ghs_canary');
  });

  it('is looked for before the first copy: one that cannot be written stops it, a doubt is a line', async () => {
    const problem = { message: 'release-tag: there is no release v1.4.2.', advice: 'Create it first.' };
    checks.mockResolvedValueOnce({ stop: [problem], doubt: [] });
    const stopped = setUp();
    const result = await stopped.run({ ...RELEASE, 'target-regions': 'hkk' });
    expect(result.errors[0]).toContain('- release-tag: there is no release v1.4.2. Create it first.');
    expect(result.errors[0]).toContain('hkk');
    expect(stopped.cloud.calls(COPY)).toEqual([]);
    checks.mockResolvedValueOnce({ stop: [], doubt: [problem] });
    publishes.mockReset().mockResolvedValue(null);
    const { failed, warnings, log } = await setUp().run(RELEASE);
    expect([failed, warnings]).toEqual([false, []]);
    expect(log).toContain(problem.message);
    await setUp().run({ ...RELEASE, 'dry-run': 'true' });
    expect(checks.mock.calls.map(([{ tag, write }]) => [tag, write]).slice(-2)).toEqual([
      ['v1.4.2', true],
      ['v1.4.2', false],
    ]);
  });

  it('with nothing to publish is not mentioned', async () => {
    publishes.mockReset().mockResolvedValue(null);
    const result = await setUp().run(RELEASE);
    expect(publishes).toHaveBeenCalledTimes(1);
    expect(publishes.mock.calls[0]?.[0]).toMatchObject({ apiUrl: 'https://api.github.com', repository: '' });
    expect(result.log).not.toContain('release');
  });

  it.each([
    [
      Object.assign(new Error('no release v1.4.2'), { advice: 'Create it first.' }),
      /no release v1\.4\.2[\s\S]*Create it first\./,
    ],
    [new TypeError('defect'), /v1\.4\.2: defect/],
    ['a string', /v1\.4\.2: a string/],
  ])('that fails is a warning: the images stand (%#)', async (error, told) => {
    publishes.mockReset().mockRejectedValue(error);
    const result = await setUp().run(RELEASE);
    expect(result.failed).toBe(false);
    expect(result.warnings).toHaveLength(1);
    expect(result.warnings[0]).toMatch(told);
    expect(outcome(result).status).toBe('available');
  });

  it('that is written when the cancel comes: the step has not succeeded, and a rollback is due', async () => {
    const { step, run } = setUp();
    publishes.mockReset().mockImplementation(async () => {
      step.cancel.abort(new Error('The step was cancelled.'));
      return null;
    });
    const result = await run({ ...RELEASE, rollback: 'step' });
    const { succeeded, published, rollback, traces } = JSON.parse(result.state.promotion ?? 'none');
    expect([succeeded, published, rollback]).toEqual([false, 'v1.4.2', 'step']);
    expect(traces.created).toHaveLength(2);
  });

  it('that a cancel cuts off is not called unpublished, nor said to stand', async () => {
    const { step, run } = setUp();
    publishes.mockReset().mockImplementation(async () => {
      const reason = new Error('The step was cancelled.');
      step.cancel.abort(reason);
      throw reason;
    });
    const told = (await run({ ...RELEASE, rollback: 'job' })).warnings.join();
    expect(told).toMatch(/put on release v1\.4\.2: it may hold some of them[\s\S]*images\.new\.json/);
    expect(told).not.toMatch(/not published|itself stands/);
  });

  it('is not touched by a promotion that failed, or when it is not wanted', async () => {
    publishes.mockReset();
    const { cloud, run } = setUp();
    cloud.finalState = { hk: 'Unavailable' };
    await run(RELEASE);
    await setUp().run({ 'github-token': 'ghs_canary' });
    expect(publishes).not.toHaveBeenCalled();
  });
});

it('text from the API cannot speak to the runner', async () => {
  const { cloud, run } = setUp();
  const evil = 'x\n::error::pwned\n##[set-env name=A]b%0A::stop-commands::t';
  cloud.stored[0] = { ...cloud.stored[0], image: { ...SOURCE, ImageName: evil } } as never;
  cloud.fault(COPY, () => ({
    TargetImageId: undefined,
    Infos: [{ TargetRegion: 'hk', TargetImageId: evil }],
  }));
  const result = await run({ timeout: '5m', 'target-regions': 'hk' });
  expect(result.errors.every((text) => !text.startsWith('pwned'))).toBe(true);
  expect(result.errors.length).toBeLessThanOrEqual(1);
  expect(result.env).toEqual({});
  expect(outcome(result).images).toMatchObject([{ imageId: evil, projectId: PROD }]);
});

it('a file command that cannot be written fails the step, and the ids are in the log', async () => {
  const { cloud, step, run } = setUp();
  cloud.fault(COPY, (execute) => {
    vi.stubEnv('GITHUB_OUTPUT', '/nowhere/at/all');
    return execute();
  });
  const result = await run();
  expect(step.files().outputs['image-ids']).not.toContain('uimage-new');
  for (const region of ['hk', 'sg']) expect(result.log).toContain(cloud.ids(region)[0]);
  expect(result.failed).toBe(true);
  expect(result.errors).toHaveLength(1);
  expect(result.errors[0]).toMatch(
    /^The runner's file GITHUB_OUTPUT \(\/nowhere\/at\/all\) is missing\. .*the ids are in the log/,
  );
  // The step has failed: a rollback is due.
  expect(JSON.parse(result.state.promotion ?? 'none').succeeded).toBe(false);
});

it.each([
  ['GITHUB_STATE', '/nowhere/at/all', 'is missing'],
  ['GITHUB_OUTPUT', '/nowhere/at/all', 'is missing'],
  ['GITHUB_OUTPUT', tmpdir(), 'cannot be written \\(EISDIR\\)'],
])('%s that cannot be written (%s) is told before the first request', async (name, path, why) => {
  const { cloud, step } = setUp();
  const refused = await step.capture(() => {
    vi.stubEnv(name, path);
    return main(step.workflow(inputs(ORDER), { createCloud: () => cloud }));
  });
  expect(cloud.sent).toEqual([]);
  expect(refused.errors).toEqual([expect.stringMatching(`${name} .*${why}\\..*so no request was sent`)]);
  if (name === 'GITHUB_STATE') expect(outcome(refused).status).toBe('failed');
});

it('outside of a runner no post step follows: what a cancelled step has made is rolled back here', async () => {
  const { clock, cloud, step } = setUp();
  cloud.copySeconds = { hk: 999, sg: 999 };
  clock.after(30_000, () => step.cancel.abort(new Error('cancelled')));
  const workflow = step.workflow(inputs({ ...ORDER, rollback: 'step' }), { clock, createCloud: () => cloud });
  const { GITHUB_STATE: _, ...env } = workflow.env;
  const result = await step.capture(() => clock.run(main({ ...workflow, env })));
  expect(cloud.ids()).toEqual([]);
  expect(result.errors[0]).toMatch(/^Cancelled, so all 2 copies were rolled back\.\nNext: re-run/);
  expect(result.errors[0]).not.toContain('Post');
  expect(outcome(result)).toMatchObject({ status: 'failed', ids: {} });
});

it('an output-file that cannot be written in the end fails the step before its ids are called good', async () => {
  const { cloud, run } = setUp();
  const folder = mkdtempSync(join(tmpdir(), 'unwritable-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  cloud.fault(COPY, (execute) => {
    mkdirSync(join(folder, 'ids.json'));
    return execute();
  });
  const result = await run({ rollback: 'step', 'output-file': join(folder, 'ids.json') });
  expect(cloud.ids()).toEqual([]);
  expect(outcome(result)).toMatchObject({ status: 'failed', ids: {} });
  expect(result.errors[0]).toMatch(/^The step failed, so all 2 copies were rolled back\.[\s\S]*EISDIR/);
});

it('a state that is lost after the copies have started is called so', async () => {
  const { cloud, run } = setUp();
  cloud.fault(COPY, (execute) => {
    vi.stubEnv('GITHUB_STATE', '/nowhere/at/all');
    return execute();
  });
  const result = await run({ rollback: 'job' });
  expect(result.warnings).toEqual([expect.stringMatching(/GITHUB_STATE .* The post step cannot roll back/)]);
});

it('what has not changed is not written again: the files of the runner only grow', async () => {
  const { cloud, clock, step } = setUp();
  cloud.fault(COPY, fails(8980), { times: 50 });
  const workflow = step.workflow(inputs(ORDER));
  const setOutput = vi.spyOn(workflow.core, 'setOutput');
  await step.capture(() => clock.run(main({ ...workflow, clock, createCloud: () => cloud })));
  const names = setOutput.mock.calls.map(([name]) => name);
  expect(names.filter((name) => name === 'image-ids')).toHaveLength(2);
  expect(names.length).toBeLessThan(20);
  expect(step.files().outputs.status).toBe('available');
});

it('a cancel with a rollback to come tells that the post step deletes, not to run again', async () => {
  const { clock, cloud, step } = setUp();
  cloud.copySeconds = { hk: 999, sg: 999 };
  clock.after(30_000, () => step.cancel.abort(new Error('cancelled')));
  const result = await step.play('main', cloud, clock, { ...ORDER, rollback: 'step' });
  expect(result.errors[0]).toContain('the "Post" step of this job will delete');
  expect(result.errors[0]).not.toContain('adopt');
});

it('a cancel before the first copy leaves nothing to the post step, and one right after it denies no copy', async () => {
  const { clock, cloud, step } = setUp();
  cloud.fault('GetProjectList', (execute) => {
    step.cancel.abort(new Error('cancelled'));
    return execute();
  });
  const early = await step.play('main', cloud, clock, { ...ORDER, rollback: 'step' });
  expect(early.errors[0]).toContain('nothing was copied');
  expect(early.errors[0]).not.toContain('"Post" step');
  const late = setUp();
  late.cloud.fault(COPY, async (execute) => {
    const answer = await execute();
    late.step.cancel.abort(new Error('cancelled'));
    return answer;
  });
  const result = await late.step.play('main', late.cloud, late.clock, ORDER);
  expect(result.errors[0]).toMatch(/both regions still copying/);
  expect(result.errors[0]).toMatch(/uimage-new-hk-1 was started, and its state was not read/);
  expect(result.errors[0]).not.toContain('never listed');
});

it('keys that expire in mid-wait leave the copies pending, and the heading says so', async () => {
  const { cloud, run } = setUp();
  cloud.copySeconds = { hk: 600, sg: 600 };
  cloud.fault(COPY, (execute) => {
    cloud.fault('DescribeImage', fails(174), { times: 99 });
    return execute();
  });
  const result = await run();
  expect(result.errors[0]).toMatch(/ready in 0 of 2 regions, both regions in an unknown state/);
  expect(result.errors[0]).toMatch(/^Next: [\s\S]*re-run/im);
  expect(result.errors[0]).not.toMatch(/does not wait|never listed/);
});

it('outside of a runner there is no page, and nobody misses it', async () => {
  const step = new Step();
  const workflow = step.workflow(inputs({ ...ORDER, timeout: 'soon' }));
  const { warnings } = await step.capture(async () => {
    vi.stubEnv('GITHUB_STEP_SUMMARY', undefined);
    await main(workflow);
  });
  expect(warnings).toEqual([]);
});

it.each([
  ['is missing', () => '/nowhere/output', /GITHUB_OUTPUT \(\/nowhere\/output\) is missing\./],
  ['is a folder', () => tmpdir(), /GITHUB_OUTPUT .* cannot be written \(EISDIR\)\./],
])(
  "a command file that %s is the runner's fault by name, and wrong inputs are told all the same",
  async (_, path, fault) => {
    const step = new Step();
    const workflow = step.workflow(inputs({ ...ORDER, timeout: 'soon' }));
    const result = await step.capture(async () => {
      vi.stubEnv('GITHUB_OUTPUT', path());
      await main(workflow);
    });
    expect(result.errors).toHaveLength(1);
    expect(result.errors[0]).toMatch(/timeout: "soon" is not a duration/);
    expect(result.errors[0]).toMatch(fault);
  },
);
