/** Run again, cancelled, killed, rolled back: nothing doubled, nothing lost, nothing deleted that is not ours. */
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { readManifest } from '../runner/manifest.ts';
import { COPY, DELETE, test, until } from './support.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** What a rollback needs. */
const CONNECTION = /-key$|-token$|-secret$|^role-|^allow-http$|^api-url$/;
const { inputs } = readManifest(fileURLToPath(new URL('../..', import.meta.url)));
const others = [...inputs.keys()].filter((name) => !CONNECTION.test(name));
const wrong = Object.fromEntries(others.map((name) => [name, 'x; y']));
const UNDER_WAY = /Started \d+ cop/;

describe('killed', () => {
  test.concurrent('in mid-wait with SIGKILL: the next run adopts', async ({ stage }) => {
    const it = await stage({ copySeconds: NEVER });
    const { running, done } = it.start({ regions: ['hk', 'sg'] });
    await running.waitFor(UNDER_WAY);
    running.kill();
    const killed = await done;
    expect(killed).toMatchObject({ outcome: 'failure', signal: 'SIGKILL' });
    // What was known is there for the steps that follow.
    expect(killed.ids).toEqual(it.onePerRegion);
    for (const { imageId } of it.copies) it.cloud.setState(imageId, 'Available');
    const second = await it.run({ regions: ['hk', 'sg'] });
    expect(second.outcome).toBe('success');
    expect(it.sent(COPY)).toHaveLength(1);
    expect(second.ids).toEqual(killed.ids);
  });

  test.concurrent('during the call to copy: the next run adopts what was made', async ({ stage }) => {
    const it = await stage({ latencyMs: 300 });
    const { running, done } = it.start({ regions: ['hk', 'sg'] });
    await until(() => it.copies.length === 2);
    running.kill();
    const killed = await done;
    expect(killed.ids).toEqual({});
    it.cloud.settings.latencyMs = 0;
    const second = await it.run({ regions: ['hk', 'sg'] });
    expect(second.outcome).toBe('success');
    expect(it.sent(COPY)).toHaveLength(1);
    expect(second.ids).toEqual(it.onePerRegion);
  });
});

describe('cancelled', () => {
  test.concurrent.for(['cancel', 'SIGTERM'] as const)(
    'in mid-wait (%s): gone within 5 s, every id in the outputs, one line a region',
    async (how, { stage }) => {
      const it = await stage({ copySeconds: NEVER });
      const { running, done } = it.start({ regions: ['hk', 'sg', 'us-ca'] });
      await running.waitFor(UNDER_WAY);
      await it.polled(3);
      const since = it.clock.ahead;
      running.signal(how);
      const run = await done;
      expect(it.clock.ahead - since).toBeLessThan(5000);
      expect(run).toMatchObject({
        outcome: how === 'cancel' ? 'cancelled' : 'failure',
        signal: null,
        exitCode: 1,
      });
      expect(run.ids).toEqual(it.onePerRegion);
      expect(Object.keys(run.ids)).toHaveLength(3);
      expect(run.failed).toEqual(['hk', 'sg', 'us-ca']);
      expect(run.errors[0]).toMatch(
        /^Cancelled: 0 of 3 ready, all 3 regions still copying; a re-run picks them up\./,
      );
      for (const [region, id] of Object.entries(run.ids))
        expect(run.log).toMatch(new RegExp(`^… ${region} +${id} `, 'm'));
      expect(it.changes).toEqual([COPY]);
      expect(run.summary).toContain(run.ids.hk);
    },
  );

  test.concurrent('during the call to copy: its answer is waited for, and the ids reach the outputs', async ({
    stage,
  }) => {
    const it = await stage({ latencyMs: 600, copySeconds: NEVER });
    const { running, done } = it.start({ regions: ['hk', 'sg'] });
    await until(() => it.copies.length === 2);
    const since = it.clock.ahead;
    running.signal('cancel');
    const run = await done;
    expect(it.clock.ahead - since).toBeLessThan(5000);
    expect(run.outcome).toBe('cancelled');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(run.log).toMatch(/both regions (still copying|not listed)/);
  });

  test.concurrent('during a call to copy that is never answered: gone within 5 s, and the next run adopts', async ({
    stage,
  }) => {
    const it = await stage();
    it.fail({ kind: 'hang', executed: true });
    const { running, done } = it.start({ regions: ['hk', 'sg'] });
    await until(() => it.copies.length === 2);
    const since = it.clock.ahead;
    running.signal('cancel');
    const run = await done;
    expect(it.clock.ahead - since).toBeLessThan(5000);
    expect(run.outcome).toBe('cancelled');
    expect(run.errors[0]).toContain('Cancelled: it is not known whether copies exist in both regions');
    const second = await it.run({ regions: ['hk', 'sg'] });
    expect(second.ids).toEqual(it.onePerRegion);
    expect(it.sent(COPY)).toHaveLength(1);
  });
});

describe('rollback', () => {
  const step = { rollback: 'step' };

  test.concurrent('step, after a cancel: none of our images is left, and every adopted one', async ({
    stage,
  }) => {
    const it = await stage({ copySeconds: NEVER });
    const { imageId: adopted } = it.earlierCopy('hk');
    const { running, done } = it.start({ regions: ['hk', 'sg', 'us-ca'], inputs: step });
    await running.waitFor(UNDER_WAY);
    const ours = it.copies.map(({ imageId }) => imageId);
    expect(ours).toHaveLength(2);
    running.signal('cancel');
    const run = await done;
    expect(run).toMatchObject({ outcome: 'cancelled', job: 'cancelled' });
    expect(run.post).toMatchObject({ ran: true, outcome: 'success' });
    expect(it.copies).toEqual([]);
    expect(it.cloud.images('hk', 'org-prod22').map(({ imageId }) => imageId)).toEqual([adopted]);
    const { log, summary, annotations } = run.post?.ran ? run.post : run;
    expect(annotations).toHaveLength(1);
    for (const id of ours)
      for (const told of [log, summary, annotations[0]?.message]) expect(told).toContain(id);
    expect(summary).toContain('void');
  });

  test.concurrent.for([
    ['job', 'a later step fails', { laterStepFails: true }, 0],
    ['step', 'the job is cancelled later', { jobCancelledLater: true }, 2],
  ] as const)('%s, when %s', async ([rollback, , later, left], { stage }) => {
    const it = await stage();
    const { imageId: adopted } = it.earlierCopy('us-ca');
    const run = await it.run({ regions: ['hk', 'sg', 'us-ca'], inputs: { rollback }, ...later });
    expect(run.outcome).toBe('success');
    if (run.post?.ran) expect(run.post.outcome).toBe('success');
    expect(it.copies).toHaveLength(left);
    expect(it.cloud.images('us-ca', 'org-prod22').map(({ imageId }) => imageId)).toEqual([adopted]);
  });

  test.concurrent.for<[string, Record<string, string> | undefined]>([
    ['its inputs', undefined],
    ['every input but the connection missing', {}],
    ['every input but the connection wrong', { ...wrong, timeout: '30', dry_run: 'true' }],
  ])('step, after a kill in mid-wait, by a post step with %s', async ([, postInputs], { stage }) => {
    const it = await stage({ copySeconds: NEVER });
    const { imageId: adopted } = it.earlierCopy('hk');
    const { running, done } = it.start({ regions: ['hk', 'sg'], inputs: step, postInputs });
    await running.waitFor(UNDER_WAY);
    running.kill();
    const run = await done;
    expect(run.post).toMatchObject({ ran: true, outcome: 'success' });
    expect(it.copies).toEqual([]);
    expect(it.cloud.images('hk', 'org-prod22').map(({ imageId }) => imageId)).toEqual([adopted]);
  });

  test.concurrent('step, after a kill during the call to copy: found by the mark, though listed late', async ({
    stage,
  }) => {
    const it = await stage({ latencyMs: 100, listingDelaySeconds: 15, copySeconds: NEVER });
    const namesake = it.cloud.addImage({ region: 'hk', projectId: 'org-prod22' });
    const { running, done } = it.start({ regions: ['hk', 'sg'], inputs: step });
    await until(() => it.copies.length === 2);
    running.kill();
    it.cloud.settings.latencyMs = 0;
    const run = await done;
    expect(run.post).toMatchObject({ ran: true, outcome: 'success' });
    expect(it.copies).toEqual([]);
    expect(it.cloud.images('hk', 'org-prod22').map(({ imageId }) => imageId)).toEqual([namesake.imageId]);
  });

  test.concurrent('step, cancelled while it rolls back: gone within 5 s, and the post step ends it', async ({
    stage,
  }) => {
    const it = await stage({ byRegion: { sg: { finalState: 'Unavailable' } } });
    it.cloud.faults.push({ action: DELETE, kind: 'hang', executed: false, times: 2 });
    const { running, done } = it.start({ regions: ['hk', 'sg'], inputs: step });
    await until(() => it.sent(DELETE).length === 2);
    const since = it.clock.ahead;
    running.signal('cancel');
    const run = await done;
    expect(it.clock.ahead - since).toBeLessThan(5000);
    expect(run).toMatchObject({ outcome: 'cancelled', signal: null });
    expect(run.post).toMatchObject({ ran: true, outcome: 'success' });
    expect(it.copies).toEqual([]);
  });
});
