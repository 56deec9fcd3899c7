import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { WINDOW } from '../../src/promotion/place.ts';
import { broken, COPY, DELETE, fails, HERE, LIST, markedBy, PROD, type Sent } from './fake-cloud.ts';
import {
  allMade,
  asksFor,
  copies,
  copyIn,
  listings,
  onlyIn,
  ours,
  polls,
  Scenario,
  told,
} from './scenario.ts';

const seconds = (calls: Sent[]) => calls.map(({ at }) => at / 1000);

/** As many targets as asked for, each of which the API knows. */
function many(count: number, some: ConstructorParameters<typeof Scenario>[0] = {}): Scenario {
  const regions = Array.from({ length: count }, (_, index) => `r-${index}`);
  const scenario = new Scenario({ regions, ...some });
  scenario.cloud.regions.push(...regions.map((Region) => ({ Region })));
  return scenario;
}

describe('what is sent', () => {
  it('is one list, of those that need a copy', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', HERE, 'us-ca'] });
    scenario.cloud.addCopy('sg');
    expect((await scenario.promote()).status).toBe('available');
    expect(copies(scenario)).toEqual([['hk', HERE, 'us-ca']]);
  });

  it('is one list again after a refusal that passes, once all are looked behind', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(COPY, fails(8980));
    const slow = async (execute: () => unknown) => {
      await scenario.clock.sleep(25_000);
      return execute();
    };
    // The last look before it, of one region, takes longer than the pause.
    scenario.cloud.fault(LIST, slow, { region: 'sg', skip: 5 });
    await allMade(scenario);
    expect(copies(scenario).map((list) => list?.length)).toEqual([3, 3]);
    expect(seconds(scenario.cloud.calls(COPY))[1]).toBeGreaterThan(31);
  });

  it('goes one by one once a list was not clear, eight at once', async () => {
    const scenario = many(20);
    scenario.cloud.fault(COPY, fails(8962));
    const { clock } = scenario;
    const answers = async (execute: () => unknown) => {
      await clock.sleep(10_000);
      return execute();
    };
    scenario.cloud.fault(COPY, answers, { times: 99 });
    await allMade(scenario);
    const [, ...singles] = scenario.cloud.calls(COPY);
    expect(singles.flatMap(asksFor).sort()).toEqual([...scenario.order.target.regions].sort());
    const at = seconds(singles).map((second) => Math.floor(second / 10) * 10);
    expect([10, 20, 30].map((second) => at.filter((sent) => sent === second).length)).toEqual([8, 8, 4]);
  });

  it('is known as soon as its answer is there, while others are awaited', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, fails(8962));
    const slow = async (execute: () => unknown) => {
      await scenario.clock.sleep(50_000);
      return execute();
    };
    scenario.cloud.fault(COPY, slow, { region: 'sg' });
    await allMade(scenario);
    const known = scenario
      .of('ids')
      .map((event) => event.copies.map(({ imageId }) => imageId !== null).join());
    expect(known).toContain('true,false');
  });
});

describe('what is read', () => {
  it('is one image by its id, in the target project, all regions side by side, until each has settled', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], pollInterval: 10_000 });
    scenario.cloud.copySeconds = { hk: 15, sg: 35 };
    scenario.cloud.fault(LIST, fails(230), { region: 'hk', skip: 3 });
    const { copies } = await allMade(scenario);
    for (const { region, imageId } of copies)
      for (const poll of polls(scenario, region))
        expect(poll).toMatchObject({ imageIds: [imageId], projectId: PROD });
    expect(seconds(polls(scenario, 'hk'))).toEqual([10.1, 20.2]);
    expect(seconds(polls(scenario, 'sg'))).toEqual([10.1, 20.2, 30.3, 40.4]);
    // The check, the last look, which is repeated, and one more when all else is done.
    expect(listings(scenario, 'hk')).toEqual([0, 20.3, 21.4, 40.6]);
  });

  it.each<[string, boolean, object]>([
    ['was deleted while another was waited for', false, { region: 'nowhere' }],
    ['broke while another was waited for', false, { finalState: 'Unavailable' }],
    ['was deleted right before its last look', true, { region: 'nowhere' }],
  ])('is its own copy again when all else is done: one that %s has failed', async (_, atTheLook, change) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], pollInterval: 15_000 });
    const { cloud, clock } = scenario;
    cloud.copySeconds = { hk: 10, sg: atTheLook ? 10 : 60 };
    const happens = () => Object.assign(cloud.stored.find(({ region }) => region === 'hk') ?? {}, change);
    if (!atTheLook) clock.after(40_000, happens);
    else
      cloud.fault(
        LIST,
        (execute) => {
          happens();
          return execute();
        },
        { region: 'hk', skip: 2 },
      );
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('partial');
    expect(told(promotion)).toEqual([expect.stringMatching(/^hk: .*(Unavailable|somebody deleted it)/)]);
  });

  it('is never read twice at once for a place, however slow the answers', async () => {
    const scenario = new Scenario({ pollInterval: 1_000 });
    scenario.clock.after(50, () => {
      scenario.cloud.latency = 7_000;
    });
    await scenario.promote();
    const reads = scenario.cloud.calls(LIST).filter(({ region, at }) => region === 'hk' && at > 0);
    const gaps = reads.slice(1).map(({ at }, index) => at - (reads[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBe(7_000);
  });

  it('is looked at once more where another image was waited for at the end, however short the wait', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    const { cloud, clock } = scenario;
    cloud.addCopy('us-ca');
    cloud.copySeconds = { hk: 80 };
    // Older than the own one, which had its last look.
    clock.after(65_000, () => {
      const late = { ImageId: 'uimage-late-sg', State: 'Copying' };
      cloud.addCopy('sg', late, { settles: 60, finalState: 'Available' });
    });
    clock.after(100_000, () => {
      for (const id of [...cloud.ids('hk'), ...cloud.ids('us-ca')]) cloud.remove(id);
    });
    const gone = ['hk', 'us-ca'].map((region) => expect.stringMatching(`^${region}: .*somebody deleted it`));
    expect(told(await scenario.promote())).toEqual(gone);
  });

  it('is listed once more where the end itself took long: what was in doubt may be listed by then', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    const { cloud, clock } = scenario;
    cloud.listingSeconds = { hk: 300 };
    cloud.fault(COPY, (execute) => {
      execute();
      throw broken(COPY, 'lost');
    });
    clock.after(10_000, () => {
      cloud.listingSeconds = {};
    });
    cloud.addCopy('sg');
    // When all else is done, the adopted image is gone, and another run's is still under way.
    clock.after(150_000, () => {
      cloud.remove('uimage-old-sg');
      cloud.addCopy(
        'sg',
        { ImageId: 'uimage-late-sg', State: 'Copying' },
        { settles: 250, finalState: 'Available' },
      );
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'sg')).toMatchObject({ imageId: 'uimage-late-sg', state: 'Available' });
    expect(scenario.warnings.join()).toMatch(/uimage-new-hk-. in hk as a duplicate/);
  });

  it('is read sooner once another copy has finished', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.copySeconds = { hk: 300, sg: 302 };
    const promotion = await allMade(scenario);
    const [hk = 0, sg = 0] = ['hk', 'sg'].map((region) => copyIn(promotion, region).finishedAt ?? 0);
    expect(sg - hk).toBeLessThan(8_000);
  });

  it.each([
    ['behind a refusal', 8980, { times: 99, timeout: 100_000, until: 100_000 }],
    ['before the window is over', 110, { times: 1, timeout: 200_000, until: WINDOW }],
  ])('has the patience of the timeout, 30 s at least; a look %s has none', async (_, code, some) => {
    const { timeout, times, until } = some;
    const scenario = new Scenario({ timeout, pollInterval: 40_000 });
    scenario.cloud.copySeconds = { hk: 999 };
    scenario.cloud.fault(COPY, fails(code), { times });
    await scenario.promote();
    const reads = scenario.cloud.calls(LIST).filter(({ region, at }) => region === 'hk' && at > 0);
    for (const { at, imageIds, patience } of reads) {
      const isLook = imageIds.length === 0 && at < until;
      expect(patience).toBe(isLook ? 0 : Math.max(30_000, timeout - at));
    }
    expect(reads.length).toBeGreaterThan(5);
  });

  it('is an adopted image once more, by its id, when all else is done', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.addCopy('hk');
    await scenario.promote();
    expect(polls(scenario, 'hk')).toMatchObject([{ imageIds: ['uimage-old-hk'] }]);
    expect(polls(scenario, 'hk')[0]?.at).toBeGreaterThan(60_000);
    expect(scenario.cloud.sent.at(-1)).toMatchObject({ region: 'hk' });
  });

  it('is not told before a copy has settled, and is fine in the end: passing trouble is told once, and its end', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    for (const region of ['hk', 'sg']) scenario.cloud.fault(LIST, fails(150), { region, skip: 1, times: 20 });
    await allMade(scenario);
    const told = scenario.notices.slice(1).map((text) => text.replace(/uimage-\S+| be read:.*/g, ''));
    expect(told.sort()).toEqual(
      ['hk', 'sg'].flatMap((region) => [
        `${region}: the state of  can be read again.`,
        `${region}: the state of  cannot`,
      ]),
    );
  });
});

describe('what is deleted', () => {
  /** The API makes one more than it was asked for. */
  const withStray = () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, onlyIn(scenario.cloud, 'hk', 'sg', 'us-ca'));
    return scenario;
  };
  const stray = 'uimage-new-us-ca-3';

  it('is what this run made without being asked to, in the target project, and told', async () => {
    const scenario = withStray();
    await allMade(scenario);
    expect(scenario.cloud.calls(DELETE)).toMatchObject([
      { region: 'us-ca', projectId: PROD, imageIds: [stray] },
    ]);
    expect(scenario.cloud.calls(DELETE)[0]?.at).toBeLessThan(2_000);
    expect(scenario.warnings).toEqual([expect.stringContaining(stray)]);
  });

  it('is not our own for an older one that lists alone still show', async () => {
    const scenario = new Scenario();
    const theirs = ours('uimage-theirs', { CreateTime: 1, ImageDescription: markedBy('77-1-other0') });
    const listsToo = async (execute: () => unknown, { imageIds }: { imageIds: string[] }) => {
      const images = (await execute()) as Image[];
      return imageIds.length === 0 ? [...images, theirs] : images;
    };
    scenario.cloud.fault(LIST, listsToo, { region: 'hk', skip: 1, times: 99 });
    await allMade(scenario);
    expect(scenario.cloud.calls(DELETE)).toEqual([]);
  });

  it('is not what has no mark of this run, which is told', async () => {
    const scenario = withStray();
    scenario.cloud.fault(LIST, () => [ours(stray, { ImageDescription: markedBy('other') })], {
      region: 'us-ca',
      times: 99,
    });
    await scenario.promote();
    expect(scenario.cloud.calls(DELETE)).toEqual([]);
    expect(scenario.warnings).toEqual([expect.stringContaining(stray)]);
  });

  it.each([
    ['refused', fails(299), /299/],
    ['answered with: no such image', () => false, /may still exist: .*RetCode 8956/],
  ])('and %s: told with its id, and the promotion goes on', async (_, act, words) => {
    const scenario = withStray();
    scenario.cloud.fault(DELETE, act, { times: 99 });
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.warnings).toEqual([expect.stringMatching(words)]);
    expect(scenario.warnings[0]).toContain(stray);
  });

  it('has 30 s of patience at least, and its read, too', async () => {
    const scenario = withStray();
    scenario.cloud.fault(LIST, fails(150), { region: 'us-ca', times: 3 });
    scenario.cloud.fault(DELETE, fails(8022), { times: 3 });
    await allMade(scenario);
    for (const { patience } of scenario.cloud.calls(DELETE)) expect(patience).toBeGreaterThanOrEqual(30_000);
  });
});

describe('a heartbeat', () => {
  it('is a notice where only the last look is left to wait for, once', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.latency = 3_000;
    scenario.cloud.copySeconds = { hk: 5, sg: 40 };
    scenario.cloud.fault(COPY, fails(230));
    scenario.cloud.fault(COPY, fails(153), { region: 'sg' });
    await allMade(scenario);
    expect(scenario.notices.slice(1)).toEqual([
      expect.stringContaining('230'),
      expect.stringContaining('153'),
      expect.stringMatching(/hk, sg, .* last look in 72 s/),
    ]);
    expect(scenario.of('heartbeat')).toEqual([]);
  });

  it('and no notice where nothing is in doubt, or not for long', async () => {
    const scenario = new Scenario({ timeout: 300_000, pollInterval: 70_000 });
    scenario.cloud.copySeconds = { hk: 9_999 };
    await scenario.promote();
    expect(scenario.notices.slice(1)).toEqual([]);
    const brief = new Scenario({ pollInterval: 58_000 });
    brief.cloud.fault(COPY, fails(153));
    await allMade(brief);
    expect(brief.notices.slice(1)).toEqual([expect.stringContaining('153')]);
  });

  it('beats once a minute while nothing changes, with the slowest so far, and ends with the promotion', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'], pollInterval: 10_000 });
    scenario.cloud.copySeconds = { hk: 95, sg: 290, 'us-ca': 150 };
    await scenario.promote();
    const beats = scenario
      .of('heartbeat')
      .map(({ seconds, slowest }) => [seconds, slowest && Math.round(slowest)]);
    // Polls at 10.1, 20.2 … 101 … 151.5: what has changed starts the minute anew.
    expect(beats.map(([at]) => Math.round(at ?? 0))).toEqual([70, 212, 272]);
    expect(beats.map(([, slowest]) => slowest)).toEqual([null, 152, 152]);
    const { length } = scenario.events;
    await scenario.clock.run(scenario.clock.sleep(600_000));
    expect(scenario.events).toHaveLength(length);
  });

  it('beats while an answer is looked for', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(110));
    await scenario.promote();
    expect(scenario.of('heartbeat')[0]?.seconds).toBeCloseTo(60, 0);
  });
});
