import { describe, expect, it } from 'vitest';
import { LISTING_WINDOW } from '../../src/promotion/look.ts';
import {
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
  RUN,
  refused,
  Scenario,
  SOURCE,
} from './scenario.ts';

const COPY = 'CopyCustomImage';

/** The first copy is made behind a refusal and listed late, so that a second one is made before it is seen. */
function doubled(some: ConstructorParameters<typeof Scenario>[0] = {}): Scenario {
  const scenario = new Scenario(some);
  scenario.cloud.listingSeconds = { hk: 30 };
  scenario.cloud.copySeconds = { hk: 20 };
  scenario.cloud.fault(COPY, doneBut(153));
  return scenario;
}

describe('a second copy that turns up late', () => {
  it('is deleted when this run made it, and told; the one that is kept is the one in the result', async () => {
    const scenario = doubled();
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(scenario.cloud.calls(COPY)).toHaveLength(2);
    const { imageId } = copyIn(promotion, 'hk');
    expect(scenario.cloud.ids('hk')).toEqual([imageId]);
    const [deleted] = scenario.cloud.calls('TerminateCustomImage');
    expect(deleted).toMatchObject({ region: 'hk', projectId: PROD });
    expect(scenario.warnings.some((text) => text.includes(deleted?.imageIds[0] ?? '-'))).toBe(true);
  });

  it('is looked for only when it would surely have been listed', async () => {
    const scenario = doubled();
    await scenario.promote();
    expect(scenario.clock.elapsed).toBeGreaterThanOrEqual(LISTING_WINDOW);
    expect(scenario.clock.elapsed).toBeLessThan(LISTING_WINDOW + 30_000);
  });

  it('is looked for in every region only when the last one that was sent again would have been listed', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.batch = false;
    scenario.cloud.copySeconds = { hk: 5, sg: 5 };
    scenario.cloud.fault(COPY, fails(8962));
    scenario.cloud.fault(COPY, fails(153), { region: 'hk' });
    scenario.cloud.fault(COPY, fails(153), { region: 'sg', times: 6 });
    await scenario.promote();
    const sent = scenario.cloud.calls(COPY).at(-2);
    expect(sent?.targets).toEqual(['sg']);
    expect(sent?.at).toBeGreaterThan(20_000);
    const [last] = scenario.cloud.calls('DescribeImage').slice(-1);
    expect(last?.imageIds).toEqual([]);
    expect(last?.at).toBeGreaterThan((sent?.at ?? 0) + LISTING_WINDOW - 1_000);
  });

  it('makes the step wait longer than the copy takes, which is told', async () => {
    const scenario = doubled({ wait: false });
    await scenario.promote();
    const [told] = scenario.notices.filter((text) => text.includes('last look'));
    expect(told).toMatch(/\bhk\b.* 1[12]\d s /);
    const slow = doubled();
    slow.cloud.copySeconds = { hk: 300 };
    await slow.promote();
    expect(slow.notices.filter((text) => text.includes('last look'))).toEqual([]);
  });

  it('is taken when it is the source and the first one is not', async () => {
    const scenario = doubled();
    scenario.cloud.fault(COPY, (execute) => {
      scenario.cloud.differing = { OsName: 'Debian 12' };
      return execute();
    });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(copyIn(promotion, 'hk').imageId).toBe('uimage-new-hk-1');
    expect(scenario.cloud.ids('hk')).toEqual(['uimage-new-hk-1']);
  });

  it('is taken when it is there and the first one is not listed, which is told', async () => {
    const scenario = doubled({ wait: false });
    scenario.cloud.fault(COPY, (execute) => {
      scenario.cloud.listingSeconds = { hk: 9_999 };
      return execute();
    });
    scenario.cloud.fault('TerminateCustomImage', () => false);
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: 'uimage-new-hk-1', state: 'Available' });
    expect(scenario.cloud.calls('TerminateCustomImage').flatMap(({ imageIds }) => imageIds)).toEqual([
      'uimage-new-hk-2',
    ]);
    expect(scenario.warnings.join()).toContain('uimage-new-hk-2 in hk as a second copy: it is not listed');
  });

  it('is taken when the first one has become Unavailable after it was Available', async () => {
    const scenario = doubled();
    scenario.clock.after(60_000, () => {
      const stored = scenario.cloud.stored.find(({ image }) => image.ImageId === 'uimage-new-hk-2');
      if (stored) stored.finalState = 'Unavailable';
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: 'uimage-new-hk-1', state: 'Available' });
    expect(scenario.cloud.ids('hk')).toEqual(['uimage-new-hk-1']);
  });

  it('is kept while the first one is not listed, and told', async () => {
    const scenario = doubled({ wait: false });
    scenario.cloud.copySeconds = { hk: 9_999 };
    scenario.cloud.fault(COPY, (execute) => {
      scenario.cloud.listingSeconds = { hk: 9_999 };
      return execute();
    });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').imageId).toBe('uimage-new-hk-2');
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    expect(scenario.warnings.join()).toContain('second copy, uimage-new-hk-1, Copying. It was kept');
  });

  it('is kept when the first one is not its source, and told', async () => {
    const scenario = doubled();
    scenario.cloud.differing = { OsName: 'Debian 12' };
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').problem?.message).toContain('OsName');
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    expect(scenario.cloud.ids('hk')).toHaveLength(2);
  });

  it('in the region of the source is deleted once, and the first one is kept', async () => {
    const scenario = new Scenario({ regions: [HERE, 'hk', 'sg'] });
    const { cloud } = scenario;
    const atHome = onlyIn(cloud, HERE);
    // One is made behind a refusal, one is answered for, and the last batch may have made a third.
    cloud.listingSeconds = { [HERE]: 20 };
    cloud.fault(COPY, async (execute, sent) => {
      await atHome(execute, sent);
      throw refused(COPY, 153);
    });
    cloud.fault(COPY, (execute) => execute(), { region: HERE });
    cloud.fault(COPY, atHome, { region: HERE });
    cloud.fault(COPY, fails(110), { region: 'sg' });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(cloud.ids(HERE)).toEqual([copyIn(promotion, HERE).imageId]);
    expect(cloud.calls('TerminateCustomImage')).toHaveLength(1);
  });

  it('in the region of the source may be the one that was asked for there: it is kept', async () => {
    const scenario = new Scenario({ regions: [HERE, 'hk', 'sg'] });
    const { cloud } = scenario;
    cloud.fault(COPY, onlyIn(cloud, HERE), { region: HERE });
    cloud.fault(COPY, fails(110), { region: 'sg' });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(cloud.ids(HERE)).toEqual([copyIn(promotion, HERE).imageId]);
    expect(cloud.calls('TerminateCustomImage')).toEqual([]);
  });

  it('is looked for at the end of a short timeout, and not after it', async () => {
    const scenario = doubled({ timeout: 70_000 });
    const promotion = await scenario.promote();
    expect(scenario.cloud.ids('hk')).toEqual([copyIn(promotion, 'hk').imageId]);
    expect(scenario.clock.elapsed).toBeLessThan(75_000);
  });

  it('is looked for and deleted behind a throttle for as long as the timeout allows', async () => {
    const scenario = doubled();
    await scenario.promote();
    const last = scenario.cloud.sent.slice(-2);
    expect(last.map(({ action }) => action)).toEqual(['DescribeImage', 'TerminateCustomImage']);
    for (const { at, patience } of last) expect(patience).toBe(scenario.order.timeout - at);
    const short = doubled({ timeout: 70_000 });
    await short.promote();
    for (const { patience } of short.cloud.sent.slice(-2)) expect(patience).toBe(30_000);
  });

  it('is looked for without waiting for the copies, too', async () => {
    const scenario = doubled({ wait: false });
    const promotion = await scenario.promote();
    expect(scenario.cloud.ids('hk')).toEqual([copyIn(promotion, 'hk').imageId]);
  });

  it('is kept when the first one failed, and told', async () => {
    const scenario = doubled();
    scenario.cloud.finalState = { hk: 'Unavailable' };
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    const others = scenario.cloud.ids('hk').filter((id) => id !== copyIn(promotion, 'hk').imageId);
    expect(others).toHaveLength(1);
    expect(scenario.warnings.some((text) => text.includes(others[0] ?? '-'))).toBe(true);
  });

  it('is taken when it is there and the first one is not, at the end of the timeout', async () => {
    const scenario = doubled({ timeout: 100_000 });
    scenario.cloud.copySeconds = { hk: 20 };
    // The one that is waited for takes longer than the timeout.
    scenario.cloud.fault(
      COPY,
      (execute) => {
        scenario.cloud.copySeconds = { hk: 9_999 };
        return execute();
      },
      { skip: 0 },
    );
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(scenario.cloud.ids('hk')).toEqual([copyIn(promotion, 'hk').imageId]);
  });

  it('is left alone when it carries no mark, and told', async () => {
    const scenario = doubled();
    scenario.cloud.describe = () => undefined;
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
    const others = scenario.cloud.ids('hk').filter((id) => id !== copyIn(promotion, 'hk').imageId);
    expect(others).toHaveLength(1);
    expect(scenario.warnings.some((text) => text.includes(others[0] ?? '-'))).toBe(true);
  });

  it('of another run, of an older one of ours, or of another name is none of this run’s business', async () => {
    const scenario = doubled();
    scenario.cloud.addCopy('hk', { ImageId: 'uimage-old', State: 'Unavailable' });
    scenario.cloud.fault(
      COPY,
      (execute) => {
        scenario.cloud.addCopy('hk', {
          ImageId: 'uimage-other-run',
          ImageDescription: markedBy('other-run'),
        });
        const namedElse = { ...SOURCE, ImageId: 'uimage-named-else', ImageName: 'db' };
        scenario.cloud.add(namedElse, { region: 'hk', projectId: PROD });
        return execute();
      },
      { skip: 0 },
    );
    await scenario.promote();
    expect(scenario.cloud.ids('hk')).toEqual(
      expect.arrayContaining(['uimage-old', 'uimage-other-run', 'uimage-named-else']),
    );
    expect(scenario.warnings.join()).not.toMatch(/uimage-old|uimage-other-run|uimage-named-else/);
  });

  it('that cannot be deleted is named, with what to do', async () => {
    const scenario = doubled();
    scenario.cloud.fault('TerminateCustomImage', fails(299));
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    const others = scenario.cloud.ids('hk').filter((id) => id !== copyIn(promotion, 'hk').imageId);
    expect(scenario.warnings.some((text) => text.includes(others[0] ?? '-') && text.includes('299'))).toBe(
      true,
    );
  });

  it('where none was known gives its id to the target: no id is lost', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.cloud.fault(COPY, fails(8095));
    // Only the last look, which is a patient one, finds it.
    const blind = (execute: () => unknown, { patience }: { patience: number | undefined }) =>
      patience ? execute() : [];
    scenario.cloud.fault('DescribeImage', blind, { region: 'hk', skip: 1, times: 999 });
    const promotion = await scenario.promote();
    expect(scenario.cloud.ids('hk')).toEqual([copyIn(promotion, 'hk').imageId]);
    expect(copyIn(promotion, 'hk').created).toBe(true);
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
  });

  it('where none was known is waited for, though only the last look has found it', async () => {
    const play = async (unseen: number) => {
      const scenario = new Scenario();
      scenario.cloud.copySeconds = { hk: 900 };
      scenario.cloud.fault(COPY, doneBut(110));
      scenario.cloud.fault(COPY, fails(8095));
      scenario.cloud.fault('DescribeImage', () => [], { region: 'hk', skip: 1, times: unseen });
      const promotion = await scenario.promote();
      const listings = scenario.cloud.calls('DescribeImage').filter(({ region }) => region === 'hk');
      return { promotion, looks: listings.filter(({ imageIds }) => imageIds.length === 0).length - 1 };
    };
    const { promotion, looks } = await play(999);
    expect(copyIn(promotion, 'hk').imageId).toBeNull();
    const found = await play(looks - 1);
    expect(found.promotion.status).toBe('available');
    expect(copyIn(found.promotion, 'hk').imageId).toBe('uimage-new-hk-1');
  });

  it('in a region that cannot be read just then changes nothing', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, fails(153));
    scenario.cloud.copySeconds = { hk: 10 };
    scenario.clock.after(60_000, () =>
      scenario.cloud.fault('DescribeImage', fails(150), { region: 'hk', times: 99 }),
    );
    expect((await scenario.promote()).status).toBe('available');
  });
});

it('a copy that was found broken fails the step, without a wait too', async () => {
  const scenario = new Scenario({ wait: false });
  scenario.cloud.copySeconds = { hk: 0 };
  scenario.cloud.finalState = { hk: 'Unavailable' };
  scenario.cloud.fault(COPY, doneBut(110));
  const promotion = await scenario.promote();
  expect(promotion.status).toBe('failed');
  expect(copyIn(promotion, 'hk')).toMatchObject({ state: 'Unavailable', imageId: 'uimage-new-hk-1' });
});

it('of two copies the good one is taken, without a wait too, and the broken one is deleted', async () => {
  const scenario = new Scenario({ wait: false });
  scenario.cloud.fault(COPY, () => {
    const place = { region: 'hk', projectId: PROD };
    const first = ours('uimage-a', { CreateTime: 1, State: 'Copying' });
    scenario.cloud.add(first, { ...place, settles: 50, finalState: 'Unavailable' });
    scenario.cloud.add(ours('uimage-b', { CreateTime: 2 }), place);
    throw refused(COPY, 110, HERE);
  });
  const promotion = await scenario.promote();
  expect(promotion.status).toBe('available');
  expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: 'uimage-b', state: 'Available' });
  expect(scenario.cloud.ids('hk')).toEqual(['uimage-b']);
  expect(scenario.warnings.join('\n')).toContain('uimage-a in hk as a second copy: it was deleted');
});

it('nothing is looked for, and no time lost, when every answer was clear', async () => {
  const scenario = new Scenario({ regions: ['hk', 'sg'] });
  scenario.cloud.copySeconds = { hk: 10, sg: 10 };
  await scenario.promote();
  expect(scenario.clock.elapsed).toBeLessThan(20_000);
  const later = scenario.cloud
    .calls('DescribeImage')
    .filter(({ at, imageIds }) => at > 0 && imageIds.length === 0);
  expect(later).toEqual([]);
});

describe('an image in the region of the source', () => {
  /** The site has ignored the list: one copy is in the region of the source. */
  const homeward = (act: () => unknown) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.add(ours('uimage-home'), { region: HERE, projectId: PROD });
      return act();
    });
    return scenario;
  };
  const lost = () => {
    throw refused(COPY, 110, HERE);
  };

  it.each([
    ['lost', lost],
    ['without anything', () => ({})],
  ])('that a batch may have made is deleted: its answer was %s', async (_, act) => {
    const scenario = homeward(act);
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.cloud.ids(HERE)).toEqual([]);
    expect(scenario.warnings.join('\n')).toContain(
      'uimage-home in cn-bj2 without being asked to: it was deleted',
    );
    // After a first doubt, no batch again.
    expect(copies(scenario)).toEqual([['hk', 'sg'], 'hk', 'sg']);
  });

  it('is not looked for when no batch can have made it', async () => {
    const final = homeward(() => {
      throw refused(COPY, 8095, HERE);
    });
    await final.promote();
    expect(listings(final, HERE)).toEqual([]);
    const partly = new Scenario({ regions: ['hk', 'sg'] });
    partly.cloud.fault(COPY, (execute) => ({ Infos: (execute() as { Infos: object[] }).Infos.slice(1) }));
    await partly.promote();
    expect(listings(partly, 'hk').length).toBeGreaterThan(2);
    expect(listings(partly, HERE)).toEqual([]);
    const ignored = new Scenario({ regions: ['hk', 'sg'] });
    ignored.cloud.batch = false;
    ignored.cloud.fault(COPY, fails(153), { region: 'hk' });
    await ignored.promote();
    expect(listings(ignored, 'hk').length).toBeGreaterThan(1);
    expect(listings(ignored, HERE)).toEqual([]);
  });

  it('that this run did not make is no stray', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.add(
        { ...SOURCE, ImageId: 'uimage-mine', ImageDescription: markedBy('other-run') },
        { projectId: PROD },
      );
      throw broken(COPY, 'lost');
    });
    await scenario.promote();
    expect(scenario.cloud.ids(HERE)).toEqual(['uimage-mine']);
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
  });
});

it('a cancel while looking for doubles leaves the copies as they are', async () => {
  const scenario = doubled();
  scenario.cancelAt(100_000);
  const promotion = await scenario.promote();
  expect(copyIn(promotion, 'hk')).toMatchObject({ state: 'Available', outcome: 'copied' });
  expect(promotion.problems.map(({ message }) => message)).toEqual([
    'Cancelled. No copy is under way any more.',
  ]);
  expect(scenario.clock.elapsed).toBe(100_000);
});

it('a cancel while a stray is deleted tells that it is still there', async () => {
  const scenario = new Scenario({ regions: ['hk', 'sg'] });
  scenario.cloud.batch = false;
  scenario.cloud.fault('TerminateCustomImage', async (_execute, _sent, signal) => {
    await scenario.clock.sleep(60_000, signal);
  });
  scenario.cancelAt(10_000);
  await scenario.promote();
  const [stray] = scenario.cloud.ids(HERE);
  expect(scenario.warnings.some((text) => text.includes(stray ?? '-'))).toBe(true);
  expect(scenario.clock.elapsed).toBeLessThan(15_000);
});

it('every copy of a run carries its mark, by which all this works', async () => {
  const scenario = doubled();
  await scenario.promote();
  for (const { copy } of scenario.cloud.calls(COPY)) expect(copy?.TargetImageDescription).toContain(RUN);
});
