import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { CloudError, judgeStatus } from '../../src/cloud/errors.ts';
import { WINDOW } from '../../src/promotion/place.ts';
import { promote } from '../../src/promotion/promote.ts';
import {
  allMade,
  BUILD,
  broken,
  copies,
  copyIn,
  doneBut,
  type FakeCloud,
  fails,
  HERE,
  listings,
  markedBy,
  onlyIn,
  ours,
  PROD,
  polls,
  refused,
  Scenario,
  SOURCE,
  told,
} from './scenario.ts';

const COPY = 'CopyCustomImage';
const LIST = 'DescribeImage';
const DELETE = 'TerminateCustomImage';
const outcomes = (promotion: Awaited<ReturnType<typeof promote>>) =>
  promotion.copies.map(({ outcome }) => outcome);
const deleted = ({ cloud }: Scenario) => cloud.calls(DELETE).flatMap(({ imageIds }) => imageIds);

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

describe('two runs at the same moment', () => {
  /** The other one begins a little later, but before the first copy is listed. */
  const play = async (scenario: Scenario, lateBy = 0) => {
    const { clock, cloud } = scenario;
    if (lateBy > 0) cloud.listingSeconds = { hk: 5, sg: 5, 'us-ca': 5 };
    const rival = scenario.rival('77-1-other0');
    const later = clock.sleep(lateBy).then(() => promote(rival.context));
    const both = await clock.run(Promise.all([promote(scenario.context), later]));
    for (const { region } of both[0].copies) {
      expect(cloud.ids(region)).toEqual([copyIn(both[0], region).imageId]);
      expect(copyIn(both[1], region).imageId).toBe(copyIn(both[0], region).imageId);
    }
    expect(both.map(({ status }) => status)).toEqual(['available', 'available']);
    const warnings = [...scenario.warnings, ...rival.warnings];
    expect(warnings).toHaveLength(deleted(scenario).length);
    for (const warning of warnings)
      expect(warning).toMatch(
        /^\S+: another run copied there.* reuses its image uimage-\S+, .* its own uimage-/,
      );
    return both;
  };

  it.each([
    ['of the same pace', {}, 0],
    ['of which one begins a second later', {}, 1_000],
    ['in one region slower than in another', { hk: 20, sg: 300, 'us-ca': 60 }, 30],
  ])('%s: one image a region and one id, each deletes only what it made itself', async (_, pace, lateBy) => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.copySeconds = pace;
    const [first, second] = await play(scenario, lateBy);
    expect(scenario.cloud.calls(COPY)).toHaveLength(2);
    for (const region of ['hk', 'sg', 'us-ca'])
      expect([copyIn(first, region).created, copyIn(second, region).created].sort()).toEqual([false, true]);
  });

  it('of which the older copy takes longer: the other run waits for it', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, (execute) => {
      scenario.cloud.copySeconds = { hk: 200 };
      const answer = execute();
      scenario.cloud.copySeconds = { hk: 20 };
      return answer;
    });
    const [first] = await play(scenario, 2_000);
    expect(copyIn(first, 'hk').created).toBe(true);
  });

  it('of which the older copy ends Unavailable: the other run keeps its own', async () => {
    const scenario = new Scenario();
    scenario.cloud.finalState = { hk: 'Unavailable' };
    scenario.cloud.listingSeconds = { hk: 5 };
    const rival = scenario.rival('77-1-other0');
    const { clock } = scenario;
    clock.after(1_500, () => {
      scenario.cloud.finalState = {};
      scenario.cloud.copySeconds = { hk: 20 };
    });
    const later = clock.sleep(2_000).then(() => promote(rival.context));
    const [, second] = await clock.run(Promise.all([promote(scenario.context), later]));
    expect(copyIn(second, 'hk')).toMatchObject({ created: true, state: 'Available', problem: null });
    expect(scenario.cloud.ids('hk')).toContain(copyIn(second, 'hk').imageId);
  });
});

describe('one region does not stop the others', () => {
  it('that cannot be listed in the check', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(LIST, fails(230), { region: 'sg', times: 99 });
    const promotion = await scenario.promote();
    expect([promotion.status, promotion.ended, outcomes(promotion)]).toEqual([
      'partial',
      'complete',
      ['copied', 'failed', 'copied'],
    ]);
    expect(told(promotion)).toEqual([expect.stringMatching(/^sg.*230/)]);
    expect(copies(scenario)).toEqual([['hk', 'us-ca']]);
  });

  it.each([8095, 230, 240, 299, 8300, 8970])(
    'for which the API refuses the whole list (%i)',
    async (code) => {
      const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca', 'jpn-tky'] });
      scenario.cloud.fault(COPY, fails(code), { region: 'sg', times: 9 });
      const promotion = await scenario.promote();
      expect(outcomes(promotion)).toEqual(['copied', 'failed', 'copied', 'copied']);
      expect(told(promotion)).toEqual([expect.stringMatching(new RegExp(`^sg.*RetCode ${code}`))]);
      expect(copies(scenario).slice(1).flat().sort()).toEqual(['hk', 'jpn-tky', 'sg', 'us-ca']);
      expect(scenario.cloud.ids()).toHaveLength(3);
    },
  );

  it('whose copy ends Unavailable, differs, or may no longer be read', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.finalState = { hk: 'Unavailable' };
    scenario.cloud.fault(LIST, fails(299), { region: 'sg', skip: 2, times: 99 });
    const promotion = await scenario.promote();
    expect(outcomes(promotion)).toEqual(['failed', 'failed', 'copied']);
    for (const { region, imageId } of promotion.copies.slice(0, 2))
      expect(told(promotion).join()).toMatch(new RegExp(`${region}.*${imageId}`));
  });
});

describe('a refused list that was executed in part', () => {
  const inPart = async (code: number) => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    const { cloud } = scenario;
    cloud.fault(COPY, (execute, sent) => {
      onlyIn(cloud, 'hk', 'sg')(execute, sent);
      throw refused(COPY, code, HERE);
    });
    return { scenario, promotion: await scenario.promote() };
  };

  it.each([8095, 8962, 153, 8961, 110])(
    '(%i): what it made is taken, and only the rest is sent',
    async (code) => {
      const { scenario, promotion } = await inPart(code);
      expect(promotion.copies.map(({ imageId }) => imageId?.slice(0, 14))).toEqual([
        'uimage-new-hk-',
        'uimage-new-sg-',
        'uimage-new-us-',
      ]);
      expect([copies(scenario).slice(1), scenario.cloud.ids().length]).toEqual([['us-ca'], 3]);
    },
  );

  it('for the account (520): what it made is taken, the rest fails', async () => {
    const { scenario, promotion } = await inPart(520);
    expect(outcomes(promotion)).toEqual(['copied', 'copied', 'failed']);
    expect([copies(scenario).length, told(promotion).length]).toEqual([1, 1]);
  });
});

describe('one odd answer decides nothing', () => {
  const html = (call: string) => () => {
    throw broken(call, 'unreadable');
  };

  it.each([
    ['a code that nobody knows', fails(99_999), fails(99_999)],
    ['a page', html(LIST), html(DELETE)],
    ['a parameter that is called wrong', fails(230), fails(230)],
  ])('(%s): while a copy is watched, looked for, or deleted', async (_, read, remove) => {
    const watched = new Scenario({ regions: ['hk', 'sg'] });
    watched.cloud.fault(LIST, read, { region: 'hk', skip: 2, times: 3 });
    await allMade(watched);
    const lookedFor = new Scenario();
    lookedFor.cloud.fault(COPY, doneBut(110));
    lookedFor.cloud.fault(LIST, read, { region: 'hk', skip: 1, times: 5 });
    await allMade(lookedFor);
    const stray = new Scenario({ regions: ['hk', 'sg'] });
    stray.cloud.fault(COPY, onlyIn(stray.cloud, 'hk', 'sg', 'us-ca'));
    stray.cloud.fault(DELETE, remove, { times: 3 });
    await allMade(stray);
  });
});

describe('a lost answer', () => {
  it.each([[['hk']], [['hk', 'sg', 'us-ca']]])(
    'to %j that is found costs no window, and leaves no warning',
    async (regions) => {
      const scenario = new Scenario({ regions });
      scenario.cloud.copySeconds = { hk: 20, sg: 20, 'us-ca': 20 };
      scenario.cloud.fault(COPY, doneBut(110));
      await allMade(scenario);
      expect([scenario.cloud.calls(COPY).length, scenario.warnings]).toEqual([1, []]);
      expect(scenario.clock.elapsed).toBeLessThan(35_000);
    },
  );

  it('of a copy that was not made is sent again, but not before the window is over', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, fails(110));
    await allMade(scenario);
    expect(copies(scenario)).toEqual([['hk', 'sg'], 'hk', 'sg']);
    expect(scenario.cloud.calls(COPY)[1]?.at).toBeGreaterThanOrEqual(WINDOW);
    // The first may be listed later than anybody waits for.
    expect(scenario.warnings).toEqual([expect.stringMatching(/more than once for hk, sg/)]);
  });

  it('of a list is sent again only for what did not turn up', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(COPY, (execute, sent) => {
      onlyIn(scenario.cloud, 'sg')(execute, sent);
      throw broken(COPY, 'lost');
    });
    await allMade(scenario);
    expect(copies(scenario).slice(1).sort()).toEqual(['hk', 'us-ca']);
  });

  it('beside a stranger’s new image of the name: that is not handed out, not deleted, and named', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.add(
        { ...SOURCE, ImageId: 'uimage-theirs', ImageDescription: '' },
        { region: 'hk', projectId: PROD },
      );
      throw refused(COPY, 110);
    });
    const promotion = await scenario.promote();
    expect(told(promotion)).toEqual([expect.stringMatching(/hk.*uimage-theirs/)]);
    expect([copyIn(promotion, 'hk').imageId, copies(scenario).length, deleted(scenario)]).toEqual([
      null,
      1,
      [],
    ]);
  });

  it('in a region that cannot be read is not taken for empty: nothing is sent or denied', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.cloud.fault(LIST, fails(150), { region: 'hk', skip: 1, times: 9_999 });
    const promotion = await scenario.promote();
    expect([outcomes(promotion), copies(scenario)]).toEqual([['failed', 'copied'], [['hk', 'sg']]]);
    expect(copyIn(promotion, 'hk')).toMatchObject({ unclear: true, pending: true });
    expect(told(promotion).join()).toMatch(/hk.*150.*110/);
    expect(told(promotion).join()).not.toContain('not copied');
  });
});

describe('an API endpoint that ignores the list', () => {
  const ignoring = (regions: string[], ...act: Parameters<FakeCloud['fault']>[1][]) => {
    const scenario = new Scenario({ regions });
    scenario.cloud.batch = false;
    if (act[0]) scenario.cloud.fault(COPY, act[0]);
    return scenario;
  };

  it.each([
    ['names the image that it made', 0, undefined],
    // The image is known by its mark alone, which may be a copied one.
    ['loses the answer', WINDOW, doneBut(110)],
    ['answers with nothing', WINDOW, (execute: () => unknown) => Boolean(execute()) && {}],
  ])('and %s: that is deleted and told, and each region is copied to once', async (_, window, act) => {
    const scenario = ignoring(['hk', 'sg'], ...(act ? [act] : []));
    await allMade(scenario);
    expect(copies(scenario)).toEqual([['hk', 'sg'], 'hk', 'sg']);
    const again = scenario.cloud.calls(COPY)[1]?.at ?? 0;
    expect([again >= window, again < window + 5_000]).toEqual([true, true]);
    expect(deleted(scenario)).toEqual(['uimage-new-cn-bj2-1']);
    expect(scenario.warnings).toEqual([expect.stringContaining('uimage-new-cn-bj2-1')]);
  });

  it('in a region that is a target: its image is kept', async () => {
    const scenario = ignoring(['hk', HERE, 'sg']);
    await allMade(scenario);
    expect([copies(scenario).slice(1), deleted(scenario)]).toEqual([['hk', 'sg'], []]);
    // Its image is where a list would have made one: that the list was ignored is not certain.
    expect(scenario.warnings).toEqual([expect.stringMatching(/more than once for hk, sg/)]);
  });

  it('and lists its image only after the window: found when it is there at last, or told', async () => {
    const scenario = ignoring(['hk', 'sg']);
    scenario.cloud.listingSeconds = { [HERE]: 300 };
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.cloud.calls(COPY)[1]?.at).toBeGreaterThanOrEqual(WINDOW);
    expect(scenario.warnings.join()).toContain('uimage-new-cn-bj2-1');
  });

  it('and its image cannot be deleted: asked once, and told once', async () => {
    const scenario = ignoring(['hk', 'sg']);
    scenario.cloud.fault(DELETE, fails(295), { times: 99 });
    expect((await scenario.promote()).status).toBe('available');
    expect([deleted(scenario).length, scenario.warnings.length]).toEqual([1, 1]);
  });

  it.each([[['hk', 'sg']], [['hk', HERE]]])(
    'or one that makes all of %j and names but one: none is made twice',
    async (regions) => {
      const scenario = new Scenario({ regions });
      scenario.cloud.fault(COPY, (execute) => ({
        TargetImageId: (execute() as { Infos: { TargetImageId: string }[] }).Infos[0]?.TargetImageId,
      }));
      await allMade(scenario);
      expect([copies(scenario).length, deleted(scenario), scenario.warnings]).toEqual([1, [], []]);
    },
  );
});

describe('a second copy of this run', () => {
  /** A refusal that lies: the first copy is listed late, so that a second one is made before it is seen. */
  const doubled = (some: ConstructorParameters<typeof Scenario>[0] = {}) => {
    const scenario = new Scenario(some);
    scenario.cloud.listingSeconds = { hk: 30 };
    scenario.cloud.copySeconds = { hk: 20 };
    scenario.cloud.fault(COPY, doneBut(153));
    return scenario;
  };

  it.each([{}, { wait: false }, { timeout: 70_000 }])(
    'is deleted and told, the older one handed out (%j)',
    async (some) => {
      const scenario = doubled(some);
      const promotion = await scenario.promote();
      expect(scenario.cloud.ids('hk')).toEqual([copyIn(promotion, 'hk').imageId]);
      expect([deleted(scenario), scenario.warnings.length]).toEqual([['uimage-new-hk-2'], 1]);
      expect(scenario.clock.elapsed).toBeLessThan((some.timeout ?? WINDOW) + 10_000);
    },
  );

  it('is looked for once it would surely have been listed, and handed out when the first is broken', async () => {
    const scenario = doubled();
    scenario.cloud.fault(COPY, (execute) => {
      scenario.cloud.finalState = { hk: 'Unavailable' };
      return execute();
    });
    const promotion = await allMade(scenario);
    expect(copyIn(promotion, 'hk').imageId).toBe('uimage-new-hk-1');
    expect(listings(scenario, 'hk').at(-1)).toBeGreaterThanOrEqual(120);
  });

  it('that is listed minutes late, when another run’s was taken instead, is deleted if the step lasts', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.listingSeconds = { hk: 300 };
    scenario.cloud.copySeconds = { hk: 20, sg: 900 };
    const twin = { ImageId: 'uimage-twin', CreateTime: 1 };
    scenario.clock.after(5_000, () => scenario.cloud.addCopy('hk', twin));
    expect(copyIn(await allMade(scenario), 'hk').imageId).toBe('uimage-twin');
    expect(deleted(scenario)).toEqual(['uimage-new-hk-1']);
  });

  it('that is found while the one handed out has vanished: that is read again, and the step goes on', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.listingSeconds = { hk: 300 };
    scenario.cloud.copySeconds = { hk: 20, sg: 900 };
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.clock.after(100_000, () => {
      scenario.cloud.listingSeconds = {};
    });
    scenario.clock.after(400_000, () => scenario.cloud.remove('uimage-new-hk-3'));
    const promotion = await allMade(scenario);
    expect(copyIn(promotion, 'hk').imageId).toBe('uimage-new-hk-1');
  });

  it('that cannot be deleted is named', async () => {
    const scenario = doubled();
    scenario.cloud.fault(DELETE, fails(299));
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.warnings).toEqual([expect.stringMatching(/uimage-new-hk-2.*299/)]);
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

describe('a copy that is not seen', () => {
  it('by the timeout is called not listed, not copying: where to look, and what a re-run does', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.listingSeconds = { hk: 9_999 };
    const copy = copyIn(await scenario.promote(), 'hk');
    expect(copy).toMatchObject({ listed: false, pending: true, state: null, imageId: 'uimage-new-hk-1' });
    expect(copy.problem?.message).toBe('hk: uimage-new-hk-1 was not listed within the timeout of 5m.');
    expect(copy.problem?.advice).toMatch(
      /project org-prod.*If it exists, a re-run reuses it.*If not.*task-hk-1/,
    );
  });

  it('any more is told as last listed, not as copying', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.copySeconds = { hk: 9_999 };
    scenario.clock.after(250_000, () => scenario.cloud.remove('uimage-new-hk-1'));
    const copy = copyIn(await scenario.promote(), 'hk');
    expect(copy).toMatchObject({ listed: false, pending: true, state: 'Copying' });
    expect(copy.problem?.message).toMatch(/^hk: uimage-new-hk-1 was last listed [45]\ds before the end, and/);
    expect(copy.problem?.advice).toMatch(/project org-prod.*somebody deleted it/);
  });

  it('after a first one that is in doubt: both are to be looked for', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.listingSeconds = { hk: 9_999 };
    scenario.cloud.fault(COPY, doneBut(110));
    const { problem } = copyIn(await scenario.promote(), 'hk');
    expect(problem?.message).toMatch(/uimage-new-hk-2 was not listed .*another copy/);
    expect(problem?.advice).toMatch(/every image named web-1\.4\.2, and delete all but one/);
  });

  it('since the API throttles every poll names the throttle', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.fault(LIST, fails(153), { region: 'hk', skip: 1, times: 9_999 });
    expect(told(await scenario.promote())).toEqual([
      expect.stringMatching(/hk.*uimage-new-hk-1.*state was not known.*could not be read.*153/),
    ]);
  });
});

describe('a mark that the API endpoint drops', () => {
  it.each([true, false])('is told once, with what a re-run would do (wait: %s)', async (wait) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], wait });
    scenario.cloud.describe = () => undefined;
    expect((await scenario.promote()).status).toBe(wait ? 'available' : 'copying');
    expect(scenario.warnings).toEqual([expect.stringMatching(/re-run.*copy again/)]);
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
    const second = signed({ run: '77-2-second' });
    for (const { image } of first.cloud.stored.slice(1))
      second.cloud.add(image, { region: 'hk', projectId: PROD });
    const promotion = await second.promote();
    expect(told(promotion)).toEqual([expect.stringMatching(/hk.*uimage-new-hk-1.*mark-secret/)]);
    expect(copies(second)).toEqual([]);
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

describe('an answer that names the wrong image', () => {
  const wrong = (some: Partial<Image>) => ({ ...SOURCE, ImageId: 'uimage-wrong', ...some });
  const OTHERS = { ImageDescription: markedBy('77-1-other0', 'uimage-of-another') };
  const answersWrong = (scenario: Scenario, some: Partial<Image>, executed: boolean) =>
    scenario.cloud.fault(COPY, (execute) => {
      if (executed) execute();
      scenario.cloud.add(wrong(some), { region: 'hk', projectId: PROD });
      return { TargetImageId: 'uimage-wrong' };
    });

  it.each([
    ['with the marker of another run', OTHERS],
    ['of another name, without a marker', { ImageName: 'db-9', ImageDescription: '' }],
  ])('%s: the copy is handed out, and the other image left alone', async (_, some) => {
    const scenario = new Scenario();
    answersWrong(scenario, some, true);
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: 'uimage-new-hk-1', outcome: 'copied' });
    expect(promotion.status).toBe('available');
    expect(scenario.cloud.ids('hk')).toEqual(['uimage-new-hk-1', 'uimage-wrong']);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it.each([
    ['marker', OTHERS, /the API answered with uimage-wrong, which carries the marker of another run/],
    ['name', { ImageName: 'db-9', ImageDescription: '' }, /is named db-9 and carries no marker/],
  ])('and made none: the target fails, the id is told and not handed out (%s)', async (_, some, words) => {
    const scenario = new Scenario();
    answersWrong(scenario, some, false);
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: null, outcome: 'failed', others: [] });
    expect(told(promotion).join()).toMatch(words);
    expect([scenario.cloud.ids('hk'), scenario.cloud.calls(COPY).length]).toEqual([['uimage-wrong'], 1]);
  });

  it('twice: what it made in both regions is handed out, and nothing deleted', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, (execute) => {
      const { Infos } = execute() as { Infos: { TargetRegion: string; TargetImageId: string }[] };
      return { Infos: Infos.map((info) => ({ ...info, TargetImageId: Infos[0]?.TargetImageId })) };
    });
    await allMade(scenario);
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
  });
});

describe('a copy that something before the API refuses', () => {
  const forbids = (executed: boolean) => (execute: () => unknown) => {
    if (executed) execute();
    const fields = { call: COPY, kind: 'http', status: 403, region: HERE } as const;
    throw new CloudError({ ...fields, ...judgeStatus(COPY, 403) });
  };

  it('and made all the same is found', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, forbids(true));
    await allMade(scenario);
  });

  it('is not sent again, and called not copied when no list has shown it for two minutes', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, forbids(false));
    const promotion = await scenario.promote();
    expect(told(promotion).join()).toMatch(
      /^hk: not copied: no copy appeared within 120 s\. .*HTTP 403.* refuses CopyCustomImage alone/,
    );
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    expect(promotion.seconds).toBeGreaterThanOrEqual(120);
  });
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
