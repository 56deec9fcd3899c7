/** What a promotion does at the edges: each test is a change of the code that no other test would notice. */
import { describe, expect, it } from 'vitest';
import type { Image, ImageQuery } from '../../src/cloud/cloud.ts';
import { CloudError } from '../../src/cloud/errors.ts';
import { check } from '../../src/promotion/check.ts';
import { bounded, Stopped } from '../../src/promotion/context.ts';
import { byAge } from '../../src/promotion/images.ts';
import type { Copy } from '../../src/promotion/model.ts';
import { nearest } from '../../src/promotion/near.ts';
import { pollDelay, share } from '../../src/promotion/pace.ts';
import { rollback, type Traces } from '../../src/promotion/rollback.ts';
import { isOpen } from '../../src/promotion/wait.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { BUILD, copyIn, fails, HERE, PROD, RUN, Scenario, SOURCE, told } from './scenario.ts';

const image = (ImageId: string, some: Partial<Image> = {}): Image => ({ ...SOURCE, ImageId, ...some });
const polls = ({ cloud }: Scenario, region: string) =>
  cloud.calls('DescribeImage').filter((sent) => sent.region === region && sent.imageIds.length > 0);

describe('the check', () => {
  it.each([
    [{}, { ImageIds: ['uimage-source'] }],
    [{ source: { name: 'web-*' } }, { ImageType: 'Custom' }],
  ])('asks for the source by %j with %j', async (some, expected) => {
    const scenario = new Scenario(some);
    const queries: ImageQuery[] = [];
    const { context } = scenario;
    const describeImages = context.cloud.describeImages.bind(context.cloud);
    context.cloud.describeImages = (query, options) => {
      queries.push(query);
      return describeImages(query, options);
    };
    await scenario.clock.run(check(context));
    expect(queries.filter(({ Region }) => Region === HERE)).toEqual([{ Region: HERE, ...expected }]);
    const theirs = { Region: 'hk', ProjectId: PROD, ImageType: 'Custom' };
    expect(queries.filter(({ Region }) => Region === 'hk')).toEqual([theirs]);
  });

  it('says once that the source is nowhere, whatever its listing answers', async () => {
    const scenario = new Scenario({ source: { region: 'cn-bj3' } });
    scenario.cloud.fault('DescribeImage', fails(230), { region: 'cn-bj3' });
    expect((await scenario.promote()).problems).toHaveLength(1);
  });

  it.each([
    [294, 1],
    [295, 1],
    [170, 1],
    [299, 2],
    [174, 1],
  ])('tells RetCode %i of two listings %i times', async (code, times) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault('DescribeImage', fails(code), { region: 'hk' });
    scenario.cloud.fault('DescribeImage', fails(code), { region: 'sg' });
    expect((await scenario.promote()).problems).toHaveLength(times);
  });

  it.each([
    ['connection', 1],
    ['lost', 1],
  ] as const)('tells a line that is down (%s) once', async (kind, times) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    for (const [index, region] of ['hk', 'sg'].entries())
      scenario.cloud.fault(
        'DescribeImage',
        () => {
          throw new CloudError({
            call: 'DescribeImage',
            ...(kind === 'connection' ? { region } : {}),
            kind,
            verdict: 'retry',
            meaning: 'the line is down',
            advice: `Advice ${index}.`,
          });
        },
        { region },
      );
    const { problems } = await scenario.promote();
    expect(problems).toHaveLength(times);
    expect(problems[0]?.advice).toBe('Advice 0.');
  });

  it.each([
    ['a*', 'a', true],
    ['*a?', 'xaab', true],
    ['*ab', 'aab', true],
    ['a*b*c', 'axbxbxc', true],
    ['a*b', 'a', false],
    ['a?', 'a', false],
    ['a', 'aa', false],
    ['*b', 'ba', false],
    [`${'*-'.repeat(12)}prod`, '-'.repeat(63), false],
  ])('holds the pattern %s against %s', async (name, ImageName, fits) => {
    const scenario = new Scenario({ dryRun: true, source: { name } });
    scenario.cloud.fault('DescribeImage', () => [image('uimage-1', { ImageName })]);
    expect((await scenario.promote()).source?.ImageId).toBe(fits ? 'uimage-1' : undefined);
  });

  it('takes no other image for the source, should a site hand out more than was asked for', async () => {
    const scenario = new Scenario({ dryRun: true });
    scenario.cloud.fault('DescribeImage', () => [image('uimage-other'), SOURCE], { region: HERE });
    expect((await scenario.promote()).source?.ImageId).toBe(SOURCE.ImageId);
  });

  it('prefers, by name, one in the making to a newer broken one, and a custom one to any other', async () => {
    const scenario = new Scenario({ source: { name: 'fresh' } });
    const named = (id: string, some: Partial<Image>) => image(id, { ImageName: 'fresh', ...some });
    scenario.cloud.add(named('uimage-1', { CreateTime: 1, State: 'Making' }), {
      settles: 20,
      finalState: 'Available',
    });
    scenario.cloud.add(named('uimage-2', { CreateTime: 2, State: 'Unavailable' }));
    scenario.cloud.fault('DescribeImage', (execute) => [
      ...(execute() as Image[]),
      named('uimage-3', { CreateTime: 3, ImageType: 'Base' }),
    ]);
    expect((await scenario.promote()).source?.ImageId).toBe('uimage-1');
  });

  it('finds by name an image that tells no type, and one whose name holds any letter', async () => {
    const scenario = new Scenario({ dryRun: true, source: { name: 'a?b**' } });
    const { ImageType: _, ...typeless } = image('uimage-1', { ImageName: 'a😀b' });
    scenario.cloud.fault('DescribeImage', () => [typeless]);
    expect((await scenario.promote()).source?.ImageId).toBe('uimage-1');
  });

  it('takes, of one second, the last id for the newest', () => {
    const [a, b] = [image('a'), image('b')];
    expect([byAge(a, b), byAge(b, a)]).toEqual([-1, 1]);
    expect(byAge(image('a', { CreateTime: 9 }), image('b', { CreateTime: 4 }))).toBe(5);
  });
});

describe('a target that is the source', () => {
  it('has settled when it begins', async () => {
    const scenario = new Scenario({ regions: [HERE], target: { projectId: BUILD } });
    const { startedAt, finishedAt } = copyIn(await scenario.promote(), HERE);
    expect(startedAt).toEqual(expect.any(Number));
    expect(finishedAt).toBe(startedAt);
  });

  it('is not waited for when only the copy tells', async () => {
    const scenario = new Scenario({ regions: [HERE], target: { projectId: BUILD } });
    scenario.cloud.fault('GetProjectList', fails(299));
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(copyIn(promotion, HERE)).toMatchObject({ outcome: 'source', imageId: SOURCE.ImageId });
    // The check alone.
    expect(polls(scenario, HERE)).toHaveLength(1);
  });
});

it('an adopted copy has the state of its own, not of another that is there', async () => {
  const scenario = new Scenario();
  scenario.cloud.addCopy('hk', { ImageId: 'uimage-2', CreateTime: 2, State: 'Copying' });
  scenario.cloud.addCopy('hk', { ImageId: 'uimage-1', CreateTime: 1 });
  const copy = copyIn(await scenario.promote(), 'hk');
  expect(copy).toMatchObject({ imageId: 'uimage-1', state: 'Available', outcome: 'adopted' });
  expect(polls(scenario, 'hk')).toEqual([]);
});

describe('the wait', () => {
  it.each<[Partial<Copy>, boolean]>([
    [{}, true],
    [{ imageId: null }, false],
    [{ problem: { message: 'm', advice: 'a' } }, false],
    [{ outcome: 'source' }, false],
    [{ finishedAt: 1 }, false],
  ])('is open for a copy with %j: %s', (some, open) => {
    const copy = { imageId: 'uimage-1', problem: null, outcome: 'copied', finishedAt: null, ...some };
    expect(isOpen(copy as Copy)).toBe(open);
  });

  it('leaves no heartbeat behind', async () => {
    const scenario = new Scenario();
    await scenario.promote();
    const told = scenario.events.length;
    await scenario.clock.run(scenario.clock.sleep(600_000));
    expect(scenario.events).toHaveLength(told);
  });

  it('polls at the interval that was ordered, however many regions there are', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'], pollInterval: 30_000, timeout: 90_000 });
    scenario.cloud.latency = 0;
    scenario.cloud.copySeconds = { hk: 999, sg: 999, 'us-ca': 999 };
    await scenario.promote();
    for (const region of ['hk', 'sg', 'us-ca'])
      expect(polls(scenario, region).map(({ at }) => at)).toEqual([30_000, 60_000, 90_000]);
  });

  it('polls each of many open copies more rarely, but counts none that has settled', async () => {
    const second = async (regions: string[], adopted: string[] = []) => {
      const scenario = new Scenario({ regions, timeout: 60_000 });
      for (const region of adopted) scenario.cloud.addCopy(region);
      scenario.cloud.copySeconds = Object.fromEntries(regions.map((region) => [region, 999]));
      await scenario.promote();
      return polls(scenario, 'hk').length;
    };
    const others = ['sg', 'us-ca', 'jpn-tky'];
    const alone = await second(['hk']);
    expect(await second(['hk', ...others], others)).toBe(alone);
    expect(await second(['hk', ...others])).toBeLessThan(alone);
  });

  it('looks at the others at once more often when the first has settled', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.copySeconds = { hk: 300, sg: 302 };
    const promotion = await scenario.promote();
    const [first = 0, second = 0] = ['hk', 'sg'].map((region) => copyIn(promotion, region).finishedAt ?? 0);
    const next = polls(scenario, 'sg').find(({ at }) => at > first - scenario.clock.start)?.at ?? 0;
    expect(next - (first - scenario.clock.start)).toBeLessThan(7_500);
    expect(second - first).toBeLessThan(7_500);
  });

  it('takes a copy for gone after three answers without it, and says nothing before', async () => {
    const scenario = new Scenario({ pollInterval: 130_000 });
    scenario.cloud.latency = 0;
    scenario.cloud.copySeconds = { hk: 9_999 };
    scenario.clock.after(200_000, () => scenario.cloud.remove('uimage-new-hk-1'));
    const promotion = await scenario.promote();
    expect(polls(scenario, 'hk').map(({ at }) => at)).toEqual([130, 260, 390, 520].map((s) => s * 1_000));
    expect(copyIn(promotion, 'hk').problem?.message).toContain('somebody deleted it');
    expect(scenario.warnings).toEqual([]);
  });

  it('ends at once when it is cancelled in the middle of a poll', async () => {
    const scenario = new Scenario({ pollInterval: 10_000 });
    scenario.cloud.copySeconds = { hk: 999 };
    scenario.clock.after(5_000, () => {
      scenario.cloud.latency = 30_000;
    });
    scenario.cancelAt(15_000);
    const copy = copyIn(await scenario.promote(), 'hk');
    expect(scenario.clock.elapsed).toBe(15_000);
    expect(copy.state).toBe('Copying');
  });

  it('finds nothing odd in an image that is being made, and tells the seconds of each change', async () => {
    const scenario = new Scenario({ pollInterval: 10_000 });
    scenario.cloud.differing = { State: 'Making' };
    await scenario.promote();
    expect(scenario.warnings).toEqual([]);
    const changes = scenario.of('state').map(({ copy, from, seconds }) => [from, copy.state, seconds]);
    expect(changes).toEqual([
      ['Copying', 'Making', expect.closeTo(10, 0)],
      ['Making', 'Available', expect.closeTo(61, 0)],
    ]);
  });

  it('tells trouble that lasts once for each region', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    for (const region of ['hk', 'sg'])
      scenario.cloud.fault('DescribeImage', fails(150), { region, skip: 1, times: 12 });
    await scenario.promote();
    const told = scenario.notices.filter((text) => text.includes('5 times in a row'));
    expect(told.map((text) => text.slice(0, 3)).sort()).toEqual(['hk:', 'sg:']);
  });

  it('learns nothing about the time of a copy from one that was adopted', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], timeout: 600_000 });
    scenario.cloud.addCopy('hk', { State: 'Copying' }, { settles: 100, finalState: 'Available' });
    scenario.cloud.copySeconds = { sg: 9_999 };
    await scenario.promote();
    const beats = scenario.of('heartbeat');
    expect(beats.length).toBeGreaterThan(5);
    for (const { remaining } of beats) expect(remaining).toBeNull();
  });
});

it('nearness is measured by the longer word, and a word inside another is near', () => {
  expect(nearest('axby', ['aqxrbsyt'])).toEqual(['aqxrbsyt']);
  expect(nearest('prod', ['web-prod-frontend', 'other'])).toEqual(['web-prod-frontend']);
  expect(nearest('web-prod-frontend', ['prod'])).toEqual(['prod']);
});

describe('the bound of a step', () => {
  it('ends it 180 s after its time, with the reason', async () => {
    const clock = new VirtualClock();
    const cancel = new AbortController();
    const until = bounded(clock, cancel.signal, 1_000);
    await clock.run(clock.sleep(180_999));
    expect(until.signal.aborted).toBe(false);
    await clock.run(clock.sleep(2));
    expect(until.signal.reason).toBeInstanceOf(Stopped);
    expect(until.signal.reason.problems).toEqual([
      {
        message: 'The API kept this step waiting for 180 s beyond its time.',
        advice: 'Run fewer promotions side by side, or give a longer timeout.',
      },
    ]);
    expect(cancel.signal.aborted).toBe(false);
  });

  it('follows the caller', () => {
    const cancel = new AbortController();
    const until = bounded(new VirtualClock(), cancel.signal, 1_000);
    cancel.abort(new Error('cancelled'));
    expect(until.signal.reason).toBe(cancel.signal.reason);
  });

  it('ends what still goes on when the promotion has ended: a read would keep the process', async () => {
    const scenario = new Scenario();
    const { clock, cloud } = scenario;
    let isAsked = false;
    // The source is waited for; then one listing fails for good while the other is asked again and again.
    const [stored] = cloud.stored;
    if (stored)
      Object.assign(stored, {
        image: { ...stored.image, State: 'Making' },
        settlesAt: clock.now() + 10_000,
        finalState: 'Available',
      });
    scenario.order.target.regions = ['hk', 'sg'];
    cloud.fault('DescribeImage', fails(299), { region: 'hk', skip: 1 });
    cloud.fault(
      'DescribeImage',
      async (_execute, _sent, signal) => {
        isAsked = true;
        await clock.sleep(600_000, signal).finally(() => {
          isAsked = false;
        });
      },
      { region: 'sg', skip: 1 },
    );
    const promotion = await scenario.promote();
    expect(told(promotion)[0]).toContain('299');
    await new Promise((resolve) => setImmediate(resolve));
    expect(clock.elapsed).toBeLessThan(60_000);
    expect(isAsked).toBe(false);
  });

  it('leaves nobody asleep when a promotion or a rollback has ended', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    const { clock, cloud } = scenario;
    const sleep = clock.sleep.bind(clock);
    let asleep = 0;
    clock.sleep = (ms, signal) => {
      asleep++;
      return sleep(ms, signal).finally(() => {
        asleep--;
      });
    };
    await scenario.promote();
    await new Promise((resolve) => setImmediate(resolve));
    expect(asleep).toBe(0);
    const traces: Traces = { run: RUN, created: [], places: [], unclear: false };
    const { report, signal } = scenario.context;
    await clock.run(rollback(traces, { cloud, clock, report, signal }));
    await new Promise((resolve) => setImmediate(resolve));
    expect(asleep).toBe(0);
  });
});

describe('the pace', () => {
  it.each([
    [1_200_000, [], 36_000],
    [100_000, [100_000], 6_400],
    [149_999, [100_000], 6_400],
    [150_000, [100_000], 16_000],
    // Never below the floor.
    [2_500, [2_000], 500],
  ])('after %i ms, when others took %j, is %i ms', (elapsed, finished, expected) => {
    expect(pollDelay(elapsed, finished, 0.5)).toBeCloseTo(expected);
  });

  it('is shared by the open copies until one has finished', () => {
    expect([0, 1, 2, 4, 9].map((open) => share(open, []))).toEqual([1, 1, Math.SQRT2, 2, 2]);
    expect(share(9, [1])).toBe(1);
  });
});
