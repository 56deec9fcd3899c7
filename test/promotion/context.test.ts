import { describe, expect, it } from 'vitest';
import { bounded, Stopped } from '../../src/promotion/context.ts';
import { rollback, type Traces } from '../../src/promotion/rollback.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { fails, RUN, Scenario, told } from './scenario.ts';

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
