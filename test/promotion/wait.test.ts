import { describe, expect, it } from 'vitest';
import { LISTING_WINDOW } from '../../src/promotion/look.ts';
import type { Copy } from '../../src/promotion/model.ts';
import { isOpen } from '../../src/promotion/wait.ts';
import { broken, copyIn, fails, onlyIn, PROD, polls, Scenario, SOURCE, told } from './scenario.ts';

const LIST = 'DescribeImage';

describe('waiting', () => {
  it('asks each region for just our id, all regions at once, until each has settled', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.copySeconds = { hk: 30, sg: 600 };
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    for (const region of ['hk', 'sg']) {
      const { imageId, projectId } = copyIn(promotion, region);
      expect(projectId).toBe(PROD);
      for (const call of polls(scenario, region))
        expect(call).toMatchObject({ imageIds: [imageId], projectId: PROD });
    }
    const last = (region: string) => polls(scenario, region).at(-1)?.at ?? 0;
    expect(last('hk')).toBeLessThan(60_000);
    expect(last('sg')).toBeGreaterThanOrEqual(600_000);
    expect(last('sg')).toBeLessThan(700_000);
  });

  it('tells each change of state once, with the time it took', async () => {
    const scenario = new Scenario();
    scenario.cloud.copySeconds = { hk: 100 };
    const promotion = await scenario.promote();
    const states = scenario.of('state');
    expect(states.map(({ from, copy }) => [from, copy.state])).toEqual([['Copying', 'Available']]);
    expect(states[0]?.seconds).toBeGreaterThanOrEqual(100);
    const { startedAt, finishedAt } = copyIn(promotion, 'hk');
    expect(((finishedAt ?? 0) - (startedAt ?? 0)) / 1000).toBe(states[0]?.seconds);
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

  it('keeps to the interval that was ordered', async () => {
    const scenario = new Scenario({ pollInterval: 11_000 });
    scenario.cloud.copySeconds = { hk: 60 };
    await scenario.promote();
    const times = polls(scenario, 'hk').map(({ at }) => at);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(new Set(gaps)).toEqual(new Set([11_100]));
  });

  it('keeps to the interval that was ordered, however many regions there are', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'], pollInterval: 30_000, timeout: 90_000 });
    scenario.cloud.latency = 0;
    scenario.cloud.copySeconds = { hk: 999, sg: 999, 'us-ca': 999 };
    await scenario.promote();
    for (const region of ['hk', 'sg', 'us-ca'])
      expect(polls(scenario, region).map(({ at }) => at)).toEqual([30_000, 60_000, 90_000]);
  });

  it('asks for each of many open copies more rarely, but counts none that has settled', async () => {
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

  it('starts with what the listing said: an adopted copy that is Available needs no poll', async () => {
    const scenario = new Scenario();
    scenario.cloud.addCopy('hk');
    expect((await scenario.promote()).status).toBe('available');
    expect(polls(scenario, 'hk')).toEqual([]);
    expect(scenario.clock.elapsed).toBeLessThan(1_000);
  });

  it('waits for an adopted copy that is under way', async () => {
    const scenario = new Scenario();
    scenario.cloud.addCopy('hk', { State: 'Making' }, { settles: 90, finalState: 'Available' });
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'adopted', state: 'Available', created: false });
    expect(scenario.clock.elapsed).toBeGreaterThanOrEqual(90_000);
  });

  it('does not begin when it is not wanted', async () => {
    const scenario = new Scenario({ wait: false });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('copying');
    expect(copyIn(promotion, 'hk')).toMatchObject({ state: 'Copying', outcome: 'copied', finishedAt: null });
    expect(polls(scenario, 'hk')).toEqual([]);
  });

  it.each<[Partial<Copy>, boolean]>([
    [{}, true],
    [{ imageId: null }, false],
    [{ problem: { message: 'm', advice: 'a' } }, false],
    [{ outcome: 'source' }, false],
    [{ finishedAt: 1 }, false],
  ])('is due for a copy with %j: %s', (some, open) => {
    const copy = { imageId: 'uimage-1', problem: null, outcome: 'copied', finishedAt: null, ...some };
    expect(isOpen(copy as Copy)).toBe(open);
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
});

describe('what forgives', () => {
  it('a copy that is not listed yet, for a long time', async () => {
    const scenario = new Scenario();
    scenario.cloud.copySeconds = { hk: 500 };
    scenario.cloud.listingSeconds = { hk: 400 };
    expect((await scenario.promote()).status).toBe('available');
    const { imageId } = scenario.of('state')[0]?.copy ?? {};
    expect(scenario.warnings.filter((text) => text.includes(imageId ?? '-'))).toHaveLength(1);
  });

  it('a copy that is not listed for a moment: nothing is told', async () => {
    const scenario = new Scenario();
    scenario.cloud.listingSeconds = { hk: 40 };
    await scenario.promote();
    expect(scenario.warnings).toEqual([]);
  });

  it.each(['throttle', '5xx', 'lost line', 'garbage'])('a %s, however often', async (what) => {
    const scenario = new Scenario();
    scenario.cloud.copySeconds = { hk: 300 };
    const faults = {
      throttle: fails(153),
      '5xx': () => {
        throw broken(LIST, 'http');
      },
      'lost line': () => {
        throw broken(LIST, 'lost');
      },
      garbage: () => {
        throw broken(LIST, 'unreadable');
      },
    };
    scenario.cloud.fault(LIST, faults[what as keyof typeof faults], { region: 'hk', skip: 1, times: 12 });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    expect(scenario.notices.filter((text) => text.includes('hk'))).toHaveLength(1);
  });

  it('trouble: it is asked ever more rarely', async () => {
    const scenario = new Scenario({ timeout: 3_600_000 });
    scenario.cloud.fault(LIST, fails(150), { region: 'hk', skip: 1, times: Number.POSITIVE_INFINITY });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(copyIn(promotion, 'hk').imageId).not.toBeNull();
    expect(polls(scenario, 'hk').length).toBeLessThan(120);
    expect(scenario.notices).toHaveLength(1);
    expect(scenario.clock.elapsed).toBeLessThan(3_610_000);
  });

  it('trouble that lasts: it is told once for each region', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    for (const region of ['hk', 'sg']) scenario.cloud.fault(LIST, fails(150), { region, skip: 1, times: 12 });
    await scenario.promote();
    const told = scenario.notices.filter((text) => text.includes('5 times in a row'));
    expect(told.map((text) => text.slice(0, 3)).sort()).toEqual(['hk:', 'sg:']);
  });

  it('trouble: the pause doubles from about a second up to a minute, however short the interval', async () => {
    const scenario = new Scenario({ pollInterval: 1_000 });
    scenario.cloud.copySeconds = { hk: 900 };
    scenario.cloud.fault(LIST, fails(150), { region: 'hk', skip: 6, times: 10 });
    expect((await scenario.promote()).status).toBe('available');
    const times = polls(scenario, 'hk').map(({ at }) => at);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    // Five polls that go well, then ten that fail.
    expect(gaps.slice(0, 5)).toEqual([1_100, 1_100, 1_100, 1_100, 1_100]);
    expect(gaps[5]).toBeLessThan(2_200);
    expect(Math.min(...gaps.slice(11, 15))).toBeGreaterThan(29_000);
    expect(Math.max(...gaps)).toBeLessThan(60_200);
  });

  it('trouble that names its time (8980): it is not asked again before', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(LIST, fails(8980), { region: 'hk', skip: 1 });
    await scenario.promote();
    const [first, second] = polls(scenario, 'hk');
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(30_000);
  });

  it('a little trouble: it is not even told', async () => {
    const scenario = new Scenario();
    scenario.cloud.copySeconds = { hk: 100 };
    scenario.cloud.fault(LIST, fails(150), { region: 'hk', skip: 1, times: 3 });
    await scenario.promote();
    expect([scenario.notices, scenario.warnings]).toEqual([[], []]);
  });

  it('trouble that is over: patience starts anew', async () => {
    const scenario = new Scenario();
    scenario.cloud.copySeconds = { hk: 600 };
    let count = 0;
    scenario.cloud.fault(
      LIST,
      (execute, sent, signal) => (count++ % 6 === 5 ? execute() : fails(150)(execute, sent, signal)),
      { region: 'hk', skip: 1, times: 999 },
    );
    expect((await scenario.promote()).status).toBe('available');
    const times = polls(scenario, 'hk').map(({ at }) => at);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(70_000);
  });

  it('a state that nobody documented: pending, told once for all regions', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.differing = { State: 'Syncing' };
    scenario.cloud.copySeconds = { hk: 200, sg: 200 };
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.warnings.filter((text) => text.includes('Syncing'))).toHaveLength(1);
    expect(scenario.of('state').filter(({ copy }) => copy.state === 'Syncing')).toHaveLength(2);
  });

  it('an image without a state: pending', async () => {
    const scenario = new Scenario();
    scenario.cloud.differing = { State: undefined } as never;
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.warnings).toHaveLength(1);
  });
});

describe('what fails a target, and that one alone', () => {
  it('a copy that ends Unavailable', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.finalState = { hk: 'Unavailable' };
    scenario.cloud.copySeconds = { hk: 20, sg: 400 };
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('partial');
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'failed', state: 'Unavailable' });
    expect(told(promotion)).toHaveLength(1);
    expect(told(promotion)[0]).toContain(copyIn(promotion, 'hk').imageId);
    expect(copyIn(promotion, 'sg')).toMatchObject({ outcome: 'copied', state: 'Available' });
    expect(scenario.of('state').filter(({ copy }) => copy.region === 'hk')).toHaveLength(1);
    expect(scenario.warnings).toEqual([]);
  });

  it.each([
    ['OsName', { OsName: 'Debian 12' }],
    ['OsType', { OsType: 'Windows' }],
    ['ImageSize', { ImageSize: 20 }],
  ])('a copy whose %s is not its source’s', async (field, differing) => {
    const scenario = new Scenario();
    scenario.cloud.differing = differing;
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(copyIn(promotion, 'hk').state).toBe('Available');
    expect(told(promotion)[0]).toContain(field);
  });

  it('an adopted copy that is not its source', async () => {
    const scenario = new Scenario();
    scenario.cloud.addCopy('hk', { OsName: 'Debian 12' });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(copyIn(promotion, 'hk').outcome).toBe('failed');
  });

  it('a right that is taken away while waiting', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(LIST, fails(299), { region: 'hk', skip: 3, times: 99 });
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('partial');
    expect(told(promotion)[0]).toMatch(/uimage-new-hk.*299/);
    expect(copyIn(promotion, 'hk').imageId).not.toBeNull();
  });

  it('a copy that was there and has vanished, not before it is sure', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.copySeconds = { hk: 3_000, sg: 30 };
    scenario.clock.after(60_000, () => scenario.cloud.remove(scenario.cloud.ids('hk')[0] ?? ''));
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('partial');
    expect(told(promotion)[0]).toMatch(/uimage-new-hk/);
    const after = scenario.clock.elapsed - 60_000;
    expect(after).toBeGreaterThan(LISTING_WINDOW - 30_000);
    expect(after).toBeLessThan(LISTING_WINDOW + 120_000);
  });

  it('a copy that is missing from three answers: nothing is told before', async () => {
    const scenario = new Scenario({ pollInterval: 130_000 });
    scenario.cloud.latency = 0;
    scenario.cloud.copySeconds = { hk: 9_999 };
    scenario.clock.after(200_000, () => scenario.cloud.remove('uimage-new-hk-1'));
    const promotion = await scenario.promote();
    expect(polls(scenario, 'hk').map(({ at }) => at)).toEqual([130, 260, 390, 520].map((s) => s * 1_000));
    expect(copyIn(promotion, 'hk').problem?.message).toContain('somebody deleted it');
    expect(scenario.warnings).toEqual([]);
  });

  it('an adopted copy that was listed, and vanishes before it is asked for', async () => {
    const scenario = new Scenario();
    scenario.cloud.addCopy('hk', { State: 'Copying' });
    scenario.clock.after(500, () => scenario.cloud.remove('uimage-old-hk'));
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(scenario.clock.elapsed).toBeLessThan(1_000_000);
  });

  it('but not a copy that is missing from a listing now and then', async () => {
    const scenario = new Scenario();
    scenario.cloud.copySeconds = { hk: 1_500 };
    let count = 0;
    const nowAndThen = (execute: () => unknown) => (count++ % 5 < 3 ? execute() : []);
    scenario.cloud.fault(LIST, nowAndThen, { region: 'hk', skip: 1, times: 999 });
    expect((await scenario.promote()).status).toBe('available');
  });
});

describe('features', () => {
  it('that are missing are a warning, no failure', async () => {
    const scenario = new Scenario();
    scenario.cloud.differing = { Features: ['NetEnhanced'] };
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.warnings).toHaveLength(1);
    expect(scenario.warnings[0]).toMatch(/^hk\b.*CloudInit/);
  });
});

describe('a mark that the site lost', () => {
  it('is told once, not once a region, and the copies are good', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.describe = (text) => text.slice(0, 10);
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.warnings).toHaveLength(1);
    expect(scenario.warnings[0]).toMatch(/mark/);
  });

  it('is not told of adopted copies, which carry the mark of another run', async () => {
    const scenario = new Scenario();
    scenario.cloud.addCopy('hk', { State: 'Copying' }, { settles: 20, finalState: 'Available' });
    await scenario.promote();
    expect(scenario.warnings).toEqual([]);
  });
});

describe('the timeout', () => {
  it('ends with a last look, so that a copy which is just there counts', async () => {
    const scenario = new Scenario({ timeout: 600_000, pollInterval: 500_000 });
    scenario.cloud.copySeconds = { hk: 590 };
    expect((await scenario.promote()).status).toBe('available');
    expect(polls(scenario, 'hk').map(({ at }) => at)).toEqual([500_200, 600_000]);
  });

  it('fails what is not there, with its id and the time that was given', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], timeout: 600_000 });
    scenario.cloud.copySeconds = { hk: 9_999, sg: 60 };
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('partial');
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'failed', state: 'Copying', created: true });
    expect(told(promotion)[0]).toContain(copyIn(promotion, 'hk').imageId);
    expect(told(promotion)[0]).toContain('10m');
    expect(scenario.clock.elapsed).toBeLessThan(601_000);
    expect(polls(scenario, 'hk').filter(({ at }) => at >= 600_000)).toHaveLength(1);
  });
});

describe('a heartbeat', () => {
  it('beats once a minute while nothing changes, without an estimate at first', async () => {
    const scenario = new Scenario();
    scenario.cloud.copySeconds = { hk: 245 };
    await scenario.promote();
    const beats = scenario.of('heartbeat');
    expect(beats.map(({ seconds }) => seconds)).toEqual([60, 120, 180, 240]);
    for (const { remaining } of beats) expect(remaining).toBeNull();
  });

  it('estimates one and a half times what the slowest finished copy took, until the open ones outlast it', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'jpn-tky'] });
    scenario.cloud.copySeconds = { hk: 240, sg: 400, 'jpn-tky': 900 };
    await scenario.promote();
    const beats = scenario.of('heartbeat');
    const ends = beats.flatMap(({ seconds, remaining }) => (remaining === null ? [] : [seconds + remaining]));
    expect(beats[0]?.remaining).toBeNull();
    expect(Math.abs((ends[0] ?? 0) - 1.5 * 240)).toBeLessThan(30);
    expect(Math.abs((ends.at(-1) ?? 0) - 1.5 * 400)).toBeLessThan(45);
    // Not a word in the last minute before that: by then it is most likely wrong.
    for (const { remaining } of beats) expect(remaining ?? 60).toBeGreaterThanOrEqual(60);
    expect(beats.at(-1)?.remaining).toBeNull();
  });

  it('counts the estimate from the copy that started last', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'jpn-tky'] });
    scenario.cloud.copySeconds = { hk: 130, sg: 700, 'jpn-tky': 700 };
    // The batch leaves sg out: it is sent again when the window for it is over.
    scenario.cloud.fault('CopyCustomImage', onlyIn(scenario.cloud, 'hk', 'jpn-tky'));
    await scenario.promote();
    const [first] = scenario.of('heartbeat').filter(({ remaining }) => remaining !== null);
    expect((first?.seconds ?? 0) + (first?.remaining ?? 0)).toBeGreaterThan(150);
  });

  it('estimates nothing from a copy that was adopted', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], timeout: 600_000 });
    scenario.cloud.addCopy('hk', { State: 'Copying' }, { settles: 100, finalState: 'Available' });
    scenario.cloud.copySeconds = { sg: 9_999 };
    await scenario.promote();
    const beats = scenario.of('heartbeat');
    expect(beats.length).toBeGreaterThan(5);
    for (const { remaining } of beats) expect(remaining).toBeNull();
  });

  it('is quiet for a minute after every change', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca', 'jpn-tky'] });
    scenario.cloud.copySeconds = { hk: 40, sg: 75, 'us-ca': 110, 'jpn-tky': 145 };
    await scenario.promote();
    const changes = scenario.of('state').length;
    expect(changes).toBe(4);
    expect(scenario.of('heartbeat')).toEqual([]);
  });

  it('ends with a cancel', async () => {
    const scenario = new Scenario();
    scenario.cloud.copySeconds = { hk: 9_999 };
    scenario.cancelAt(150_000);
    await scenario.promote();
    expect(scenario.of('heartbeat')).toHaveLength(2);
    expect(scenario.clock.elapsed).toBe(150_000);
  });

  it('ends with the wait', async () => {
    const scenario = new Scenario();
    await scenario.promote();
    const told = scenario.events.length;
    await scenario.clock.run(scenario.clock.sleep(600_000));
    expect(scenario.events).toHaveLength(told);
  });
});

it('an image that was not asked for is not taken for the copy', async () => {
  const scenario = new Scenario({ timeout: 60_000 });
  scenario.cloud.copySeconds = { hk: 9_999 };
  scenario.cloud.fault(LIST, () => [{ ...SOURCE, ImageId: 'uimage-any' }], {
    region: 'hk',
    skip: 1,
    times: 99,
  });
  expect((await scenario.promote()).status).toBe('failed');
});
