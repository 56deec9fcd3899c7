/** Sending copies at the edges: each test is a change of the code that no other test would notice. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { plan } from '../../src/promotion/plan.ts';
import { newSubmission } from '../../src/promotion/submission.ts';
import { submit } from '../../src/promotion/submit.ts';
import {
  BUILD,
  copyIn,
  doneBut,
  fails,
  HERE,
  markedBy,
  PROD,
  RUN,
  refused,
  Scenario,
  SOURCE,
} from './scenario.ts';

const COPY = 'CopyCustomImage';
const LIST = 'DescribeImage';
const image = (ImageId: string, some: Partial<Image> = {}): Image => ({ ...SOURCE, ImageId, ...some });
const ours = (ImageId: string, some: Partial<Image> = {}) =>
  image(ImageId, { ImageDescription: markedBy(RUN), ...some });
const copies = ({ cloud }: Scenario) =>
  cloud.calls(COPY).map(({ copy }) => copy?.TargetRegionList ?? copy?.TargetRegion);
/** Whole listings of one place, in seconds. */
const listings = ({ cloud }: Scenario, region: string, projectId = PROD) =>
  cloud
    .calls(LIST)
    .filter((sent) => sent.region === region && sent.projectId === projectId && sent.imageIds.length === 0)
    .map(({ at }) => at / 1_000);

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
});

describe('8962', () => {
  const unknownProject = (regions: string[], code: number) => {
    const scenario = new Scenario({ regions, target: { projectId: BUILD } });
    scenario.cloud.fault('GetProjectList', fails(299));
    scenario.cloud.fault(COPY, fails(code));
    return scenario;
  };

  it('is believed in the region of the source alone, and no other code is', async () => {
    expect(copyIn(await unknownProject([HERE], 8962).promote(), HERE).outcome).toBe('source');
    expect(copyIn(await unknownProject([HERE], 8095).promote(), HERE).outcome).toBe('failed');
    expect(copyIn(await unknownProject(['hk'], 8962).promote(), 'hk').outcome).toBe('failed');
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

describe('a batch whose answer is unclear', () => {
  /** The site has ignored the list: one copy is in the region of the source. */
  const homeward = (act: () => unknown, regions = ['hk', 'sg']) => {
    const scenario = new Scenario({ regions });
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
    ['a lost one', lost],
    ['one without anything', () => ({})],
  ])('%s may have made a copy at home: it is deleted', async (_, act) => {
    const scenario = homeward(act);
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.cloud.ids(HERE)).toEqual([]);
    expect(scenario.warnings.join('\n')).toContain(
      'uimage-home in cn-bj2 without being asked to: it was deleted',
    );
    // After a first doubt, no batch again.
    expect(copies(scenario)).toEqual([['hk', 'sg'], 'hk', 'sg']);
  });

  it('is not looked for at home when home is a target, or when the answer was no such thing', async () => {
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

  it('ends with the timeout', async () => {
    const scenario = new Scenario({ timeout: 60_000 });
    scenario.cloud.latency = 0;
    scenario.cloud.fault(COPY, fails(110), { times: 9 });
    const copy = copyIn(await scenario.promote(), 'hk');
    expect(scenario.clock.elapsed).toBe(60_000);
    expect(copy.unclear).toBe(true);
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

  it('takes the second copy, without a wait too, when the first is broken', async () => {
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
});

describe('a refusal', () => {
  it('is waited out, but not past the timeout', async () => {
    const scenario = new Scenario({ timeout: 20_000 });
    scenario.cloud.latency = 0;
    scenario.cloud.fault(COPY, fails(8980), { times: 9 });
    await scenario.promote();
    expect(scenario.clock.elapsed).toBe(20_000);
  });
});

describe('out of time', () => {
  it('no further copy is sent', async () => {
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
});

describe('a cancel', () => {
  const cancelledAt = (ms: number, answersAfter: number) => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, async (execute, _, signal) => {
      await scenario.clock.sleep(answersAfter, signal);
      return execute();
    });
    scenario.cancelAt(ms);
    return scenario;
  };

  it('waits three seconds for the answer of a copy', async () => {
    const early = cancelledAt(500, 2_000);
    expect(copyIn(await early.promote(), 'hk')).toMatchObject({ imageId: 'uimage-new-hk-1', unclear: false });
    const late = cancelledAt(500, 9_000);
    expect(copyIn(await late.promote(), 'hk')).toMatchObject({ imageId: null, unclear: true });
    expect(late.clock.elapsed).toBe(3_500);
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

  it('that comes right after a cancel leaves no timer to keep the process waiting', async () => {
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
