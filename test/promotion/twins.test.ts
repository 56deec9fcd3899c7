import { describe, expect, it } from 'vitest';
import { WINDOW } from '../../src/promotion/place.ts';
import { promote } from '../../src/promotion/promote.ts';
import { COPY, DELETE, doneBut, fails, markedBy, PROD, SOURCE } from './fake-cloud.ts';
import { allMade, copyIn, deleted, listings, Scenario } from './scenario.ts';

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

  it('of which the older copy is listed after the other has had its last look: it is found when all is done', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    const { cloud } = scenario;
    cloud.fault(COPY, (execute) => {
      Object.assign(cloud, { copySeconds: { hk: 70, sg: 110 }, listingSeconds: { hk: 40, sg: 5 } });
      const answer = execute();
      Object.assign(cloud, { copySeconds: { hk: 25, sg: 110 }, listingSeconds: {} });
      return answer;
    });
    await play(scenario, 1_000);
  });

  /** Made at the same moment: uimage-1 by this run, which its timeout ends, and uimage-2 by another, in the order of `ages`. */
  const atTheDeadline = (ages: [number, number], [own, other]: [string, string]) => {
    const scenario = new Scenario({ timeout: 60_000 });
    const { cloud } = scenario;
    const image = (ImageId: string, CreateTime: number, run: string) => ({
      ...SOURCE,
      ImageId,
      CreateTime,
      ImageDescription: markedBy(run),
    });
    cloud.fault(COPY, () => {
      const place = { region: 'hk', projectId: PROD };
      cloud.add({ ...image('uimage-1', ages[0], scenario.context.order.run), State: own }, place);
      cloud.add({ ...image('uimage-2', ages[1], '77-1-other0'), State: other }, place);
      return { TargetImageId: 'uimage-1' };
    });
    return scenario;
  };

  it('of which the younger is ready when the timeout of the older ends: that run would delete it, so it is not handed out', async () => {
    const scenario = atTheDeadline([100, 101], ['Copying', 'Available']);
    const promotion = await scenario.promote();
    expect([promotion.status, copyIn(promotion, 'hk').imageId]).toEqual(['failed', 'uimage-1']);
    expect(scenario.warnings).toEqual([]);
  });

  it('of which the older is not ready when the timeout of the younger ends: that one is named', async () => {
    const scenario = atTheDeadline([101, 100], ['Available', 'Copying']);
    const promotion = await scenario.promote();
    expect([promotion.status, copyIn(promotion, 'hk').imageId]).toEqual(['available', 'uimage-1']);
    expect(scenario.warnings).toEqual([
      expect.stringMatching(/^hk: another run is copying there, too: uimage-2/),
    ]);
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

  it('that is not listed by the end, when another run’s was taken instead, is named', async () => {
    const scenario = new Scenario();
    scenario.cloud.listingSeconds = { hk: 300 };
    scenario.clock.after(5_000, () =>
      scenario.cloud.addCopy('hk', { ImageId: 'uimage-twin', CreateTime: 1 }),
    );
    expect(copyIn(await scenario.promote(), 'hk').imageId).toBe('uimage-twin');
    expect(scenario.warnings).toEqual([
      expect.stringMatching(/uimage-new-hk-1 in hk as a duplicate.*not listed/),
    ]);
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

  it.each([
    ['for minutes where nothing else is left', { regions: ['hk'] }, 300, 500],
    ['for minutes where nothing else is waited for', { wait: false }, 300, 500],
    ['as long as the step goes on', {}, 900, 1_200],
    ['until the timeout', { timeout: 700_000 }, 680, 760],
  ])('that is refused to be deleted for now is asked for again, %s', async (_, some, least, most) => {
    const scenario = doubled({ regions: ['hk', 'sg'], ...some });
    scenario.cloud.copySeconds = { hk: 20, sg: 900 };
    scenario.cloud.fault(DELETE, fails(8022), { times: 9_999 });
    const { copies } = await scenario.promote();
    expect(copies[0]?.problem).toBeNull();
    expect(scenario.warnings.join()).toMatch(/uimage-new-hk-2|uimage-new-hk-3/);
    for (const seconds of [
      (scenario.cloud.calls(DELETE).at(-1)?.at ?? 0) / 1000,
      scenario.clock.elapsed / 1000,
    ])
      expect([seconds, seconds > least && seconds < most]).toEqual([seconds, true]);
  });

  it('that cannot be deleted is named', async () => {
    const scenario = doubled();
    scenario.cloud.fault(DELETE, fails(299));
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.warnings).toEqual([expect.stringMatching(/uimage-new-hk-2.*299/)]);
  });
});
