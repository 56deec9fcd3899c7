import { describe, expect, it } from 'vitest';
import { drive } from '../../src/promotion/drive.ts';
import { WINDOW } from '../../src/promotion/place.ts';
import { COPY, DELETE, doneBut, fails, LIST, type Sent } from './fake-cloud.ts';
import { copyIn, listings, onlyIn, Scenario, told } from './scenario.ts';

const seconds = (calls: Sent[]) => calls.map(({ at }) => at / 1000);

/** As many targets as asked for, each of which the API knows. */
function many(count: number, some: ConstructorParameters<typeof Scenario>[0] = {}): Scenario {
  const regions = Array.from({ length: count }, (_, index) => `r-${index}`);
  const scenario = new Scenario({ regions, ...some });
  scenario.cloud.regions.push(...regions.map((Region) => ({ Region })));
  return scenario;
}

describe('a cancel', () => {
  const cancelled = async (
    at: number,
    prepare: (scenario: Scenario) => void = () => undefined,
    some = {},
  ) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], pollInterval: 10_000, ...some });
    scenario.cloud.copySeconds = { hk: 30, sg: 9_999 };
    prepare(scenario);
    scenario.cancelAt(at * 1000);
    const promotion = await scenario.promote();
    expect(promotion.ended).toBe('cancelled');
    return { scenario, promotion, elapsed: scenario.clock.elapsed / 1000 };
  };

  it('while waiting ends at once, with one line that names what goes on in the cloud', async () => {
    const { promotion, elapsed } = await cancelled(120);
    expect([promotion.status, elapsed]).toEqual(['partial', 120]);
    const { imageId } = copyIn(promotion, 'sg');
    expect(promotion.problems).toEqual([
      expect.objectContaining({ message: expect.stringContaining(`${imageId} in sg`) }),
    ]);
    expect(promotion.problems[0]?.message).not.toContain(copyIn(promotion, 'hk').imageId);
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'copied', state: 'Available', pending: false });
    expect(copyIn(promotion, 'sg')).toMatchObject({ outcome: 'failed', created: true, pending: true });
  });

  it('in the middle of a read ends at once', async () => {
    const slow = (scenario: Scenario) =>
      scenario.clock.after(5_000, () => {
        scenario.cloud.latency = 30_000;
      });
    expect((await cancelled(15, slow)).elapsed).toBe(15);
  });

  it('while an answer is under way is out within 5 s; what it was sent for is unclear', async () => {
    const { promotion, elapsed, scenario } = await cancelled(10, ({ cloud, clock }) =>
      cloud.fault(COPY, async (execute, _sent, signal) => {
        execute();
        await clock.sleep(90_000, signal);
      }),
    );
    expect(elapsed).toBeLessThanOrEqual(15);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    for (const copy of promotion.copies)
      expect(copy).toMatchObject({ unclear: true, imageId: null, pending: true });
  });

  it('takes the ids of an answer that comes within 3 s', async () => {
    const { promotion } = await cancelled(1, ({ cloud, clock }) =>
      cloud.fault(COPY, async (execute, _sent, signal) => {
        const answer = execute();
        await clock.sleep(3_000, signal);
        return answer;
      }),
    );
    for (const { imageId, problem, created } of promotion.copies)
      expect([created, problem?.message.includes(imageId ?? '-')]).toEqual([true, true]);
  });

  it('sends nothing more: neither what waits for a throttle, nor the singles that are left', async () => {
    const { scenario, promotion } = await cancelled(20, ({ cloud }) => cloud.fault(COPY, fails(8980)));
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: null, outcome: 'failed' });
    const rest = many(12);
    rest.cloud.batch = false;
    rest.cloud.latency = 1_000;
    rest.cancelAt(4_500);
    await rest.promote();
    expect(rest.cloud.calls(COPY)).toHaveLength(9);
  });

  it('while an unclear answer is looked after leaves it unclear, for the post step', async () => {
    const { promotion, elapsed } = await cancelled(30, ({ cloud }) => cloud.fault(COPY, fails(110)));
    for (const copy of promotion.copies) expect(copy).toMatchObject({ unclear: true, pending: true });
    expect(elapsed).toBe(30);
  });

  it('before anything was sent leaves it at that', async () => {
    const scenario = new Scenario();
    scenario.cancel.abort(new Error('The step was cancelled.'));
    await expect(drive(scenario.byHand())).rejects.toThrow('cancelled');
    expect(scenario.events).toEqual([]);
  });

  it('while something is deleted tells that it may still be there', async () => {
    const { scenario, elapsed } = await cancelled(10, ({ cloud, clock }) => {
      cloud.fault(COPY, onlyIn(cloud, 'hk', 'sg', 'us-ca'));
      cloud.fault(DELETE, (_execute, _sent, signal) => clock.sleep(60_000, signal));
    });
    expect(scenario.warnings).toEqual([expect.stringContaining('uimage-new-us-ca-3')]);
    expect(elapsed).toBeLessThan(15);
  });
});

describe('the deadline', () => {
  it('has one read of what is under way, so that a copy which is just there counts', async () => {
    const scenario = new Scenario({ timeout: 600_000, pollInterval: 500_000 });
    scenario.cloud.copySeconds = { hk: 590 };
    expect((await scenario.promote()).status).toBe('available');
    expect(listings(scenario, 'hk')).toEqual([0, 600]);
    expect(scenario.clock.elapsed).toBeLessThan(601_000);
  });

  it('fails what is not there by then, with its id and the time that was given', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], timeout: 600_000 });
    scenario.cloud.copySeconds = { hk: 9_999, sg: 60 };
    const promotion = await scenario.promote();
    expect([promotion.status, promotion.ended]).toEqual(['partial', 'timeout']);
    const copy = copyIn(promotion, 'hk');
    expect(copy).toMatchObject({ outcome: 'failed', state: 'Copying', created: true, pending: true });
    expect(told(promotion)).toEqual([expect.stringMatching(/hk.*uimage-new-hk-1.*10m/)]);
    const late = scenario.cloud.sent.filter(({ at }) => at >= 600_000);
    expect(late).toMatchObject(['hk', 'sg'].map((region) => ({ action: LIST, region })));
  });

  it('is the end of sending, be it a throttle or slow answers that held it up', async () => {
    const throttled = new Scenario({ timeout: 300_000 });
    throttled.cloud.fault(COPY, fails(153), { times: 999 });
    const promotion = await throttled.promote();
    expect(told(promotion).join()).toContain('RetCode 153');
    expect(Math.max(...seconds(throttled.cloud.calls(COPY)))).toBeLessThan(300);
    expect(throttled.cloud.calls(COPY).length).toBeLessThan(30);
    expect(throttled.clock.elapsed).toBeLessThan(310_000);
    const slow = many(10, { timeout: 60_000 });
    slow.cloud.fault(COPY, fails(8962));
    const answers = async (execute: () => unknown) => {
      await slow.clock.sleep(70_000);
      return execute();
    };
    slow.cloud.fault(COPY, answers, { times: 99 });
    expect(copyIn(await slow.promote(), 'r-9')).toMatchObject({ imageId: null, outcome: 'failed' });
    expect(slow.cloud.calls(COPY)).toHaveLength(9);
  });

  it('in doubt has one look that may find it, and says that it is not known when it finds nothing', async () => {
    const play = async (listedAfter: number) => {
      const scenario = new Scenario({ timeout: 60_000 });
      scenario.cloud.fault(COPY, doneBut(110));
      scenario.cloud.listingSeconds = { hk: listedAfter };
      const copy = copyIn(await scenario.promote(), 'hk');
      expect([scenario.cloud.calls(COPY).length, listings(scenario, 'hk').at(-1)]).toEqual([1, 60]);
      return copy;
    };
    expect(await play(59)).toMatchObject({ imageId: 'uimage-new-hk-1', listed: true, pending: true });
    const lost = await play(90);
    expect(lost).toMatchObject({ imageId: null, unclear: true, pending: true });
    expect(lost.problem?.message).toMatch(/hk.*not known.*110/);
  });

  it('ends what the API keeps waiting 180 s later', async () => {
    const scenario = new Scenario({ timeout: 60_000 });
    scenario.cloud.fault(COPY, fails(110));
    const hangs = (_execute: unknown, _sent: Sent, signal?: AbortSignal) =>
      scenario.clock.sleep(WINDOW * 99, signal);
    scenario.cloud.fault(LIST, hangs, { region: 'hk', skip: 1 });
    expect(copyIn(await scenario.promote(), 'hk').problem?.message).toMatch(/hk.*not known.*1m/);
    expect(scenario.clock.elapsed).toBe(240_000);
  });
});

describe('a defect of ours', () => {
  const defect = () => {
    throw new TypeError('infos is not iterable');
  };

  it('while sending loses no id of the others, and is told as a defect', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.batch = false;
    scenario.cloud.fault(COPY, defect, { region: 'us-ca' });
    const promotion = await scenario.promote();
    expect(promotion.ended).toBe('stopped');
    expect(told(promotion)[0]).toContain('infos is not iterable');
    expect(told(promotion).join()).not.toMatch(/\n\s+at /);
    expect(copyIn(promotion, 'sg').imageId).toMatch(/^uimage-new-sg/);
  });

  it('while waiting ends what is read, leaves the ids, and a reason to each', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.copySeconds = { hk: 10, sg: 9_999 };
    scenario.cloud.fault(LIST, defect, { region: 'sg', skip: 8 });
    const hangs = (_execute: unknown, _sent: Sent, signal?: AbortSignal) =>
      scenario.clock.sleep(9_999_999, signal);
    scenario.cloud.fault(LIST, hangs, { region: 'us-ca', skip: 1 });
    const promotion = await scenario.promote();
    expect(scenario.clock.elapsed).toBeLessThan(90_000);
    expect(copyIn(promotion, 'hk').outcome).toBe('copied');
    for (const region of ['sg', 'us-ca'])
      expect(copyIn(promotion, region)).toMatchObject({
        imageId: expect.any(String),
        problem: expect.anything(),
      });
  });
});

it('leaves nobody asleep, however it ends', async () => {
  const play = async (prepare: (scenario: Scenario) => void) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    const sleep = scenario.clock.sleep.bind(scenario.clock);
    let asleep = 0;
    scenario.clock.sleep = (ms, signal) => {
      asleep++;
      return sleep(ms, signal).finally(() => {
        asleep--;
      });
    };
    prepare(scenario);
    await scenario.promote();
    await new Promise((resolve) => setImmediate(resolve));
    return asleep;
  };
  expect(await play(() => undefined)).toBe(0);
  // The timer of the cancel itself has rung.
  expect(await play((scenario) => scenario.cancelAt(150))).toBe(0);
  expect(await play(({ cloud }) => cloud.fault(LIST, fails(299), { region: 'hk', skip: 2 }))).toBe(0);
});
