import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { LISTING_WINDOW } from '../../src/promotion/look.ts';
import { plan } from '../../src/promotion/plan.ts';
import { newSubmission } from '../../src/promotion/submission.ts';
import { submit } from '../../src/promotion/submit.ts';
import {
  allMade,
  asksFor,
  BUILD,
  broken,
  copies,
  copyIn,
  doneBut,
  fails,
  HERE,
  listings,
  onlyIn,
  PROD,
  polls,
  RUN,
  refused,
  Scenario,
  type Sent,
  SOURCE,
  told,
} from './scenario.ts';

const COPY = 'CopyCustomImage';

describe('the request', () => {
  it('for one target names its region, and all that was ordered', async () => {
    const scenario = new Scenario({
      source: { zone: 'cn-bj2-04', projectId: BUILD },
      target: { name: 'web', description: 'for production', tag: 'shop' },
      extraParameters: { TargetEmail: 'ops@example.com' },
    });
    await scenario.promote();
    const [call, ...more] = scenario.cloud.calls(COPY);
    expect(more).toEqual([]);
    expect(call?.copy).toEqual({
      Region: HERE,
      Zone: 'cn-bj2-04',
      ProjectId: BUILD,
      SourceImageId: SOURCE.ImageId,
      TargetProjectId: PROD,
      TargetRegion: 'hk',
      TargetImageName: 'web',
      TargetImageDescription: `for production [copy of cn-bj2/uimage-source by ${RUN}]`,
      TargetImageTag: 'shop',
      extra: { TargetEmail: 'ops@example.com' },
    });
  });

  it('leaves out what was not ordered, and takes name and description from the source', async () => {
    const scenario = new Scenario();
    await scenario.promote();
    expect(scenario.cloud.calls(COPY)[0]?.copy).toEqual({
      Region: HERE,
      SourceImageId: SOURCE.ImageId,
      TargetProjectId: PROD,
      TargetRegion: 'hk',
      TargetImageName: 'web-1.4.2',
      TargetImageDescription: `nginx and friends [copy of cn-bj2/uimage-source by ${RUN}]`,
      extra: {},
    });
  });

  it('inside the region of the source names no target region', async () => {
    const scenario = new Scenario({ regions: [HERE] });
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)[0]?.copy).not.toHaveProperty('TargetRegion');
  });

  it('for several targets is one batch, of those that need a copy', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', HERE, 'us-ca'] });
    scenario.cloud.addCopy('sg');
    const promotion = await scenario.promote();
    const calls = scenario.cloud.calls(COPY);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.copy?.TargetRegionList).toEqual(['hk', HERE, 'us-ca']);
    expect(calls[0]?.copy).not.toHaveProperty('TargetRegion');
    expect(copyIn(promotion, 'us-ca')).toMatchObject({ created: true, outcome: 'copied' });
    expect(copyIn(promotion, 'us-ca').imageId).toMatch(/^uimage-new-us-ca-/);
    expect(copyIn(promotion, 'us-ca').taskId).toMatch(/^task-us-ca-/);
  });

  it('is not sent at all where every target is there', async () => {
    const scenario = new Scenario();
    scenario.cloud.addCopy('hk');
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(scenario.cloud.calls(COPY)).toEqual([]);
    expect(scenario.of('submitting')).toEqual([]);
  });

  it('is announced before it is sent, and the ids as soon as they are known', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    let toldBefore = false;
    scenario.cloud.fault(COPY, (execute) => {
      toldBefore = scenario.of('submitting')[0]?.copies.every(({ unclear }) => unclear) ?? false;
      return execute();
    });
    await scenario.promote();
    expect(toldBefore).toBe(true);
    const withIds = scenario
      .of('ids')
      .filter(({ copies }) => copies.every(({ imageId }) => imageId !== null));
    expect(withIds[0]?.copies.map(({ state, created, unclear }) => [state, created, unclear])).toEqual([
      ['Copying', true, false],
      ['Copying', true, false],
    ]);
  });
});

describe('an answer', () => {
  it('of one copy brings its task', async () => {
    const scenario = new Scenario();
    expect(copyIn(await scenario.promote(), 'hk').taskId).toBe('task-hk-1');
    const taskless = new Scenario();
    taskless.cloud.fault(COPY, (execute) => ({ ...(execute() as object), TaskId: undefined }));
    expect(copyIn(await taskless.promote(), 'hk').taskId).toBeNull();
  });

  it('to a list that was ignored brings the task of the one at home', async () => {
    const scenario = new Scenario({ regions: [HERE, 'hk'] });
    scenario.cloud.batch = false;
    expect(copyIn(await scenario.promote(), HERE).taskId).toBe(`task-${HERE}-1`);
  });

  it.each([
    [
      [
        { TargetRegion: 'sg', TargetImageId: 'x' },
        { TargetRegion: 'hk', TargetImageId: 'uimage-new-hk-1' },
      ],
    ],
    [[{ TargetImageId: 'uimage-new-hk-1', TaskId: 'task-1' }]],
  ])('of one copy may come as a batch: %j', async (Infos) => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (execute) => {
      execute();
      return { Infos };
    });
    const copy = copyIn(await scenario.promote(), 'hk');
    expect(copy).toMatchObject({ imageId: 'uimage-new-hk-1', outcome: 'copied' });
    expect(copies(scenario)).toEqual(['hk']);
    expect(scenario.warnings).toEqual([]);
  });

  it('of one copy may come as a batch, with its task', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (execute) => {
      const { TargetImageId, TaskId } = execute() as { TargetImageId: string; TaskId: string };
      return { Infos: [{ TargetRegion: 'hk', TargetImageId, TaskId }] };
    });
    const promotion = await allMade(scenario);
    expect(copyIn(promotion, 'hk').taskId).toMatch(/^task-hk/);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('is known as soon as it is there, while others are awaited', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, fails(8962));
    const { clock } = scenario;
    scenario.cloud.fault(
      COPY,
      async (execute) => {
        await clock.sleep(50_000);
        return execute();
      },
      { region: 'sg' },
    );
    await scenario.promote();
    const known = scenario
      .of('ids')
      .map(({ copies }) => copies.map(({ imageId }) => imageId !== null).join());
    expect(known).toContain('true,false');
  });

  it('with places or ids that are not there names no stray', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, (execute) => ({
      Infos: [...(execute() as { Infos: object[] }).Infos, { TargetRegion: 'us-ca' }, { TargetImageId: 'x' }],
    }));
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
  });

  it('of a batch may name a region twice, once without an id', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, (execute) => ({
      Infos: [{ TargetRegion: 'hk' }, ...(execute() as { Infos: object[] }).Infos],
    }));
    await allMade(scenario);
    expect(scenario.warnings).toEqual([]);
    expect(scenario.clock.elapsed).toBeLessThan(LISTING_WINDOW);
  });
});

describe('an answer that says no', () => {
  it.each([220, 230, 292, 294, 299, 8095, 8104, 8226, 8300, 8956, 8958, 8959, 8970])(
    'for good (%s) fails the target, is never asked again, and looks for nothing',
    async (code) => {
      const scenario = new Scenario();
      scenario.cloud.fault(COPY, fails(code));
      const promotion = await scenario.promote();
      expect(promotion.status).toBe('failed');
      expect(told(promotion)[0]).toContain(`RetCode ${code}`);
      expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: null, unclear: false });
      expect(scenario.cloud.calls(COPY)).toHaveLength(1);
      expect(scenario.clock.elapsed).toBeLessThan(1_000);
    },
  );

  it('for want of quota tells how many images each region holds', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    for (let index = 0; index < 20; index++)
      scenario.cloud.add({ ImageId: `uimage-${index}` }, { region: 'hk', projectId: PROD });
    scenario.cloud.fault(COPY, fails(8095), { times: 9 });
    const promotion = await scenario.promote();
    const told = copyIn(promotion, 'hk').problem;
    expect(told?.advice).toContain('20 in hk, 0 in sg');
    expect(copyIn(promotion, 'sg').problem).toEqual(told);
  });

  it('for now (153) is waited out, ever longer, and told', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(153), { times: 8 });
    await allMade(scenario);
    const times = scenario.cloud.calls(COPY).map(({ at }) => at);
    expect(times).toHaveLength(9);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(gaps[0]).toBeGreaterThanOrEqual(500);
    expect(gaps[7]).toBeGreaterThanOrEqual(15_000);
    expect(Math.max(...gaps)).toBeLessThan(31_000);
    expect(scenario.notices.filter((text) => text.includes('153')).length).toBeGreaterThan(0);
    expect(scenario.notices.length).toBeLessThanOrEqual(5);
  });

  it('with a time (8980) is not asked again before it', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(8980));
    await allMade(scenario);
    const [first, second] = scenario.cloud.calls(COPY).map(({ at }) => at);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(30_000);
  });

  it('with a time (8980) is waited out, but not past the timeout', async () => {
    const scenario = new Scenario({ timeout: 20_000 });
    scenario.cloud.latency = 0;
    scenario.cloud.fault(COPY, fails(8980), { times: 9 });
    await scenario.promote();
    expect(scenario.clock.elapsed).toBe(20_000);
  });

  it('with a time for one of several targets holds them all back', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.batch = false;
    scenario.cloud.fault(COPY, fails(8980), { region: 'hk' });
    scenario.cloud.fault(COPY, fails(153), { region: 'sg' });
    await allMade(scenario);
    const times = scenario.cloud.calls(COPY).map(({ at }) => at);
    expect((times.at(-1) ?? 0) - (times[1] ?? 0)).toBeGreaterThanOrEqual(30_000);
  });

  it('since the look before it has used up the throttle: it gets a turn all the same', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    const { cloud } = scenario;
    const throttled = (execute: () => unknown, { at }: Sent) => {
      const isBehind = cloud.calls('DescribeImage').some((read) => at - read.at < 1_000);
      if (isBehind) throw refused(COPY, 153);
      return execute();
    };
    cloud.fault(COPY, throttled, { times: 99 });
    await allMade(scenario);
    expect(cloud.calls(COPY).length).toBeLessThan(6);
  });

  it('but made the copy all the same (153 that lies) is found before anything is sent again', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, doneBut(153));
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('since the line was down is asked again', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(
      COPY,
      () => {
        throw broken(COPY, 'connection');
      },
      { times: 3 },
    );
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(4);
    expect(scenario.clock.elapsed).toBeLessThan(LISTING_WINDOW);
  });

  it('until the end of the timeout, but made one copy: that one is not called missing', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], timeout: 20_000 });
    scenario.cloud.fault(COPY, (_execute, { copy }) => {
      if (copy) void scenario.cloud.copyCustomImage({ ...copy, TargetRegionList: ['hk'] });
      throw refused(COPY, 8980);
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').imageId).toBe('uimage-new-hk-1');
    expect(copyIn(promotion, 'hk').problem?.message).not.toContain('no copy was seen');
    expect(copyIn(promotion, 'sg').problem?.message).toContain('no copy was seen');
  });

  it('for as long as the timeout ends with that answer, in time', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.fault(COPY, fails(153), { times: Number.POSITIVE_INFINITY });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(told(promotion).join()).toContain('RetCode 153');
    expect(scenario.clock.elapsed).toBeGreaterThanOrEqual(300_000);
    expect(scenario.clock.elapsed).toBeLessThan(310_000);
    expect(scenario.cloud.calls(COPY).length).toBeLessThan(30);
    // The last refusal may have been a lie: a rollback looks for it.
    expect(copyIn(promotion, 'hk').unclear).toBe(true);
  });

  it('since the source is not ready (8961) waits for it, then asks once more', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, fails(8961));
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(2);
  });

  it('since the source is not ready, twice, is for good', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(8961), { times: 9 });
    const promotion = await scenario.promote();
    expect(told(promotion)[0]).toContain('RetCode 8961');
    expect(scenario.cloud.calls(COPY)).toHaveLength(2);
    expect(scenario.notices.filter((text) => text.includes('waiting until it is Available'))).toHaveLength(1);
  });

  it('since the source is not ready, which then turns out Unavailable, names the source', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (execute, sent, signal) => {
      const [stored] = scenario.cloud.stored;
      if (stored) stored.finalState = 'Unavailable';
      return fails(8961)(execute, sent, signal);
    });
    const promotion = await scenario.promote();
    expect(told(promotion)[0]).toMatch(/uimage-source.*Unavailable/);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });
});

describe('a site without batches', () => {
  it('that makes one image instead: it is named and deleted, and each region is copied to once', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.batch = false;
    const promotion = await allMade(scenario);
    expect(promotion.copies.map(({ created }) => created)).toEqual([true, true, true]);
    expect(scenario.cloud.calls('TerminateCustomImage')).toMatchObject([{ region: HERE, projectId: PROD }]);
    const [stray] = scenario.cloud.calls('TerminateCustomImage')[0]?.imageIds ?? [];
    expect(stray).toMatch(/^uimage-new-cn-bj2/);
    expect(scenario.warnings.some((text) => text.includes(stray ?? '-'))).toBe(true);
    expect(scenario.cloud.calls(COPY).map(({ copy }) => copy?.TargetRegion)).toEqual([
      undefined,
      'hk',
      'sg',
      'us-ca',
    ]);
  });

  it.each([
    ['its first', 0, 0],
    ['its last', 1, 0],
    ['one that is not listed yet', 0, 40],
  ])('or one that made them all, but names just %s: none is made twice', async (_, index, seconds) => {
    for (const regions of [
      ['hk', 'sg'],
      ['hk', HERE],
    ]) {
      const scenario = new Scenario({ regions });
      for (const region of regions) {
        scenario.cloud.listingSeconds[region] = seconds;
        scenario.cloud.copySeconds[region] = 300;
      }
      scenario.cloud.fault(COPY, (execute) => {
        const { Infos } = execute() as { Infos: { TargetImageId: string; TaskId: string }[] };
        return { TargetImageId: Infos[index]?.TargetImageId, TaskId: Infos[index]?.TaskId };
      });
      await allMade(scenario);
      expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    }
  });

  it('whose region of the source is a target: that image is kept', async () => {
    const scenario = new Scenario({ regions: ['hk', HERE, 'sg'] });
    scenario.cloud.batch = false;
    await allMade(scenario);
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    expect(scenario.cloud.calls(COPY).map(({ copy }) => copy?.TargetRegion)).toEqual([undefined, 'hk', 'sg']);
    // It might as well have made them all.
    expect(scenario.warnings).toHaveLength(1);
    expect(scenario.warnings[0]).toContain('not clear whether a copy was made in hk, sg');
  });

  it('that refuses, since the list without its regions is a copy of the source onto itself', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], target: { projectId: BUILD } });
    scenario.cloud.batch = false;
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(3);
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    expect(scenario.notices[0]).toContain('one by one');
  });

  it('that makes one image and loses the answer: found where nobody asked for it, deleted and told', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.batch = false;
    scenario.cloud.fault(COPY, doneBut(110));
    await allMade(scenario);
    const [stray] = scenario.cloud.calls('TerminateCustomImage')[0]?.imageIds ?? [];
    expect(stray).toMatch(/^uimage-new-cn-bj2/);
    expect(scenario.warnings.some((text) => text.includes(stray ?? '-'))).toBe(true);
    expect(scenario.cloud.calls('TerminateCustomImage')).toHaveLength(1);
    expect(scenario.cloud.calls(COPY).slice(1).flatMap(asksFor)).toEqual(['hk', 'sg']);
  });

  it('that answers with nothing at all: looked for, then one by one', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, () => ({ Infos: [] }));
    await allMade(scenario);
    const singles = scenario.cloud.calls(COPY).slice(1);
    expect(singles.map(({ copy }) => copy?.TargetRegion)).toEqual(['hk', 'sg']);
    expect(singles[0]?.at).toBeGreaterThanOrEqual(LISTING_WINDOW);
  });

  it('or one that copies to a region nobody named: that image is deleted and told', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, onlyIn(scenario.cloud, 'hk', 'sg', 'us-ca'));
    await allMade(scenario);
    expect(scenario.cloud.calls('TerminateCustomImage')).toMatchObject([
      { region: 'us-ca', projectId: PROD },
    ]);
    expect(scenario.warnings.some((text) => text.includes('uimage-new-us-ca'))).toBe(true);
  });

  it('whose stray is not listed yet: it can be nobody else’s, and is deleted', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.listingSeconds = { 'us-ca': 90 };
    scenario.cloud.fault(COPY, onlyIn(scenario.cloud, 'hk', 'sg', 'us-ca'));
    await allMade(scenario);
    expect(scenario.cloud.calls('TerminateCustomImage')).toHaveLength(1);
  });

  it('whose stray is gone before it is deleted: told as gone or very new', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, onlyIn(scenario.cloud, 'hk', 'sg', 'us-ca'));
    scenario.cloud.fault('TerminateCustomImage', () => false);
    await scenario.promote();
    expect(scenario.warnings).toEqual([
      'This run made uimage-new-us-ca-3 in us-ca without being asked to: it is not listed, so it is gone or very new. Delete it by hand if it turns up.',
    ]);
  });

  it('whose one image is listed late: it is asked for ever more rarely, also where a read fails', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.batch = false;
    scenario.cloud.listingSeconds = { [HERE]: 50 };
    scenario.cloud.fault('DescribeImage', fails(150), { region: 'hk', skip: 1 });
    await allMade(scenario);
    const asked = polls(scenario, HERE)
      .map(({ at }) => at / 1_000)
      .slice(1, -1);
    const gaps = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
    expect(gaps[0]).toBeCloseTo(1.1);
    expect(gaps.at(-1)).toBeGreaterThan(10);
    expect(Math.max(...gaps)).toBeLessThan(15.2);
    expect(asked.length).toBeLessThan(12);
  });

  it('whose one image is never listed: looked for until the window is over, then sent one by one', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], timeout: 600_000 });
    scenario.cloud.batch = false;
    scenario.cloud.listingSeconds = { [HERE]: 300 };
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    const [, single] = scenario.cloud.calls(COPY);
    expect(single?.at).toBeGreaterThanOrEqual(2 * LISTING_WINDOW);
    expect(single?.at).toBeLessThan(2 * LISTING_WINDOW + 5_000);
    // Found by its mark when it is listed at last.
    expect(scenario.cloud.ids(HERE)).toEqual([]);
  });

  it.each([
    ['the timeout', 60_000, 9_999_999],
    ['a cancel', 7_200_000, 30_000],
  ])(
    'whose one image is not listed by the end (%s): nothing more is sent, and its id is told',
    async (_, timeout, at) => {
      const scenario = new Scenario({ regions: ['hk', 'sg'], timeout });
      scenario.cloud.batch = false;
      scenario.cloud.listingSeconds = { [HERE]: 300 };
      scenario.cancelAt(at);
      await scenario.promote();
      expect(scenario.cloud.calls(COPY)).toHaveLength(1);
      expect(scenario.clock.elapsed).toBeLessThan(70_000);
      expect(scenario.warnings.join()).toMatch(
        /uimage-new-cn-bj2-1, .* listed nowhere yet\. .* delete it by hand/,
      );
    },
  );

  it('whose stray cannot be looked at: it is not deleted by its id alone, and told', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.batch = false;
    scenario.cloud.fault('DescribeImage', fails(299), { region: HERE, skip: 2 });
    await scenario.promote();
    expect(scenario.cloud.ids()).toEqual(['uimage-new-cn-bj2-1', 'uimage-new-hk-2', 'uimage-new-sg-3']);
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    expect(
      scenario.warnings.some((text) => text.includes('uimage-new-cn-bj2-1') && text.includes('left alone')),
    ).toBe(true);
  });

  it('whose stray cannot be deleted: told with its id, and the promotion goes on', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.batch = false;
    scenario.cloud.fault('TerminateCustomImage', fails(299));
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    const [stray] = scenario.cloud.ids(HERE);
    expect(scenario.warnings.some((text) => text.includes(stray ?? '-') && text.includes('299'))).toBe(true);
  });

  it('with many regions: they are sent to abreast, but not all at once', async () => {
    const scenario = new Scenario({ regions: Array.from({ length: 20 }, (_, index) => `r-${index}`) });
    scenario.cloud.regions.push(...scenario.order.target.regions.map((Region) => ({ Region })));
    scenario.cloud.batch = false;
    await allMade(scenario);
    const times = scenario.cloud
      .calls(COPY)
      .slice(1)
      .map(({ at }) => at);
    expect(times).toHaveLength(20);
    expect(new Set(times).size).toBe(3);
  });

  it('with many regions and slow answers: no further copy is sent when the time is out', async () => {
    const regions = Array.from({ length: 10 }, (_, index) => `r-${index}`);
    const scenario = new Scenario({ regions, timeout: 60_000 });
    scenario.cloud.regions.push(...regions.map((Region) => ({ Region })));
    scenario.cloud.fault(COPY, fails(8962));
    scenario.cloud.fault(
      COPY,
      async (execute) => {
        await scenario.clock.sleep(70_000);
        return execute();
      },
      { times: 99 },
    );
    const promotion = await scenario.promote();
    expect(scenario.cloud.calls(COPY)).toHaveLength(9);
    expect(copyIn(promotion, 'r-9')).toMatchObject({ imageId: null, unclear: false });
    expect(copyIn(promotion, 'r-9').problem?.message).toContain('no copy was made within the timeout of 1m');
  });

  it('of which one region is refused: the others are made', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.batch = false;
    scenario.cloud.fault(COPY, fails(8095), { region: 'sg' });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('partial');
    expect(promotion.copies.map(({ outcome }) => outcome)).toEqual(['copied', 'failed', 'copied']);
  });
});

describe('an answer that the target is the source (8962)', () => {
  const unknownProject = (some: ConstructorParameters<typeof Scenario>[0]) => {
    const scenario = new Scenario(some);
    scenario.cloud.fault('GetProjectList', fails(299));
    return scenario;
  };

  it('is believed of the region of the source, which is not waited for', async () => {
    const scenario = unknownProject({ regions: [HERE], target: { projectId: BUILD } });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(copyIn(promotion, HERE)).toMatchObject({
      outcome: 'source',
      imageId: SOURCE.ImageId,
      created: false,
    });
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    // The check alone.
    expect(polls(scenario, HERE)).toHaveLength(1);
  });

  it('is believed of that region alone, where the project is not known, and no other code is', async () => {
    const answered = (regions: string[], code: number) => {
      const scenario = unknownProject({ regions, target: { projectId: BUILD } });
      scenario.cloud.fault(COPY, fails(code));
      return scenario;
    };
    expect(copyIn(await answered([HERE], 8962).promote(), HERE).outcome).toBe('source');
    expect(copyIn(await answered([HERE], 8095).promote(), HERE).outcome).toBe('failed');
    expect(copyIn(await answered(['hk'], 8962).promote(), 'hk').outcome).toBe('failed');
  });

  it('is believed there, too, when a batch was refused for it: the others are copied to', async () => {
    const scenario = unknownProject({ regions: [HERE, 'hk', 'sg'], target: { projectId: BUILD } });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(promotion.copies.map(({ outcome }) => outcome)).toEqual(['source', 'copied', 'copied']);
    expect(scenario.cloud.ids()).toHaveLength(2);
  });

  it('is not believed of any other region', async () => {
    const scenario = new Scenario({ regions: ['hk'] });
    scenario.cloud.fault(COPY, fails(8962), { times: 9 });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(copyIn(promotion, 'hk').imageId).toBeNull();
    expect(told(promotion)[0]).toContain('8962');
  });

  it('is not believed when the projects are known to differ', async () => {
    const scenario = new Scenario({ regions: [HERE] });
    scenario.cloud.fault(COPY, fails(8962), { times: 9 });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(copyIn(promotion, HERE).outcome).toBe('failed');
  });

  it('of a batch ends batches, and leaves a doubt that is looked into', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(COPY, fails(8962));
    for (const region of ['hk', 'sg']) scenario.cloud.fault(COPY, fails(153), { region });
    expect((await scenario.promote()).status).toBe('available');
    expect(copies(scenario)).toEqual([['hk', 'sg', 'us-ca'], 'hk', 'sg', 'us-ca', 'hk', 'sg']);
    expect(listings(scenario, 'us-ca').at(-1)).toBeGreaterThan(120);
  });
});

describe('a cancel', () => {
  it('while the answer is under way waits a little for it: its ids are worth more', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, async (execute, _sent, signal) => {
      const answer = execute();
      await scenario.clock.sleep(2_000, signal);
      return answer;
    });
    scenario.cancelAt(1_000);
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    for (const copy of promotion.copies) {
      expect(copy).toMatchObject({ imageId: expect.any(String), created: true, unclear: false });
      expect(copy.problem?.message).toContain(copy.imageId);
    }
    expect(told(promotion)[0]).toMatch(/uimage-new-hk.*uimage-new-sg/);
    expect(scenario.clock.elapsed).toBeLessThan(5_000);
  });

  it('while the answer does not come: out within 5 s, and every target is unclear', async () => {
    for (const regions of [['hk'], ['hk', 'sg']]) {
      const scenario = new Scenario({ regions });
      scenario.cloud.fault(COPY, async (execute, _sent, signal) => {
        execute();
        await scenario.clock.sleep(90_000, signal);
      });
      scenario.cancelAt(10_000);
      const promotion = await scenario.promote();
      expect(scenario.clock.elapsed).toBeLessThanOrEqual(15_000);
      expect(scenario.cloud.calls(COPY)).toHaveLength(1);
      for (const copy of promotion.copies)
        expect(copy).toMatchObject({ outcome: 'failed', unclear: true, imageId: null });
    }
  });

  it('waits three seconds for the answer of a copy', async () => {
    const cancelledAt = (ms: number, answersAfter: number) => {
      const scenario = new Scenario();
      scenario.cloud.fault(COPY, async (execute, _, signal) => {
        await scenario.clock.sleep(answersAfter, signal);
        return execute();
      });
      scenario.cancelAt(ms);
      return scenario;
    };
    const early = cancelledAt(500, 2_000);
    expect(copyIn(await early.promote(), 'hk')).toMatchObject({ imageId: 'uimage-new-hk-1', unclear: false });
    const late = cancelledAt(500, 9_000);
    expect(copyIn(await late.promote(), 'hk')).toMatchObject({ imageId: null, unclear: true });
    expect(late.clock.elapsed).toBe(3_500);
  });

  it('between two single copies: the second is not sent any more', async () => {
    const regions = Array.from({ length: 12 }, (_, index) => `r-${index}`);
    const scenario = new Scenario({ regions });
    scenario.cloud.regions.push(...regions.map((Region) => ({ Region })));
    scenario.cloud.batch = false;
    scenario.cloud.latency = 1_000;
    // Check until 1 s, batch until 2 s, where its image is until 3 s, the first eight until 4 s.
    scenario.cancelAt(3_500);
    const promotion = await scenario.promote();
    expect(scenario.cloud.calls(COPY)).toHaveLength(9);
    const made = promotion.copies.filter(({ imageId }) => imageId !== null);
    expect(made).toHaveLength(8);
    for (const copy of promotion.copies) expect(copy.unclear).toBe(false);
  });

  it.each([
    ['a cancel', 5_000, 7_200_000],
    ['the timeout', 9_999_999, 20_000],
  ])(
    'while a copy waits for its turn behind a throttle: it is not sent after %s',
    async (_, cancelAt, timeout) => {
      const scenario = new Scenario({ timeout });
      const { clock, cloud } = scenario;
      let isSent = false;
      cloud.fault(COPY, async (execute, _sent, _signal, unsent) => {
        await clock.sleep(60_000, unsent);
        isSent = true;
        return execute();
      });
      scenario.cancelAt(cancelAt);
      const promotion = await scenario.promote();
      expect(isSent).toBe(false);
      expect(clock.elapsed).toBeLessThan(21_000);
      expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: null, unclear: false });
      expect(told(promotion).join()).toMatch(/no copy was made|before a copy was made/);
    },
  );

  it('while an unclear answer is looked after: the target stays unclear', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(110));
    scenario.cancelAt(30_000);
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'failed', unclear: true });
    expect(scenario.clock.elapsed).toBeLessThan(31_000);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('after an unclear answer and then a refusal: the target is still unclear', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(110));
    scenario.cloud.fault(COPY, fails(8095));
    scenario.cancelAt(LISTING_WINDOW + 30_000);
    const promotion = await scenario.promote();
    expect(scenario.cloud.calls(COPY)).toHaveLength(2);
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'failed', unclear: true });
  });

  it('in the middle of a look for it, likewise', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(110));
    let looks = 0;
    scenario.cloud.fault(
      'DescribeImage',
      async (execute, _sent, signal) => {
        looks += 1;
        await scenario.clock.sleep(20_000, signal);
        return execute();
      },
      { region: 'hk', skip: 1 },
    );
    scenario.cancelAt(10_000);
    const promotion = await scenario.promote();
    expect(looks).toBe(1);
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'failed', unclear: true });
    expect(scenario.clock.elapsed).toBe(10_000);
  });

  it('while a throttle is waited out: nothing is sent any more', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(8980));
    scenario.cancelAt(10_000);
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'failed', unclear: false, imageId: null });
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    expect(scenario.clock.elapsed).toBe(10_000);
  });

  it('that never comes leaves nobody listening for it', async () => {
    const { clock, cloud, context } = new Scenario({ regions: ['hk', 'sg'] });
    cloud.fault(COPY, doneBut(110));
    const findings = { source: SOURCE, sourceProject: BUILD, held: new Map() };
    const targets = plan(context.order, findings, clock.now()).copies;
    await clock.run(submit(newSubmission(context, findings, targets)));
    expect(targets.map(({ outcome }) => outcome)).toEqual(['copied', 'copied']);
    expect(getEventListeners(context.signal, 'abort')).toEqual([]);
  });

  it('right before the answer leaves no timer to keep the process waiting', async () => {
    const scenario = new Scenario();
    const { clock } = scenario;
    const asleep = new Set<number>();
    const sleep = clock.sleep.bind(clock);
    clock.sleep = async (ms, signal) => {
      asleep.add(ms);
      await sleep(ms, signal).finally(() => asleep.delete(ms));
    };
    scenario.cancelAt(150);
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').imageId).toBe('uimage-new-hk-1');
    expect([...asleep]).toEqual([]);
  });
});

it('a defect while sending loses no id and is told as a defect', async () => {
  const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
  scenario.cloud.batch = false;
  scenario.cloud.fault(
    COPY,
    () => {
      throw new TypeError('infos is not iterable');
    },
    { region: 'us-ca' },
  );
  const promotion = await scenario.promote();
  expect(promotion.status).not.toBe('available');
  expect(told(promotion)[0]).toContain('infos is not iterable');
});

describe('an answer that names an image which was there before', () => {
  const before = { ImageId: 'uimage-precious', ImageName: 'precious', State: 'Available' };
  const stray = { TargetRegion: HERE, TargetImageId: SOURCE.ImageId };

  it.each([before.ImageId, SOURCE.ImageId])(
    '%s is not believed: it is neither handed out nor deleted',
    async (old) => {
      const scenario = new Scenario({ regions: ['hk'] });
      scenario.cloud.add(before, { region: 'hk', projectId: PROD });
      scenario.cloud.fault(COPY, (execute) => {
        execute();
        return { TargetImageId: old, TaskId: 'task' };
      });
      const promotion = await scenario.promote();
      expect(promotion.status).toBe('available');
      expect(copyIn(promotion, 'hk').imageId).toMatch(/^uimage-new-hk/);
      expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    },
  );

  it('does not make a region doubtful that holds other images', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    for (const region of ['hk', 'sg']) scenario.cloud.add(before, { region, projectId: PROD });
    const promotion = await scenario.promote();
    expect(promotion.copies.map(({ imageId }) => imageId)).toEqual(['uimage-new-hk-1', 'uimage-new-sg-2']);
    expect(scenario.warnings).toEqual([]);
    expect(scenario.clock.elapsed).toBeLessThan(LISTING_WINDOW);
  });

  it.each([
    ['with the others', (answer: { Infos: object[] }) => [...answer.Infos, stray]],
    ['instead of all', () => undefined],
  ])('in the region of the source, %s, is left alone even while it is not listed', async (_, infos) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], target: { projectId: BUILD } });
    scenario.cloud.add(before, { region: HERE, projectId: BUILD });
    scenario.cloud.fault(COPY, (execute) => ({
      Infos: infos(execute() as { Infos: object[] }),
      TargetImageId: SOURCE.ImageId,
    }));
    scenario.cloud.fault('DescribeImage', () => [], { region: HERE, skip: 1, times: 99 });
    await scenario.promote();
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
  });

  it('in a target, instead of all, is not handed out', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.add(before, { region: 'hk', projectId: PROD });
    scenario.cloud.fault(COPY, (execute) => {
      execute();
      return { TargetImageId: before.ImageId };
    });
    const promotion = await scenario.promote();
    expect(promotion.copies.map(({ imageId }) => imageId)).toEqual(['uimage-new-hk-1', 'uimage-new-sg-2']);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('in a region that nobody asked for is left alone, and told', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.add(before, { region: 'us-ca', projectId: PROD });
    scenario.cloud.fault(COPY, (execute) => {
      const answer = execute() as { Infos: object[] };
      return {
        ...answer,
        Infos: [...answer.Infos, { TargetRegion: 'us-ca', TargetImageId: before.ImageId }],
      };
    });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    expect(scenario.warnings.some((text) => text.includes(before.ImageId))).toBe(true);
  });
});

it('regions in other letters are the same ones in a later batch, too: a wanted copy is no stray', async () => {
  const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
  const first = { TargetRegion: 'HK', TargetImageId: 'uimage-new-hk-1' };
  scenario.cloud.fault(COPY, async (execute, sent) => {
    await onlyIn(scenario.cloud, 'hk')(execute, sent);
    return { Infos: [first] };
  });
  scenario.cloud.fault(COPY, (execute) => ({ Infos: [first, ...(execute() as { Infos: object[] }).Infos] }), {
    region: 'sg',
  });
  await allMade(scenario);
  expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
});

it('regions in other letters are the same regions: nothing is looked for, nothing deleted', async () => {
  const scenario = new Scenario({ regions: ['hk', 'sg'] });
  scenario.cloud.fault(COPY, (execute) => {
    const answer = execute() as { Infos: { TargetRegion: string }[] };
    return {
      ...answer,
      Infos: answer.Infos.map((info) => ({ ...info, TargetRegion: info.TargetRegion.toUpperCase() })),
    };
  });
  await allMade(scenario);
  expect(scenario.clock.elapsed).toBeLessThan(LISTING_WINDOW);
  expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
});
