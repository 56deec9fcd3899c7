import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { LISTING_WINDOW } from '../../src/promotion/look.ts';
import {
  allMade,
  asksFor,
  broken,
  copies,
  copyIn,
  doneBut,
  fails,
  HERE,
  listings,
  markedBy,
  onlyIn,
  ours,
  PROD,
  refused,
  Scenario,
  type Sent,
  SOURCE,
  told,
} from './scenario.ts';

const COPY = 'CopyCustomImage';
const LIST = 'DescribeImage';

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
      if (!patience) throw refused(LIST, 153, 'sg');
      return execute();
    };
    scenario.cloud.fault(LIST, once, { region: 'sg', skip: 1, times: 30 });
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)[1]?.at).toBeLessThan(LISTING_WINDOW + 10_000);
  });

  it('while another region waits for its turn: looked for once more before it is sent again', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.listingSeconds = { hk: 125 };
    scenario.cloud.fault(COPY, fails(8962));
    scenario.cloud.fault(COPY, doneBut(110), { region: 'hk' });
    scenario.cloud.fault(COPY, fails(8980), { region: 'sg' });
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY).filter((sent) => asksFor(sent).join() === 'hk')).toHaveLength(1);
  });

  it('while another region is throttled for long: one that is listed late is not sent again', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.listingSeconds = { hk: 150 };
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.clock.after(1_000, () =>
      scenario.cloud.fault(
        LIST,
        (execute) => {
          if (scenario.clock.elapsed < 600_000) throw refused(LIST, 153, 'sg');
          return execute();
        },
        { region: 'sg', times: 9_999 },
      ),
    );
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('on an account that is throttled for long: no region is given up before the timeout', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(110));
    scenario.clock.after(1_000, () =>
      scenario.cloud.fault(
        LIST,
        (execute) => {
          if (scenario.clock.elapsed < 1_800_000) throw refused(LIST, 153, 'hk');
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
    scenario.cloud.fault(LIST, fails(174), { region: 'hk', skip: 1, times: 999 });
    const promotion = await scenario.promote();
    expect(told(promotion).join()).toContain('RetCode 174');
    expect(copyIn(promotion, 'hk').unclear).toBe(true);
    expect(scenario.clock.elapsed).toBeLessThan(LISTING_WINDOW + 10_000);
  });

  it('and a region that cannot be read for good: it fails, and the others are copied to', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(COPY, fails(110));
    scenario.cloud.fault(LIST, fails(8889), { region: 'sg', skip: 1, times: 999 });
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

  it('again and again is given up after some rounds, long before a timeout of days', async () => {
    const scenario = new Scenario({ timeout: 5 * 86_400_000 });
    scenario.cloud.fault(COPY, fails(31_337), { times: Number.POSITIVE_INFINITY });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(told(promotion)[0]).toContain('31337');
    expect(scenario.cloud.calls(COPY).length).toBeGreaterThan(1);
    expect(scenario.cloud.calls(COPY).length).toBeLessThan(10);
    expect(scenario.clock.elapsed).toBeLessThan(3_600_000);
    expect(scenario.cloud.calls(LIST).length).toBeLessThan(200);
  });

  it('and a region that cannot be read: it is not taken for empty', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, doneBut(110));
    // The first listing is the check's.
    scenario.cloud.fault(LIST, fails(150), { region: 'hk', skip: 1, times: 20 });
    await allMade(scenario);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('and a region that cannot be read for long: nothing is sent, and it is not asked in a frenzy', async () => {
    const scenario = new Scenario({ timeout: 1_800_000 });
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.cloud.fault(LIST, fails(150), {
      region: 'hk',
      skip: 1,
      times: Number.POSITIVE_INFINITY,
    });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(copyIn(promotion, 'hk').unclear).toBe(true);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    expect(scenario.cloud.calls(LIST).length).toBeLessThan(400);
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
});

describe('the look for a copy', () => {
  it('ends when the window does, in ever longer steps', async () => {
    const scenario = new Scenario();
    scenario.cloud.latency = 0;
    scenario.cloud.fault(COPY, fails(110));
    await scenario.promote();
    const [, ...looks] = listings(scenario, 'hk');
    expect(looks.slice(0, 4)).toEqual([1, 2.5, 4.75, 8.125]);
    expect(scenario.cloud.calls(COPY).map(({ at }) => at)).toEqual([0, 120_000]);
    for (const [index, at] of looks.entries()) expect(at - (looks[index - 1] ?? at)).toBeLessThanOrEqual(121);
    expect(Math.max(...looks.filter((at) => at <= 120))).toBe(120);
  });

  it('ends with the timeout: nothing is sent again, and the target stays unclear', async () => {
    const scenario = new Scenario({ timeout: 60_000 });
    scenario.cloud.latency = 0;
    scenario.cloud.fault(COPY, fails(110), { times: 9 });
    const promotion = await scenario.promote();
    expect(scenario.clock.elapsed).toBe(60_000);
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'failed', unclear: true, imageId: null });
    expect(told(promotion).join()).toContain('RetCode 110');
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it('leaves nothing unclear when it was long enough', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(99_999), { times: 9 });
    expect(copyIn(await scenario.promote(), 'hk')).toMatchObject({ outcome: 'failed', unclear: false });
  });

  it('goes on, one place or the other, until each could be read', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, (execute, sent) => {
      execute();
      scenario.cloud.remove('uimage-new-hk-1');
      throw refused(COPY, 110, sent.region);
    });
    scenario.cloud.fault(
      LIST,
      (execute, { at }) => {
        if (at > 0 && at < 200_000) throw refused(LIST, 150);
        return execute();
      },
      { region: 'sg', times: 999 },
    );
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(copies(scenario)).toEqual([['hk', 'sg'], 'hk']);
    expect(copyIn(promotion, 'sg').imageId).toBe('uimage-new-sg-2');
  });

  it('takes the oldest of its own, and deletes the others', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, () => {
      const place = { region: 'hk', projectId: PROD };
      scenario.cloud.add(ours('uimage-b', { CreateTime: 2 }), place);
      scenario.cloud.add(ours('uimage-a', { CreateTime: 1 }), place);
      throw refused(COPY, 110, HERE);
    });
    expect(copyIn(await scenario.promote(), 'hk').imageId).toBe('uimage-a');
    expect(scenario.cloud.ids('hk')).toEqual(['uimage-a']);
  });

  it('takes a good copy beside one that is Unavailable', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (execute) => {
      const bad = ours('uimage-bad', { CreateTime: 5, State: 'Unavailable' });
      scenario.cloud.add(bad, { region: 'hk', projectId: PROD });
      execute();
      throw broken(COPY, 'lost');
    });
    expect(copyIn(await scenario.promote(), 'hk').imageId).toMatch(/^uimage-new-hk/);
    const known = scenario.of('ids').map(({ copies }) => copies[0]?.imageId);
    expect(known).not.toContain('uimage-bad');
  });
});

describe('a new image of our name without our mark', () => {
  it('is taken on a site that keeps no descriptions, and that is told', async () => {
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

  it('is taken on a site that cuts descriptions: of several, the one with most of ours, if it is alike', async () => {
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

  it('is taken on a site that keeps no descriptions: of several, one that is like the source', async () => {
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
    ['somebody has described it', { ImageDescription: 'mine' }],
    ['it is Unavailable', { ImageDescription: '', State: 'Unavailable' }],
  ])('is not taken when %s', async (_, some) => {
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

  it('is not taken when it carries the mark of another', async () => {
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

  it('is not taken when one with our mark is there, be that the younger one', async () => {
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
    ['another region', ['hk', 'sg'], 'sg'],
    ['the region of the source', ['hk', HERE], HERE],
  ])('is not taken on a site that has kept the mark in %s', async (_, regions, made) => {
    const scenario = new Scenario({ regions });
    scenario.cloud.fault(COPY, async (execute, sent) => {
      scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
      const { Infos } = await onlyIn(scenario.cloud, made)(execute, sent);
      if (regions.includes('sg')) throw broken(COPY, 'lost');
      return { TargetImageId: Infos?.[0]?.TargetImageId };
    });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(copyIn(promotion, 'hk').imageId).toMatch(/^uimage-new-hk/);
  });

  it('is not taken at the end of a short timeout, since ours may still be listed', async () => {
    const scenario = new Scenario({ timeout: 40_000 });
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
      throw broken(COPY, 'lost');
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: null, unclear: true });
  });

  it('is not taken after a refusal for good', async () => {
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

  it('is not taken after a refusal that passes: it is somebody else’s', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (_execute, sent, signal) => {
      scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
      return fails(153)(() => undefined, sent, signal);
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').imageId).toMatch(/^uimage-new-hk/);
  });
});
