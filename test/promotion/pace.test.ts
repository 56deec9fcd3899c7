import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pollDelay, share } from '../../src/promotion/pace.ts';

const elapsed = fc.integer({ min: 0, max: 5 * 86_400_000 });
const random = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const finished = fc.array(fc.integer({ min: 1, max: 4 * 3_600_000 }), { maxLength: 5 });

const MIDDLE = 0.5;

/** When a copy is polled, in milliseconds after its start. */
function polls(until: number, known: number[] = []): number[] {
  const times: number[] = [];
  for (let at = pollDelay(0, known, MIDDLE); at <= until; at += pollDelay(at, known, MIDDLE)) times.push(at);
  return times;
}
describe('the pace', () => {
  it('never asks in a hurry and never sleeps for long', () => {
    fc.assert(
      fc.property(elapsed, finished, random, (taken, known, luck) => {
        const delay = pollDelay(taken, known, luck);
        expect(delay).toBeGreaterThanOrEqual(400);
        expect(delay).toBeLessThanOrEqual(100_000);
      }),
    );
  });

  it('asks again sooner of a young copy than of an old one', () => {
    fc.assert(
      fc.property(elapsed, elapsed, (one, other) => {
        const [young, old] = [Math.max(2_000, Math.min(one, other)), Math.max(2_000, one, other)];
        expect(pollDelay(young, [], MIDDLE)).toBeLessThanOrEqual(pollDelay(old, [], MIDDLE));
      }),
    );
  });

  it('is spread, by a tenth at most, so that many runs do not beat together', () => {
    fc.assert(
      fc.property(elapsed, finished, random, (taken, known, luck) => {
        const middle = pollDelay(taken, known, MIDDLE);
        expect(Math.abs(pollDelay(taken, known, luck) - middle)).toBeLessThanOrEqual(0.1 * middle + 1e-6);
      }),
    );
    expect(pollDelay(60_000, [], 0)).toBeLessThan(0.95 * pollDelay(60_000, [], 0.999));
  });

  it.each([
    [1, 0.28, 12],
    [5, 0.058, 28],
    [20, 0.032, 74],
    [60, 0.0275, 116],
  ])(
    'notices a copy of %i min late by at most %d of that time, after at most %i polls',
    (minutes, late, most) => {
      const took = minutes * 60_000;
      const times = polls(2 * took);
      const before = times.filter((at) => at < took);
      const noticed = times.find((at) => at >= took) ?? Number.POSITIVE_INFINITY;
      // At worst it ends right after a poll.
      expect(noticed - (before.at(-1) ?? 0)).toBeLessThanOrEqual(late * took);
      expect(before.length).toBeLessThanOrEqual(most);
    },
  );

  it('asks within the first seconds, since small images are copied in seconds', () => {
    expect(polls(3_000).length).toBeGreaterThan(0);
    expect(polls(30_000).length).toBeGreaterThan(5);
  });

  it('learns from a copy that has finished: the others are expected then, and are asked for more often', () => {
    fc.assert(
      fc.property(elapsed, finished, random, (taken, known, luck) => {
        expect(pollDelay(taken, known, luck)).toBeLessThanOrEqual(pollDelay(taken, [], luck) + 1e-6);
      }),
    );
    const hour = 3_600_000;
    expect(pollDelay(hour, [hour], MIDDLE)).toBeLessThan(pollDelay(hour, [], MIDDLE) / 2);
    // Before that time, and long after it, nothing is learnt.
    expect(pollDelay(hour / 2, [hour], MIDDLE)).toBe(pollDelay(hour / 2, [], MIDDLE));
    expect(pollDelay(3 * hour, [hour], MIDDLE)).toBe(pollDelay(3 * hour, [], MIDDLE));
  });

  it.each([
    [1_200_000, [], 36_000],
    [100_000, [100_000], 6_400],
    [149_999, [100_000], 6_400],
    [150_000, [100_000], 16_000],
    // Never below the floor.
    [2_500, [2_000], 500],
  ])('after %i ms, when others took %j, is %i ms', (elapsed, finished, expected) => {
    expect(pollDelay(elapsed, finished, MIDDLE)).toBeCloseTo(expected);
  });

  it('is shared by the open copies until one has finished', () => {
    expect([0, 1, 2, 4, 9].map((open) => share(open, []))).toEqual([1, 1, Math.SQRT2, 2, 2]);
    expect(share(9, [1])).toBe(1);
  });
});
