import { describe, expect, it } from 'vitest';
import { BUILD, COPY, doneBut, fails, HERE, LIST, markedBy, PROD, SOURCE } from './fake-cloud.ts';
import { allMade, copies, copyIn, deleted, ours, outcomes, polls, Scenario, told } from './scenario.ts';

describe('the status', () => {
  it('is available when every copy is, copied, reused or the source itself', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', HERE], target: { projectId: BUILD } });
    const description = markedBy('77-1-old000');
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-old', ImageDescription: description }, { region: 'sg' });
    const promotion = await scenario.promote();
    expect(promotion).toMatchObject({ status: 'available', ended: 'complete', source: SOURCE, problems: [] });
    expect(outcomes(promotion)).toEqual(['copied', 'adopted', 'source']);
    expect(promotion.seconds).toBe(scenario.clock.elapsed / 1000);
    expect(scenario.warnings).toEqual([]);
  });

  it('is copying without a wait, unless all were there already', async () => {
    const status = async (...there: [string, string][]) => {
      const scenario = new Scenario({ regions: ['hk', 'sg'], wait: false });
      for (const [region, State] of there) scenario.cloud.addCopy(region, { State });
      return (await scenario.promote()).status;
    };
    expect(await status(['sg', 'Available'])).toBe('copying');
    expect(await status(['sg', 'Available'], ['hk', 'Copying'])).toBe('copying');
    expect(await status(['sg', 'Available'], ['hk', 'Available'])).toBe('available');
  });

  it('is partial when some failed, failed when all did; an optional target does not count', async () => {
    const status = async (target: object, ...broken: string[]) => {
      const scenario = new Scenario({ regions: ['hk', 'sg'], target });
      scenario.cloud.finalState = Object.fromEntries(broken.map((region) => [region, 'Unavailable']));
      const promotion = await scenario.promote();
      expect(promotion.copies.filter(({ problem }) => problem).map(({ region }) => region)).toEqual(broken);
      return promotion.status;
    };
    expect(await status({}, 'hk')).toBe('partial');
    expect(await status({}, 'hk', 'sg')).toBe('failed');
    expect(await status({ optionalRegions: ['us-ca'] }, 'us-ca')).toBe('available');
    expect(await status({ regions: [], optionalRegions: ['us-ca'] }, 'us-ca')).toBe('failed');
  });

  it('is failed when the check or the plan stops it, with every reason, and nothing is sent', async () => {
    const check = new Scenario({ regions: ['hkk'], source: { imageId: 'uimage-absent' } });
    const stopped = await check.promote();
    expect(stopped).toMatchObject({ status: 'failed', ended: 'stopped', source: null, copies: [] });
    expect(stopped.problems).toHaveLength(2);
    const plan = new Scenario({ regions: ['hk', 'sg'], ifExists: 'fail' });
    plan.cloud.addCopy('hk');
    expect(told(await plan.promote())[0]).toContain('uimage-old-hk');
    expect([...check.cloud.calls(COPY), ...plan.cloud.calls(COPY)]).toEqual([]);
  });
});

describe('a dry run', () => {
  it('changes nothing and tells what would happen, its warnings too', async () => {
    const scenario = new Scenario({
      regions: ['hk', 'sg', 'us-ca'],
      dryRun: true,
      source: { imageId: 'uimage-disks' },
    });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-disks', DataSnapshotIds: ['snap-1'] });
    const ImageDescription = markedBy('77-1-old000', 'uimage-disks');
    scenario.cloud.addCopy('sg', { ImageDescription });
    scenario.cloud.addCopy('us-ca', { ImageDescription, State: 'Copying' });
    const promotion = await scenario.promote();
    expect([promotion.status, outcomes(promotion)]).toEqual(['planned', ['planned', 'adopted', 'adopted']]);
    expect(scenario.of('plan')).toMatchObject([{ dryRun: true, source: { ImageId: 'uimage-disks' } }]);
    expect(new Set(scenario.cloud.sent.map(({ action }) => action))).toEqual(
      new Set(['GetRegion', 'GetProjectList', LIST]),
    );
    expect(scenario.clock.elapsed).toBeLessThan(1_000);
    expect(scenario.warnings).toHaveLength(1);
  });

  it('fails where the promotion would', async () => {
    const scenario = new Scenario({ dryRun: true });
    scenario.cloud.addCopy('hk', { OsName: 'Debian 12' });
    expect((await scenario.promote()).status).toBe('failed');
  });
});

describe('a run after a run', () => {
  const rerun = async (first: Scenario, some: ConstructorParameters<typeof Scenario>[0] = {}) => {
    const second = new Scenario({ regions: first.order.target.regions, run: '77-2-second', ...some });
    second.cloud.inherit(first.cloud);
    return { second, promotion: await second.promote() };
  };

  it('copies nothing and hands out the same ids', async () => {
    const first = new Scenario({ regions: ['hk', 'sg'] });
    const before = await allMade(first);
    const { second, promotion } = await rerun(first);
    expect(promotion.copies.map(({ imageId }) => imageId)).toEqual(
      before.copies.map(({ imageId }) => imageId),
    );
    expect([outcomes(promotion), copies(second)]).toEqual([['adopted', 'adopted'], []]);
  });

  it('makes another copy with if-exists: copy', async () => {
    const first = new Scenario();
    await first.promote();
    const { second } = await rerun(first, { ifExists: 'copy' });
    expect(second.cloud.ids('hk')).toHaveLength(2);
  });

  it('that was cancelled after a lost answer reuses what that made', async () => {
    const first = new Scenario();
    first.cloud.fault(COPY, doneBut(110));
    first.cancelAt(300);
    expect(copyIn(await first.promote(), 'hk')).toMatchObject({
      outcome: 'failed',
      unclear: true,
      pending: true,
    });
    const { promotion } = await rerun(first);
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: 'uimage-new-hk-1', outcome: 'adopted' });
  });

  it('on an API endpoint that stores names in small letters, and descriptions cut, reuses the copies', async () => {
    const first = new Scenario({ target: { name: 'Web-PROD' } });
    first.cloud.describe = (text) => text.slice(0, 128);
    first.cloud.differing = { ImageName: 'web-prod' };
    await first.promote();
    expect(first.warnings).toEqual([]);
    const { second } = await rerun(first, { target: { name: 'Web-PROD' } });
    expect(copies(second)).toEqual([]);
  });
});

describe('what is handed out', () => {
  it('is no forged copy: somebody’s older image with this run’s mark is left alone, and told', async () => {
    const scenario = new Scenario();
    scenario.clock.after(5_000, () =>
      scenario.cloud.add(ours('uimage-forged', { CreateTime: 1 }), { region: 'hk', projectId: PROD }),
    );
    const promotion = await scenario.promote();
    expect([copyIn(promotion, 'hk').imageId, deleted(scenario)]).toEqual(['uimage-new-hk-1', []]);
    expect(scenario.warnings).toEqual([expect.stringContaining('uimage-forged')]);
  });

  it('is the oldest copy that is good, not an older one that is stuck or differs', async () => {
    const scenario = new Scenario();
    scenario.cloud.addCopy('hk', { ImageId: 'uimage-stuck', CreateTime: 1, State: 'Copying' });
    scenario.cloud.addCopy('hk', { ImageId: 'uimage-differs', CreateTime: 2, ImageSize: 20 });
    scenario.cloud.addCopy('hk', { ImageId: 'uimage-good', CreateTime: 3 });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({
      imageId: 'uimage-good',
      state: 'Available',
      problem: null,
    });
    expect(copies(scenario)).toEqual([]);
  });

  it('is no image that has vanished since the check listed it', async () => {
    const scenario = new Scenario();
    scenario.cloud.addCopy('hk');
    scenario.clock.after(50, () => scenario.cloud.remove('uimage-old-hk'));
    expect(copyIn(await scenario.promote(), 'hk')).toMatchObject({
      outcome: 'failed',
      imageId: 'uimage-old-hk',
    });
  });

  it('is another copy that was there, when the adopted one ends Unavailable', async () => {
    const scenario = new Scenario();
    const pending = { ImageId: 'uimage-1', CreateTime: 1, State: 'Copying' };
    scenario.cloud.addCopy('hk', pending, { settles: 100, finalState: 'Unavailable' });
    const other = { ImageId: 'uimage-2', CreateTime: 2, State: 'Copying' };
    scenario.cloud.addCopy('hk', other, { settles: 200, finalState: 'Available' });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: 'uimage-2', outcome: 'adopted', problem: null });
    expect([copies(scenario), deleted(scenario)]).toEqual([[], []]);
    expect(scenario.warnings.at(-1)).toMatch(/hk.*uimage-1 ended Unavailable.*reuses uimage-2/);
  });

  it('is no such image without a wait either', async () => {
    const scenario = new Scenario({ wait: false });
    scenario.cloud.addCopy('hk');
    scenario.clock.after(50, () => scenario.cloud.remove('uimage-old-hk'));
    expect(told(await scenario.promote())).toEqual([expect.stringMatching(/hk.*uimage-old-hk.*deleted/)]);
  });
});

describe('with mark-secret', () => {
  const signed = (some: ConstructorParameters<typeof Scenario>[0] = {}) =>
    new Scenario({ markSecret: 'hush', ...some });

  it('a later run with the same secret reuses the copy', async () => {
    const first = signed();
    await allMade(first);
    const second = signed({ run: '77-2-second' });
    second.cloud.inherit(first.cloud);
    expect(outcomes(await second.promote())).toEqual(['adopted']);
  });

  it('a lost answer is found by the signed mark', async () => {
    const scenario = signed();
    scenario.cloud.fault(COPY, doneBut(110));
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it.each([
    ['an unsigned mark', {}],
    ['a mark of another secret', { markSecret: 'other' }],
    ['a mark of another project', { markSecret: 'hush', target: { projectId: BUILD } }],
  ])('%s is not reused, and nothing is doubled: the step stops and names the image', async (_, some) => {
    const first = new Scenario(some);
    await first.promote();
    const second = signed({ run: '77-2-second', regions: ['hk', 'sg'] });
    for (const { image } of first.cloud.stored.slice(1))
      second.cloud.add(image, { region: 'hk', projectId: PROD });
    const promotion = await second.promote();
    expect(told(promotion)).toEqual([
      expect.stringMatching(/^hk: .*uimage-new-hk-1.*mark-secret differs.*\. Set the former mark-secret; or/),
    ]);
    expect(copies(second)).toEqual([]);
  });

  it('an unsigned mark beside a copy with a valid one stops nothing: that copy is reused, the other named', async () => {
    const first = signed();
    await allMade(first);
    const second = signed({ run: '77-2-second' });
    second.cloud.inherit(first.cloud);
    second.cloud.addCopy('hk', { CreateTime: 1 });
    const promotion = await second.promote();
    expect(copyIn(promotion, 'hk').imageId).toBe('uimage-new-hk-1');
    expect(second.warnings).toEqual([
      expect.stringMatching(
        /uimage-old-hk.*uimage-new-hk-1 has a valid.*\. Find out who made them, and delete/,
      ),
    ]);
  });

  it('an unsigned mark in an optional region fails that region alone', async () => {
    const scenario = signed({ target: { optionalRegions: ['sg'] } });
    scenario.cloud.addCopy('sg');
    const promotion = await scenario.promote();
    expect([promotion.status, outcomes(promotion)]).toEqual(['available', ['copied', 'failed']]);
  });

  it('this run’s mark without the signature makes no image its own', async () => {
    const scenario = signed();
    scenario.clock.after(5_000, () =>
      scenario.cloud.add(ours('uimage-forged', { CreateTime: 1 }), { region: 'hk', projectId: PROD }),
    );
    const promotion = await scenario.promote();
    expect([copyIn(promotion, 'hk').imageId, deleted(scenario)]).toEqual(['uimage-new-hk-1', []]);
  });
});

describe('the timeout and a cancel', () => {
  it('before the first copy: nothing is copied, and that is told', async () => {
    const scenario = new Scenario({ timeout: 1_000 });
    scenario.cloud.latency = 1_500;
    const promotion = await scenario.promote();
    expect([promotion.status, copies(scenario)]).toEqual(['failed', []]);
    expect(told(promotion)[0]).toContain('timeout of 1s');
    const cancelled = new Scenario();
    cancelled.cloud.latency = 10_000;
    cancelled.cancelAt(1_000);
    expect(await cancelled.promote()).toMatchObject({
      status: 'failed',
      ended: 'cancelled',
      problems: [expect.anything()],
    });
    expect([cancelled.clock.elapsed, copies(cancelled)]).toEqual([1_000, []]);
  });

  it.each(['copy', 'fail'] as const)(
    'with if-exists: %s: a re-run as it is reuses no copy, and that is told',
    async (ifExists) => {
      const advice = async (prepare: (scenario: Scenario) => void, timeout = 7_200_000) => {
        const scenario = new Scenario({ ifExists, timeout });
        scenario.cloud.copySeconds = { hk: 99_999 };
        prepare(scenario);
        return told(await scenario.promote()).join();
      };
      expect(await advice(() => undefined, 60_000)).toContain('if-exists: adopt');
      expect(await advice((scenario) => scenario.cancelAt(30_000))).toContain('if-exists: adopt');
      expect(await advice(({ cloud }) => cloud.fault(LIST, fails(174), { region: 'hk', skip: 1 }))).toContain(
        'if-exists: adopt',
      );
    },
  );
});

it('tells the plan first, then what is adopted, that a copy is sent, its ids, its states', async () => {
  const scenario = new Scenario({ regions: ['hk', 'sg'] });
  scenario.cloud.addCopy('sg', { State: 'Copying' }, { settles: 10, finalState: 'Available' });
  scenario.cloud.fault('GetRegion', fails(299));
  await scenario.promote();
  const kinds = scenario.events.map(({ type }) => type);
  expect([...new Set(kinds)].slice(0, 6)).toEqual([
    'warning',
    'plan',
    'notice',
    'state',
    'ids',
    'submitting',
  ]);
  expect(scenario.of('ids')[0]?.copies[1]?.imageId).toBe('uimage-old-sg');
  expect(kinds.at(-1)).toBe('ids');
});

it('takes the state of the adopted copy, not of another that is there', async () => {
  const scenario = new Scenario();
  scenario.cloud.addCopy('hk', { ImageId: 'uimage-2', CreateTime: 2, State: 'Copying' });
  scenario.cloud.addCopy('hk', { ImageId: 'uimage-1', CreateTime: 1 });
  const copy = copyIn(await scenario.promote(), 'hk');
  expect(copy).toMatchObject({ imageId: 'uimage-1', state: 'Available', outcome: 'adopted' });
  expect(polls(scenario, 'hk')).toHaveLength(1);
});

it.each([
  ['cuts the id in it', 'uimage-source', 'uimage-sour', /drops or cuts descriptions/],
  ['escapes it', 'cn-bj2/', 'cn-bj2\\/', /drops or cuts descriptions/],
  ['writes it in capitals', 'cn-bj2', 'CN-BJ2', /^$/],
])('a marker that a re-run would not know is told: the API endpoint %s', async (_, from, to, words) => {
  const scenario = new Scenario();
  scenario.cloud.describe = (description) => description.replace(from, to);
  await allMade(scenario);
  expect(scenario.warnings.join()).toMatch(words);
  const again = new Scenario();
  again.cloud.inherit(scenario.cloud);
  await again.promote();
  expect(again.cloud.calls(COPY)).toHaveLength(words.source === '^$' ? 0 : 1);
});
