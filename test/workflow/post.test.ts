import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { doneBut, FakeCloud, fails, markedBy, PROD } from '../promotion/fake-cloud.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { KEYS, ORDER, read, Step } from './step.ts';

const COPY = 'CopyCustomImage';

/** Main on a cloud, then post on it with the state that main has left. */
async function job(
  given: Record<string, string>,
  play: {
    before?: (cloud: FakeCloud, clock: VirtualClock, step: Step) => void;
    between?: (cloud: FakeCloud) => void;
  } = {},
) {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const step = new Step();
  play.before?.(cloud, clock, step);
  const first = await step.play('main', cloud, clock, { ...ORDER, ...given });
  play.between?.(cloud);
  const since = cloud.sent.length;
  const result = await new Step().play('post', cloud, clock, { ...ORDER, ...given }, first.state);
  return { cloud, clock, first, result, calls: cloud.sent.slice(since).map(({ action }) => action) };
}

const cancelled = (cloud: FakeCloud, clock: VirtualClock, step: Step) => {
  cloud.copySeconds = { hk: 9_999, sg: 9_999 };
  clock.after(60_000, () => step.cancel.abort(new Error('The step was cancelled.')));
};

describe('the post step', () => {
  it.each(['step', 'job'])(
    'after a cancel, with rollback: %s, deletes what main has made and keeps what it adopted',
    async (rollback) => {
      const { cloud, result } = await job(
        { rollback, 'target-regions': 'hk, sg, us-ca' },
        {
          before: (cloud, clock, step) => {
            cancelled(cloud, clock, step);
            cloud.addCopy('us-ca');
          },
        },
      );
      expect(cloud.ids()).toEqual(['uimage-old-us-ca']);
      expect([result.failed, result.errors]).toEqual([false, []]);
      // Each id is void, and is called so on the page and in the one annotation.
      expect(result.warnings).toHaveLength(1);
      for (const text of [result.log, result.summary, ...result.warnings]) {
        for (const imageId of ['uimage-new-hk-1', 'uimage-new-sg-2']) expect(text).toContain(imageId);
      }
      expect(result.summary).toContain('void');
      expect(cloud.closed).toBe(true);
    },
  );

  it('after a step that was green: rollback: job deletes, rollback: step does not', async () => {
    expect((await job({ rollback: 'job' })).cloud.ids()).toEqual([]);
    const { cloud, calls } = await job({ rollback: 'step' });
    expect(cloud.ids()).toHaveLength(2);
    expect(calls).toEqual([]);
  });

  it('with wait: false and rollback: job deletes copies that are under way', async () => {
    expect((await job({ rollback: 'job', wait: 'false' })).cloud.ids()).toEqual([]);
  });

  it('does nothing with rollback: never, whatever happened', async () => {
    const { cloud, calls, result } = await job({ rollback: 'never' }, { before: cancelled });
    expect(cloud.ids()).toHaveLength(2);
    expect(calls).toEqual([]);
    expect(result.log.split('\n').filter((line) => line !== '')).toEqual([]);
  });

  it('finds by the mark what main was cancelled on before it was told the id', async () => {
    const { cloud, first } = await job(
      { rollback: 'step', 'target-regions': 'hk' },
      {
        before: (cloud, clock, step) => {
          cloud.listingSeconds = { hk: 40 };
          cloud.fault(COPY, doneBut(110));
          clock.after(10_000, () => step.cancel.abort(new Error('The step was cancelled.')));
        },
      },
    );
    expect(JSON.parse(first.state.promotion ?? 'none').traces).toMatchObject({ created: [], unclear: true });
    expect(cloud.ids()).toEqual([]);
  });

  it('after a dry run, or a check that failed, sends nothing', async () => {
    expect((await job({ rollback: 'job', 'dry-run': 'true' })).calls).toEqual([]);
    expect((await job({ rollback: 'job', 'target-regions': 'hkk' })).calls).toEqual([]);
  });

  it('says so when there is nothing left to delete', async () => {
    const { result, calls } = await job(
      { rollback: 'step' },
      { before: (cloud) => cloud.fault(COPY, fails(8104), { times: 9 }) },
    );
    expect(calls).not.toContain('TerminateCustomImage');
    expect(result.log).toMatch(/no image/);
  });

  it('tells what it could not delete, as a warning: the job is red already', async () => {
    const { cloud, result } = await job(
      { rollback: 'step' },
      {
        before: cancelled,
        between: (cloud) => cloud.fault('TerminateCustomImage', fails(299), { region: 'hk' }),
      },
    );
    const [left] = cloud.ids();
    expect(cloud.ids()).toHaveLength(1);
    expect(result.warnings).toEqual([expect.stringMatching(/void/), expect.stringContaining(left ?? '')]);
    expect(result.summary).toContain(left);
    expect([result.failed, result.errors]).toEqual([false, []]);
  });

  it('says why it rolls back, and what to do', async () => {
    const later = await job({ rollback: 'job' });
    expect(later.first.summary).toContain('kept only if the whole job succeeds');
    for (const text of [later.result.summary, later.result.warnings.join()])
      expect(text).toMatch(
        /because a later step failed or the job was cancelled: 2 images[\s\S]*fix what failed/,
      );
    const now = await job({ rollback: 'step' }, { before: cancelled });
    expect(now.result.summary).toMatch(
      /because this step was cancelled: 2 images[\s\S]*Next:\*\* re-run the job/,
    );
  });

  it('that fails as the step itself has failed says so once, with what is left', async () => {
    const locked = (cloud: FakeCloud) => {
      cloud.finalState = { hk: 'Unavailable' };
      cloud.fault('TerminateCustomImage', fails(295), { times: 99 });
    };
    const { cloud, first, result } = await job({ rollback: 'step' }, { before: locked });
    expect(first.errors[0]).toMatch(/^hk failed, and the rollback could not delete 2 copies\./);
    expect(result.summary).toContain('This step failed, and the rollback failed again: 2 images still exist');
    for (const id of cloud.ids()) expect(result.summary.match(new RegExp(id, 'g'))).toHaveLength(2);
  });

  it.each([
    [null, 'never', /was killed\. .*uimage-1 in hk/],
    ['itself', 'never', null],
    [null, 'step', /because this step was killed: 1 image deleted/],
  ])(
    'after a step that ended %s, with rollback: %s, tells %s, on the page too',
    async (ended, rollback, told) => {
      const clock = new VirtualClock();
      const cloud = new FakeCloud(clock);
      cloud.addCopy('hk', { ImageId: 'uimage-1', ImageDescription: '' });
      const traces = {
        run: 'r',
        created: [{ region: 'hk', projectId: PROD, imageId: 'uimage-1' }],
        places: [],
      };
      const state = { submitted: true, succeeded: false, ended, rollback, summary: true, traces };
      const saved = { promotion: JSON.stringify(state) };
      const { warnings, summary } = await new Step().play('post', cloud, clock, ORDER, saved);
      expect(warnings).toEqual(told ? [expect.stringMatching(told)] : []);
      expect(summary).toMatch(
        told ? /^###? \S+ [^\n]*was killed[^\n]*\n\n\*\*Next:\*\* [\s\S]*uimage-1/ : /^$/,
      );
      expect(cloud.ids()).toHaveLength(rollback === 'never' ? 1 : 0);
    },
  );

  it('after a kill before any id was known names the targets, and the source region as what it is', async () => {
    const clock = new VirtualClock();
    const places = [
      { region: 'hk', projectId: PROD },
      { region: 'cn-bj2', projectId: PROD, unasked: true },
    ];
    const traces = { run: 'r', created: [], places };
    const state = {
      submitted: true,
      succeeded: false,
      ended: null,
      rollback: 'never',
      summary: true,
      traces,
    };
    const saved = { promotion: JSON.stringify(state) };
    const { warnings } = await new Step().play('post', new FakeCloud(clock), clock, ORDER, saved);
    expect(warnings[0]).toContain(`Copies may exist in project ${PROD}: in hk, or in cn-bj2 if`);
  });

  it('masks the keys first, in its own process, too', async () => {
    const { result } = await job({ rollback: 'step' }, { before: cancelled });
    expect(result.masked).toEqual(Object.values(KEYS));
    expect(result.raw.startsWith('::add-mask::')).toBe(true);
  });
});

const TRACES = { run: 'r', created: [], places: [], unclear: false };
/** What main saves, with something else in its place. */
const broken = (some: object) => ({
  promotion: JSON.stringify({ submitted: true, succeeded: false, rollback: 'job', traces: TRACES, ...some }),
});

describe('without a state that can be read', () => {
  it.each([
    ['none', {}],
    ['garbage', { promotion: '{"run":' }],
    ['another shape', { promotion: '{"run":"r"}' }],
    ['no list', { promotion: '{"run":"r","traces":{"created":"x"}}' }],
    ['null', { promotion: 'null' }],
    ['no order', broken({ rollback: undefined })],
    ['an id that is none', broken({ traces: { ...TRACES, created: [null] } })],
    ['an image without a region', broken({ traces: { ...TRACES, created: [{ imageId: 'uimage-1' }] } })],
    ['a place that is none', broken({ traces: { ...TRACES, places: [{ region: 'hk' }, null] } })],
    ['a list that is a number', broken({ traces: { ...TRACES, places: 7 } })],
    ['a run without a name', broken({ traces: { ...TRACES, run: '' } })],
    ['a success that is a text', broken({ succeeded: 'yes' })],
    ['an end that is none', broken({ ended: 'by magic' })],
    ['a summary that is no text', broken({ published: { is: 'no text' } })],
  ])('(%s) the post step deletes nothing, and tells once what to look for', async (_, state) => {
    const clock = new VirtualClock();
    const cloud = new FakeCloud(clock);
    const result = await new Step().play('post', cloud, clock, { ...ORDER, rollback: 'job' }, state);
    expect(cloud.sent).toEqual([]);
    expect([result.failed, result.errors]).toEqual([false, []]);
    expect(result.warnings).toEqual([
      expect.stringMatching(
        /^Nothing was rolled back: .* in hk, sg for images with "by 77-2-" in the marker .* and uimage-source as its source\. Other steps and jobs of this run have it too/,
      ),
    ]);
    expect(result.summary).toMatch(/^### ⚠️ Nothing was rolled back\n\n- ⚠️ [\s\S]*in hk, sg for images/);
  });

  it.each<Record<string, string>>([
    { rollback: 'never' },
    { rollback: 'job', 'dry-run': 'true' },
    { rollback: 'job', timeout: 'soon' },
  ])('it is silent where main copied nothing, or no rollback is due: %j', async (given) => {
    const clock = new VirtualClock();
    const cloud = new FakeCloud(clock);
    const result = await new Step().play('post', cloud, clock, { ...ORDER, ...given });
    expect([cloud.sent, result.warnings]).toEqual([[], []]);
  });

  it('or without keys, it deletes nothing, and names what is left', async () => {
    const clock = new VirtualClock();
    const cloud = new FakeCloud(clock);
    const made = { region: 'hk', projectId: 'p', imageId: 'uimage-left' };
    const traces = { run: 'r', created: [made], places: [], unclear: false };
    const saved = { submitted: true, succeeded: false, rollback: 'job', summary: true, traces };
    const state = { promotion: JSON.stringify(saved) };
    const result = await new Step().play('post', cloud, clock, { ...ORDER, 'private-key': '' }, state);
    expect(cloud.sent).toEqual([]);
    expect(result.failed).toBe(false);
    expect(result.warnings).toHaveLength(1);
    expect(result.warnings[0]).toMatch(/private-key is missing.*uimage-left in hk/);
  });
});

it('takes the output-file away when its ids are void, and only then', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'post-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'images.json');
  await job({ rollback: 'step', 'output-file': file });
  expect(readFileSync(file, 'utf8')).toContain('uimage-new-hk-1');
  await job({ rollback: 'job', 'output-file': file });
  expect(existsSync(file)).toBe(false);
});

it('needs the connection and the secret alone: every other input may be missing, or wrong', async () => {
  const names = Object.keys((parse(read('action.yml')) as { inputs: object }).inputs);
  const connection = ['security-token', 'role-urn', 'role-duration', 'allow-http', 'api-url', 'channel-key'];
  const needed = [...Object.keys(KEYS), ...connection, 'mark-secret'];
  const others = names.filter((name) => !needed.includes(name));
  expect(others.length).toBeGreaterThan(20);
  const wrong = Object.fromEntries(others.map((name) => [name, 'x; y']));
  for (const given of [KEYS, { ...KEYS, ...wrong, timeout: '30', dry_run: 'true' }]) {
    const { cloud, first } = await job({ rollback: 'step' }, { before: cancelled });
    expect(cloud.ids()).toHaveLength(0);
    const clock = new VirtualClock();
    const left = new FakeCloud(clock);
    const { created, run } = JSON.parse(first.state.promotion ?? 'none').traces;
    for (const { region, imageId } of created)
      left.addCopy(region, { ImageId: imageId, ImageDescription: markedBy(run) });
    const result = await new Step().play('post', left, clock, given, first.state);
    expect(left.ids()).toEqual([]);
    expect(result.warnings).toEqual([expect.stringMatching(/void/)]);
  }
});

it.each([
  ['v1.2.3', 1],
  [undefined, 0],
])('with release-tag %s: the release that names images which are gone is told', async (tag, warnings) => {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  cloud.addCopy('hk', { ImageId: 'uimage-1', ImageDescription: '' });
  const created = [{ region: 'hk', projectId: PROD, imageId: 'uimage-1' }];
  const traces = { run: 'r', created, places: [], unclear: false };
  const saved = {
    submitted: true,
    succeeded: false,
    published: tag ?? null,
    rollback: 'job',
    summary: true,
    traces,
  };
  const state = { promotion: JSON.stringify(saved) };
  const result = await new Step().play('post', cloud, clock, ORDER, state);
  expect(cloud.ids()).toEqual([]);
  const [isVoid, ...others] = result.warnings;
  expect(isVoid).toContain('uimage-1');
  expect(others).toHaveLength(warnings);
  // It may be an earlier run's, and good.
  for (const warning of others) {
    expect(warning).toMatch(/release v1\.2\.3 may name .*deleted/);
    expect(warning).not.toMatch(/Delete its asset/);
  }
});
