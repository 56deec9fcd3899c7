import { describe, expect, it } from 'vitest';
import {
  BUILD,
  copyIn,
  doneBut,
  fails,
  HERE,
  markedBy,
  PROD,
  polls,
  Scenario,
  SOURCE,
  told,
} from './scenario.ts';

const COPY = 'CopyCustomImage';

describe('the status', () => {
  it('is available when every copy is', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', HERE] });
    scenario.cloud.addCopy('sg');
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(promotion.copies.map(({ outcome }) => outcome)).toEqual(['copied', 'adopted', 'copied']);
    expect(promotion.source).toEqual(SOURCE);
    expect(promotion.problems).toEqual([]);
  });

  it('is available for the source alone, where nothing is to be copied', async () => {
    const scenario = new Scenario({ regions: [HERE], target: { projectId: BUILD } });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(copyIn(promotion, HERE)).toMatchObject({ outcome: 'source', imageId: SOURCE.ImageId });
    expect(copyIn(promotion, HERE).finishedAt).toBe(copyIn(promotion, HERE).startedAt);
    expect(scenario.cloud.calls(COPY)).toEqual([]);
  });

  it('is copying without wait, unless all were there already', async () => {
    const mixed = new Scenario({ regions: ['hk', 'sg'], wait: false });
    mixed.cloud.addCopy('sg');
    expect((await mixed.promote()).status).toBe('copying');
    const there = new Scenario({ regions: ['sg'], wait: false });
    there.cloud.addCopy('sg');
    expect((await there.promote()).status).toBe('available');
    const underWay = new Scenario({ regions: ['sg'], wait: false });
    underWay.cloud.addCopy('sg', { State: 'Copying' });
    expect((await underWay.promote()).status).toBe('copying');
  });

  it('is partial when some failed, failed when all did', async () => {
    const partial = new Scenario({ regions: ['hk', 'sg'] });
    partial.cloud.finalState = { hk: 'Unavailable' };
    expect((await partial.promote()).status).toBe('partial');
    const failed = new Scenario({ regions: ['hk', 'sg'] });
    failed.cloud.finalState = { hk: 'Unavailable', sg: 'Unavailable' };
    expect((await failed.promote()).status).toBe('failed');
  });

  it('is partial, without wait, when one could not be sent', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], wait: false });
    scenario.cloud.batch = false;
    scenario.cloud.fault(COPY, fails(8095), { region: 'sg' });
    expect((await scenario.promote()).status).toBe('partial');
  });

  it('is failed, with every reason, when the check stops it', async () => {
    const scenario = new Scenario({ regions: ['hkk'], source: { imageId: 'uimage-absent' } });
    const promotion = await scenario.promote();
    expect(promotion).toMatchObject({ status: 'failed', source: null, copies: [] });
    expect(promotion.problems).toHaveLength(2);
  });

  it('is failed when the plan stops it: nothing is sent', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], ifExists: 'fail' });
    scenario.cloud.addCopy('hk');
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(promotion.source).toEqual(SOURCE);
    expect(told(promotion)[0]).toContain('uimage-old-hk');
    expect(scenario.cloud.calls(COPY)).toEqual([]);
  });
});

describe('a dry run', () => {
  it('changes nothing and tells what would happen', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], dryRun: true });
    scenario.cloud.addCopy('sg');
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('planned');
    expect(copyIn(promotion, 'hk')).toMatchObject({ plan: 'copy', outcome: 'planned', imageId: null });
    expect(copyIn(promotion, 'sg')).toMatchObject({
      plan: 'adopt',
      outcome: 'adopted',
      imageId: 'uimage-old-sg',
    });
    expect(scenario.of('plan')).toMatchObject([{ dryRun: true, source: SOURCE }]);
    expect(new Set(scenario.cloud.sent.map(({ action }) => action))).toEqual(
      new Set(['GetRegion', 'GetProjectList', 'DescribeImage']),
    );
    expect(scenario.of('submitting')).toEqual([]);
  });

  it('does not wait for an adopted copy that is under way', async () => {
    const scenario = new Scenario({ dryRun: true });
    scenario.cloud.addCopy('hk', { State: 'Copying' });
    expect((await scenario.promote()).status).toBe('planned');
    expect(scenario.clock.elapsed).toBeLessThan(1_000);
  });

  it('fails where the promotion would', async () => {
    const scenario = new Scenario({ regions: ['hkk'], dryRun: true });
    expect((await scenario.promote()).status).toBe('failed');
    const differing = new Scenario({ dryRun: true });
    differing.cloud.addCopy('hk', { OsName: 'Debian 12' });
    expect((await differing.promote()).status).toBe('failed');
  });

  it('shows the warnings of the plan', async () => {
    const scenario = new Scenario({ dryRun: true, source: { imageId: 'uimage-disks' } });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-disks', DataSnapshotIds: ['snap-1'] });
    await scenario.promote();
    expect(scenario.warnings).toHaveLength(1);
  });
});

describe('a run after a run', () => {
  it('copies nothing and hands out the same ids', async () => {
    const first = new Scenario({ regions: ['hk', 'sg'] });
    const before = await first.promote();
    const second = new Scenario({ regions: ['hk', 'sg'], run: 'second-run' });
    second.cloud.inherit(first.cloud);
    const after = await second.promote();
    expect(after.copies.map(({ imageId }) => imageId)).toEqual(before.copies.map(({ imageId }) => imageId));
    expect(after.copies.map(({ outcome }) => outcome)).toEqual(['adopted', 'adopted']);
    expect(second.cloud.calls(COPY)).toEqual([]);
  });

  it('of a copy makes a copy whose description holds one mark', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-copied' } });
    scenario.cloud.add({
      ...SOURCE,
      ImageId: 'uimage-copied',
      ImageDescription: markedBy('old-run', 'uimage-origin'),
    });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    const description = scenario.cloud.calls(COPY)[0]?.copy?.TargetImageDescription ?? '';
    expect(description.match(/\[copy of/g)).toHaveLength(1);
    expect(description).toContain('uimage-copied');
  });

  it('makes another one with if-exists: copy', async () => {
    const scenario = new Scenario({ ifExists: 'copy' });
    scenario.cloud.addCopy('hk');
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').imageId).toMatch(/^uimage-new-hk/);
    expect(scenario.cloud.ids('hk')).toHaveLength(2);
  });
});

describe('the timeout', () => {
  it('that is over before the first copy: nothing is copied, and that is told', async () => {
    const scenario = new Scenario({ timeout: 1_000 });
    scenario.cloud.latency = 1_500;
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(scenario.cloud.calls(COPY)).toEqual([]);
    expect(told(promotion)[0]).toContain('timeout of 1s');
    for (const copy of promotion.copies) expect(copy.imageId).toBeNull();
  });

  it('that is long over while the API keeps a look waiting: a copy that may be there is told as such', async () => {
    const scenario = new Scenario({ timeout: 60_000 });
    const { clock, cloud } = scenario;
    cloud.fault(COPY, fails(110));
    cloud.fault('DescribeImage', (_execute, _sent, signal) => clock.sleep(9_999_999, signal), {
      region: 'hk',
      skip: 1,
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').problem?.message).toBe(
      'hk: whether a copy was made is not known after the timeout of 1m.',
    );
    expect(copyIn(promotion, 'hk').problem?.advice).toMatch(/^Give a longer timeout\. Run again/);
  });

  it('that is over while copying loses no id', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], timeout: 60_000 });
    scenario.cloud.copySeconds = { hk: 9_999, sg: 9_999 };
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    for (const copy of promotion.copies) expect(copy.imageId).not.toBeNull();
    expect(told(promotion)).toHaveLength(2);
  });

  it('that is over while a copy is not even listed says so', async () => {
    const scenario = new Scenario({ timeout: 60_000 });
    scenario.cloud.listingSeconds = { hk: 9_999 };
    const promotion = await scenario.promote();
    expect(told(promotion)[0]).toContain(copyIn(promotion, 'hk').imageId);
  });
});

describe('a cancel', () => {
  it('while checking ends at once, and nothing was made', async () => {
    const scenario = new Scenario();
    scenario.cloud.latency = 10_000;
    scenario.cancelAt(1_000);
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(promotion.problems).toHaveLength(1);
    expect(scenario.clock.elapsed).toBe(1_000);
    expect(scenario.cloud.calls(COPY)).toEqual([]);
  });

  it('while waiting ends at once, with one line that names what is still under way', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', HERE], target: { projectId: BUILD } });
    scenario.cloud.copySeconds = { hk: 30, sg: 9_999 };
    scenario.cancelAt(120_000);
    const promotion = await scenario.promote();
    expect(scenario.clock.elapsed).toBe(120_000);
    expect(promotion.status).toBe('partial');
    const { imageId } = copyIn(promotion, 'sg');
    expect(promotion.problems).toHaveLength(1);
    expect(promotion.problems[0]?.message).toContain(`${imageId} in sg`);
    expect(promotion.problems[0]?.message).not.toContain(copyIn(promotion, 'hk').imageId);
    expect(promotion.problems[0]?.message).not.toContain(SOURCE.ImageId);
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'copied', state: 'Available' });
    expect(copyIn(promotion, 'sg')).toMatchObject({ outcome: 'failed', created: true });
    expect(copyIn(promotion, HERE).outcome).toBe('source');
  });

  it('before a copy was made says that none is under way', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(8980));
    scenario.cancelAt(5_000);
    const promotion = await scenario.promote();
    expect(promotion.problems[0]?.message).not.toContain('uimage');
    expect(copyIn(promotion, 'hk').problem?.message).toContain('hk');
  });
});

it.each(['copy', 'fail'] as const)(
  'with if-exists: %s, to run again as it is takes no copy: that is told',
  async (ifExists) => {
    const advice = async (scenario: Scenario) => told(await scenario.promote()).join(' ');
    const late = new Scenario({ ifExists, timeout: 60_000 });
    late.cloud.copySeconds = { hk: 9_999 };
    expect(await advice(late)).toContain('if-exists: adopt');
    const cancelled = new Scenario({ ifExists });
    cancelled.cloud.copySeconds = { hk: 9_999 };
    cancelled.cancelAt(30_000);
    expect(await advice(cancelled)).toContain('if-exists: adopt');
    const denied = new Scenario({ ifExists });
    denied.cloud.fault('DescribeImage', fails(174), { region: 'hk', skip: 1 });
    expect(await advice(denied)).toContain('if-exists: adopt');
  },
);

describe('what is told', () => {
  it('the plan comes first, then that a copy is sent, then its ids', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault('GetRegion', fails(299));
    await scenario.promote();
    const kinds = scenario.events.map(({ type }) => type);
    expect(kinds.indexOf('warning')).toBeLessThan(kinds.indexOf('plan'));
    expect(kinds.indexOf('plan')).toBeLessThan(kinds.indexOf('submitting'));
    expect(kinds.lastIndexOf('submitting')).toBeLessThan(kinds.indexOf('state'));
    expect(kinds.at(-1)).toBe('ids');
  });

  it('ids of adopted copies are told before anything is sent', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.addCopy('sg', { State: 'Copying' }, { settles: 10, finalState: 'Available' });
    await scenario.promote();
    const kinds = scenario.events.map(({ type }) => type);
    expect(kinds.indexOf('ids')).toBeLessThan(kinds.indexOf('submitting'));
    expect(scenario.of('ids')[0]?.copies[1]?.imageId).toBe('uimage-old-sg');
  });
});

it('a defect of ours is a problem with a text, never a throw', async () => {
  const scenario = new Scenario();
  scenario.cloud.fault(COPY, () => {
    throw 'a string';
  });
  const promotion = await scenario.promote();
  expect(promotion.status).toBe('failed');
  expect(told(promotion).join()).toContain('a string');
  expect(told(promotion).join()).not.toMatch(/\n\s+at /);
});

it('a defect after the copies leaves their ids, and each has its reason', async () => {
  const scenario = new Scenario({ regions: ['hk', 'sg'] });
  scenario.cloud.copySeconds = { hk: 10, sg: 9_999 };
  scenario.cloud.fault(
    'DescribeImage',
    () => {
      throw new TypeError('defect');
    },
    { region: 'sg', skip: 8 },
  );
  const promotion = await scenario.promote();
  for (const { imageId } of promotion.copies) expect(imageId).not.toBeNull();
  expect(copyIn(promotion, 'hk').outcome).toBe('copied');
  expect(copyIn(promotion, 'sg').problem).not.toBeNull();
});

it('copies to a project of its own keep apart from those of another', async () => {
  const scenario = new Scenario({ regions: ['hk'] });
  scenario.cloud.add(
    { ...SOURCE, ImageId: 'uimage-elsewhere', ImageDescription: markedBy('old-run') },
    { region: 'hk', projectId: BUILD },
  );
  const promotion = await scenario.promote();
  expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'copied', projectId: PROD });
});

it('a target that is the source has settled when it begins', async () => {
  const scenario = new Scenario({ regions: [HERE], target: { projectId: BUILD } });
  const { startedAt, finishedAt } = copyIn(await scenario.promote(), HERE);
  expect(startedAt).toEqual(expect.any(Number));
  expect(finishedAt).toBe(startedAt);
});

it('an adopted copy has the state of its own, not of another that is there', async () => {
  const scenario = new Scenario();
  scenario.cloud.addCopy('hk', { ImageId: 'uimage-2', CreateTime: 2, State: 'Copying' });
  scenario.cloud.addCopy('hk', { ImageId: 'uimage-1', CreateTime: 1 });
  const copy = copyIn(await scenario.promote(), 'hk');
  expect(copy).toMatchObject({ imageId: 'uimage-1', state: 'Available', outcome: 'adopted' });
  expect(polls(scenario, 'hk')).toEqual([]);
});

it('a lost answer and a cancel: the next run adopts what was made', async () => {
  const first = new Scenario();
  first.cloud.fault(COPY, doneBut(110));
  first.cancelAt(300);
  const lost = await first.promote();
  expect(copyIn(lost, 'hk')).toMatchObject({ outcome: 'failed', unclear: true });
  const second = new Scenario({ run: 'second-run' });
  second.cloud.inherit(first.cloud);
  const promotion = await second.promote();
  expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'adopted', state: 'Available' });
  expect(second.cloud.ids()).toHaveLength(1);
});
