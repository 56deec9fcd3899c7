import { describe, expect, it } from 'vitest';
import type { CopyRequest, Image } from '../../src/cloud/cloud.ts';
import { LISTING_WINDOW } from '../../src/promotion/look.ts';
import {
  BUILD,
  broken,
  copyIn,
  doneBut,
  fails,
  HERE,
  markedBy,
  PROD,
  RUN,
  refused,
  Scenario,
  type Sent,
  SOURCE,
  told,
} from './scenario.ts';

const COPY = 'CopyCustomImage';

/** The target regions of one CopyCustomImage. */
const asksFor = ({ copy, region }: Sent) => copy?.TargetRegionList ?? [copy?.TargetRegion ?? region];

/** A site that makes but these of a batch. */
const onlyIn =
  (regions: string[]) =>
  ({ cloud }: Scenario, copy: CopyRequest | undefined) => {
    if (!copy) throw new Error('no copy');
    return cloud.copyCustomImage({ ...copy, TargetRegionList: regions });
  };

/** Every target is Available, and holds nothing but what the promotion names. */
async function allMade(scenario: Scenario) {
  const promotion = await scenario.promote();
  expect(promotion.status).toBe('available');
  for (const { region, imageId } of promotion.copies) expect(scenario.cloud.ids(region)).toEqual([imageId]);
  expect(scenario.cloud.ids()).toHaveLength(promotion.copies.length);
  return promotion;
}

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

describe('an answer that is not clear', () => {
  const unclearCodes = [110, 130, 150, 8022, 8024, 8825, 8861, 8960, 31_337];

  it.each(unclearCodes)('after a copy that was made (%s): found, and nothing is sent again', async (code) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.listingSeconds = { hk: 50, sg: 20 };
    scenario.cloud.copySeconds = { hk: 300, sg: 300 };
    scenario.cloud.fault(COPY, doneBut(code));
    const promotion = await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    for (const copy of promotion.copies)
      expect(copy).toMatchObject({ created: true, outcome: 'copied', unclear: false });
    expect(scenario.warnings[0]).toContain(`RetCode ${code}`);
  });

  it.each(unclearCodes)(
    'after a copy that was not made (%s): sent again, not before the window is over',
    async (code) => {
      const scenario = new Scenario({ regions: ['hk', 'sg'] });
      scenario.cloud.fault(COPY, fails(code));
      await allMade(scenario);
      const [first, ...again] = scenario.cloud.calls(COPY);
      expect(again.flatMap(asksFor)).toEqual(['hk', 'sg']);
      for (const { at } of again) expect(at - (first?.at ?? 0)).toBeGreaterThanOrEqual(LISTING_WINDOW);
      expect(scenario.notices.join()).toMatch(/hk.*sg.*again/);
    },
  );

  it.each(['lost', 'http', 'unreadable'] as const)('by a line that is %s, made or not', async (kind) => {
    for (const made of [true, false]) {
      const scenario = new Scenario();
      scenario.cloud.fault(COPY, (execute) => {
        if (made) execute();
        throw broken(COPY, kind);
      });
      await allMade(scenario);
      expect(scenario.cloud.calls(COPY)).toHaveLength(made ? 1 : 2);
    }
  });

  it('of one region beside a throttle in another: told of the one that was looked for', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.batch = false;
    scenario.cloud.fault(COPY, fails(8962));
    scenario.cloud.fault(COPY, fails(110), { region: 'hk' });
    scenario.cloud.fault(COPY, fails(153), { region: 'sg' });
    await allMade(scenario);
    expect(scenario.notices).toContain('No copy turned up in hk: CopyCustomImage is sent again.');
  });

  it('of a batch: the id of each is told when it is found, while others are looked for', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.copySeconds = { hk: 500, sg: 500 };
    scenario.cloud.listingSeconds = { hk: 5, sg: 90 };
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.cancelAt(60_000);
    await scenario.promote();
    const beforeTheEnd = scenario.of('ids').slice(0, -2);
    expect(beforeTheEnd.at(-1)?.copies.map(({ imageId }) => imageId)).toEqual(['uimage-new-hk-1', null]);
  });

  it('on a throttled account: the last look is repeated until every region was read', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, fails(110));
    // A bucket of one: of two reads at once, one is refused each time.
    const once = (execute: () => unknown, { patience }: Sent) => {
      if (!patience) throw refused('DescribeImage', 153, 'sg');
      return execute();
    };
    scenario.cloud.fault('DescribeImage', once, { region: 'sg', skip: 1, times: 30 });
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)[1]?.at).toBeLessThan(LISTING_WINDOW + 10_000);
  });

  it('on an account that is throttled for long: no region is given up before the timeout', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(110));
    scenario.clock.after(1_000, () =>
      scenario.cloud.fault(
        'DescribeImage',
        (execute) => {
          if (scenario.clock.elapsed < 1_800_000) throw refused('DescribeImage', 153, 'hk');
          return execute();
        },
        { region: 'hk', times: 9_999 },
      ),
    );
    await allMade(scenario);
  });

  it('and keys that expire meanwhile: told when the window is over, not at the timeout', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(110));
    scenario.cloud.fault('DescribeImage', fails(174), { region: 'hk', skip: 1, times: 999 });
    const promotion = await scenario.promote();
    expect(told(promotion).join()).toContain('RetCode 174');
    expect(copyIn(promotion, 'hk').unclear).toBe(true);
    expect(scenario.clock.elapsed).toBeLessThan(LISTING_WINDOW + 10_000);
  });

  it('and a region that cannot be read for good: it fails, and the others are copied to', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(COPY, fails(110));
    scenario.cloud.fault('DescribeImage', fails(8889), { region: 'sg', skip: 1, times: 999 });
    const promotion = await scenario.promote();
    expect(promotion.copies.map(({ outcome }) => outcome)).toEqual(['copied', 'failed', 'copied']);
    expect(copyIn(promotion, 'sg').problem?.message).toMatch(/^sg: .*not known.*RetCode 8889/);
    expect(copyIn(promotion, 'sg').unclear).toBe(true);
    expect(scenario.cloud.calls(COPY).flatMap(asksFor)).not.toContain(['sg', 'sg']);
    expect(scenario.clock.elapsed).toBeLessThan(10 * 60_000);
  });

  it('of a batch that was made in part: only what did not turn up is sent again', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(COPY, (_execute, { copy }) => {
      if (copy) void scenario.cloud.copyCustomImage({ ...copy, TargetRegionList: ['sg'] });
      throw broken(COPY, 'lost');
    });
    await allMade(scenario);
    const calls = scenario.cloud.calls(COPY).filter(({ at }) => at > LISTING_WINDOW);
    expect(calls.flatMap(asksFor)).toEqual(['hk', 'us-ca']);
  });

  it('is not one of a batch that names a region twice, once without an id', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, (execute) => ({
      Infos: [{ TargetRegion: 'hk' }, ...(execute() as { Infos: object[] }).Infos],
    }));
    await allMade(scenario);
    expect(scenario.warnings).toEqual([]);
    expect(scenario.clock.elapsed).toBeLessThan(LISTING_WINDOW);
  });

  it('of a batch, when one region has no entry or an empty id: for that region alone', async () => {
    for (const entry of [[], [{ TargetRegion: 'sg' }]]) {
      for (const made of [true, false]) {
        const scenario = new Scenario({ regions: ['hk', 'sg'] });
        scenario.cloud.copySeconds = { hk: 500 };
        scenario.cloud.fault(COPY, (_execute, { copy }) => {
          if (made && copy) void scenario.cloud.copyCustomImage({ ...copy, TargetRegionList: ['sg'] });
          const { TargetRegionList: _, ...single } = copy ?? {
            Region: '',
            SourceImageId: '',
            TargetProjectId: '',
          };
          const hk = scenario.cloud.copyCustomImage({ ...single, TargetRegion: 'hk' });
          return hk.then(({ TargetImageId = '' }) => ({
            Infos: [...entry, { TargetRegion: 'hk', TargetImageId }],
          }));
        });
        await allMade(scenario);
        const again = scenario.cloud.calls(COPY).filter(({ at }) => at > 1_000);
        expect(again.map(({ copy }) => copy?.TargetRegion)).toEqual(made ? [] : ['sg']);
        expect(scenario.warnings[0]).toMatch(/\bsg\b/);
        expect(scenario.warnings[0]).not.toMatch(/\bhk\b/);
      }
    }
  });

  it('of one target, an answer without an id: with its request id', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, () => ({ requestId: 'request-77' }));
    await allMade(scenario);
    expect(scenario.warnings[0]).toContain('request-77');
    expect(scenario.cloud.calls(COPY)).toHaveLength(2);
  });

  it('of one target, answered as a batch: the id is taken from there', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (execute) => {
      const { TargetImageId, TaskId } = execute() as { TargetImageId: string; TaskId: string };
      return { Infos: [{ TargetRegion: 'hk', TargetImageId, TaskId }] };
    });
    const promotion = await allMade(scenario);
    expect(copyIn(promotion, 'hk').taskId).toMatch(/^task-hk/);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('again and again is given up after some rounds, long before a timeout of days', async () => {
    const scenario = new Scenario({ timeout: 5 * 86_400_000 });
    scenario.cloud.fault(COPY, fails(31_337), { times: Number.POSITIVE_INFINITY });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(told(promotion)[0]).toContain('31337');
    expect(scenario.cloud.calls(COPY).length).toBeGreaterThan(1);
    expect(scenario.cloud.calls(COPY).length).toBeLessThan(10);
    expect(scenario.clock.elapsed).toBeLessThan(3_600_000);
    expect(scenario.cloud.calls('DescribeImage').length).toBeLessThan(200);
  });

  it('near the end of the timeout: nothing is sent again, and the target stays unclear', async () => {
    const scenario = new Scenario({ timeout: 60_000 });
    scenario.cloud.fault(COPY, fails(110));
    const promotion = await scenario.promote();
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'failed', unclear: true, imageId: null });
    expect(told(promotion).join()).toContain('RetCode 110');
    expect(scenario.clock.elapsed).toBeLessThan(65_000);
  });

  it('and a region that cannot be read: it is not taken for empty', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, doneBut(110));
    // The first listing is the check's.
    scenario.cloud.fault('DescribeImage', fails(150), { region: 'hk', skip: 1, times: 20 });
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('and a region that cannot be read for long: nothing is sent, and it is not asked in a frenzy', async () => {
    const scenario = new Scenario({ timeout: 1_800_000 });
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.cloud.fault('DescribeImage', fails(150), {
      region: 'hk',
      skip: 1,
      times: Number.POSITIVE_INFINITY,
    });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(copyIn(promotion, 'hk').unclear).toBe(true);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    expect(scenario.cloud.calls('DescribeImage').length).toBeLessThan(400);
  });

  it('then a refusal for good: looked after once more, and not sent again', async () => {
    const scenario = new Scenario();
    scenario.cloud.listingSeconds = { hk: 170 };
    scenario.cloud.copySeconds = { hk: 200 };
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.cloud.fault(COPY, fails(8095));
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(2);
    const refused = new Scenario();
    refused.cloud.fault(COPY, fails(110));
    refused.cloud.fault(COPY, fails(8095));
    const promotion = await refused.promote();
    expect(told(promotion)[0]).toContain('RetCode 8095');
    expect(refused.cloud.calls(COPY)).toHaveLength(2);
  });

  it('and a copy that ends Unavailable beside a good one: the good one is taken', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (execute) => {
      const bad = { ...SOURCE, ImageId: 'uimage-bad', ImageDescription: markedBy(RUN), CreateTime: 5 };
      scenario.cloud.add({ ...bad, State: 'Unavailable' }, { region: 'hk', projectId: PROD });
      execute();
      throw broken(COPY, 'lost');
    });
    expect(copyIn(await scenario.promote(), 'hk').imageId).toMatch(/^uimage-new-hk/);
  });

  it('on a site that keeps no descriptions: a new image of our name is taken, and that is told', async () => {
    const scenario = new Scenario();
    scenario.cloud.describe = () => undefined;
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
    scenario.cloud.fault(COPY, doneBut(110));
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    const copy = copyIn(promotion, 'hk');
    expect(copy.imageId).toMatch(/^uimage-new-hk/);
    // Who made it is not sure: no rollback may delete it, not even after a kill.
    expect(scenario.of('ids').some(({ copies }) => copies[0]?.created)).toBe(false);
    expect(scenario.warnings.some((text) => text.includes(copy.imageId ?? ''))).toBe(true);
  });

  it('on a site that cuts descriptions: of several new images, the one with most of ours, if it is alike', async () => {
    const appear = async (...images: Partial<Image>[]) => {
      const scenario = new Scenario();
      scenario.cloud.fault(COPY, () => {
        images.forEach((some, index) => {
          const image = { ...SOURCE, ImageId: `uimage-${index}`, CreateTime: index, ...some };
          scenario.cloud.add(image, { region: 'hk', projectId: PROD });
        });
        throw broken(COPY, 'lost');
      });
      return copyIn(await scenario.promote(), 'hk').imageId;
    };
    const [whole, cut, none] = ['nginx and friends', 'nginx', ''].map((ImageDescription) => ({
      ImageDescription,
    }));
    expect(await appear({ ...none }, { ...whole }, { ...cut })).toBe('uimage-1');
    expect(await appear({ ...cut, OsName: 'Debian 12' }, { ...cut }, { ...none })).toBe('uimage-1');
    expect(await appear({ ...cut, OsName: 'Debian 12' }, { ...none })).toBe('uimage-0');
  });

  it('on such a site: of several new images of our name, one that is like the source', async () => {
    const scenario = new Scenario();
    scenario.cloud.describe = () => undefined;
    scenario.cloud.fault(COPY, (execute) => {
      const other = {
        ...SOURCE,
        ImageId: 'uimage-other',
        ImageDescription: '',
        OsName: 'Debian 12',
        CreateTime: 5,
      };
      scenario.cloud.add(other, { region: 'hk', projectId: PROD });
      execute();
      throw broken(COPY, 'lost');
    });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(copyIn(promotion, 'hk').imageId).toMatch(/^uimage-new-hk/);
  });

  it.each([
    ['that somebody described', { ImageDescription: 'mine' }],
    ['that is Unavailable', { ImageDescription: '', State: 'Unavailable' }],
  ])('and a new image of our name %s: not taken', async (_, some) => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.add(
        { ...SOURCE, ImageId: 'uimage-foreign', ...some },
        { region: 'hk', projectId: PROD },
      );
      throw broken(COPY, 'lost');
    });
    expect(copyIn(await scenario.promote(), 'hk').imageId).toMatch(/^uimage-new-hk/);
    expect(scenario.cloud.ids('hk')).toContain('uimage-foreign');
  });

  it('and a new image of our name that carries the mark of another: not taken', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.addCopy('hk', {
        ImageId: 'uimage-foreign',
        ImageDescription: markedBy('other-run', 'uimage-other'),
      });
      throw broken(COPY, 'lost');
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').imageId).toMatch(/^uimage-new-hk/);
    expect(scenario.cloud.calls(COPY)).toHaveLength(2);
  });

  it('and a marked image beside an older namesake: the marked one is taken', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (execute) => {
      const namesake = { ...SOURCE, ImageId: 'uimage-namesake', CreateTime: 5 };
      scenario.cloud.add(namesake, { region: 'hk', projectId: PROD });
      execute();
      throw broken(COPY, 'lost');
    });
    const copy = copyIn(await scenario.promote(), 'hk');
    expect(copy).toMatchObject({ created: true });
    expect(copy.imageId).toMatch(/^uimage-new-hk/);
  });

  it.each([
    ['another region', ['hk', 'sg'], onlyIn(['sg'])],
    ['the region of the source', ['hk', HERE], onlyIn([HERE])],
  ])(
    'on a site that has kept the mark in %s: a namesake without one is not taken',
    async (_, regions, make) => {
      const scenario = new Scenario({ regions });
      scenario.cloud.fault(COPY, async (_execute, { copy }) => {
        scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
        const { Infos } = await make(scenario, copy);
        if (regions.includes('sg')) throw broken(COPY, 'lost');
        return { TargetImageId: Infos?.[0]?.TargetImageId };
      });
      const promotion = await scenario.promote();
      expect(promotion.status).toBe('available');
      expect(copyIn(promotion, 'hk').imageId).toMatch(/^uimage-new-hk/);
    },
  );

  it('at the end of a short timeout: a namesake without a mark is not taken, since ours may still be listed', async () => {
    const scenario = new Scenario({ timeout: 40_000 });
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
      throw broken(COPY, 'lost');
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: null, unclear: true });
  });

  it('and then a refusal for good: a namesake without a mark is not taken', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(153));
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
      throw refused(COPY, 8095);
    });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(copyIn(promotion, 'hk').imageId).toBeNull();
  });

  it('was a refusal: an image of our name without the mark is somebody else’s', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (_execute, sent, signal) => {
      scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
      return fails(153)(() => undefined, sent, signal);
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').imageId).toMatch(/^uimage-new-hk/);
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
    scenario.cloud.fault(COPY, (_execute, { copy }) => {
      if (!copy) throw new Error('no copy');
      return scenario.cloud.copyCustomImage({ ...copy, TargetRegionList: ['hk', 'sg', 'us-ca'] });
    });
    await allMade(scenario);
    expect(scenario.cloud.calls('TerminateCustomImage')).toMatchObject([
      { region: 'us-ca', projectId: PROD },
    ]);
    expect(scenario.warnings.some((text) => text.includes('uimage-new-us-ca'))).toBe(true);
  });

  it('whose stray is not listed yet: it can be nobody else’s, and is deleted', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.batch = false;
    scenario.cloud.listingSeconds = { [HERE]: 90 };
    await allMade(scenario);
  });

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

  it('is believed of the region of the source', async () => {
    const scenario = unknownProject({ regions: [HERE], target: { projectId: BUILD } });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(copyIn(promotion, HERE)).toMatchObject({
      outcome: 'source',
      imageId: SOURCE.ImageId,
      created: false,
    });
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
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
