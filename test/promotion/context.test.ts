import { describe, expect, it } from 'vitest';
import { bounded, Stopped } from '../../src/promotion/context.ts';
import { VirtualClock } from '../virtual-clock.ts';

describe('the bound of a step', () => {
  it('ends it 180 s after its time, with the reason', async () => {
    const clock = new VirtualClock();
    const cancel = new AbortController();
    const until = bounded(clock, cancel.signal, 1_000);
    await clock.run(clock.sleep(180_999));
    expect(until.signal.aborted).toBe(false);
    await clock.run(clock.sleep(2));
    expect(until.signal.reason).toBeInstanceOf(Stopped);
    expect(until.signal.reason.message).toContain('180 s');
    expect(cancel.signal.aborted).toBe(false);
  });

  it('follows the caller', () => {
    const cancel = new AbortController();
    const until = bounded(new VirtualClock(), cancel.signal, 1_000);
    cancel.abort(new Error('cancelled'));
    expect(until.signal.reason).toBe(cancel.signal.reason);
  });
});
