import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pollDelay } from '../../src/promotion/pace.ts';

const elapsed = fc.integer({ min: 0, max: 5 * 86_400_000 });
const random = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const finished = fc.array(fc.integer({ min: 1, max: 4 * 3_600_000 }), { maxLength: 40 });
const open = fc.integer({ min: 1, max: 40 });

/** When a lone copy is polled, in milliseconds after its start. */
function polls(until: number): number[] {
  const times: number[] = [];
  for (let at = pollDelay(0, [], 1, 0); at <= until; at += pollDelay(at, [], 1, 0)) times.push(at);
  return times;
}

describe('the pace', () => {
  it('never asks for a copy more often than every 0.45 s, nor more rarely than every 10 s or the budget', () => {
    fc.assert(
      fc.property(elapsed, finished, open, random, (taken, known, others, luck) => {
        const delay = pollDelay(taken, known, others, luck);
        expect(delay).toBeGreaterThanOrEqual(450);
        expect(delay).toBeLessThanOrEqual(Math.max(10_000, 500 * others));
      }),
    );
  });

  it('asks for all open copies together some two times a second at most', () => {
    fc.assert(
      fc.property(elapsed, finished, open, random, (taken, known, others, luck) => {
        expect((1_000 * others) / pollDelay(taken, known, others, luck)).toBeLessThanOrEqual(2 / 0.9 + 1e-6);
      }),
    );
    expect(pollDelay(600_000, [], 33, 0)).toBe(16_500);
  });

  it('is spread, by a tenth at most, so that many runs do not beat together', () => {
    fc.assert(
      fc.property(elapsed, finished, open, random, (taken, known, others, luck) => {
        const longest = pollDelay(taken, known, others, 0);
        expect(pollDelay(taken, known, others, luck)).toBeCloseTo((1 - luck / 10) * longest, 3);
      }),
    );
  });

  it('is dense early in life, since small images are copied in seconds', () => {
    expect(polls(32_000).map((at) => Math.round(at / 100) / 10)).toEqual([
      3.5, 7, 10.5, 14, 17.5, 21.4, 26, 31.8,
    ]);
    expect(polls(300_000).length).toBeLessThanOrEqual(36);
  });

  it.each([
    // Nothing is known; just before the first took as long, then and after; long after.
    [600_000, [], 1, 10_000],
    [599_999, [600_000], 7, 10_000],
    [600_000, Array(1).fill(600_000), 7, 9_565],
    [700_000, Array(7).fill(600_000), 1, 5_000],
    [899_999, Array(32).fill(600_000), 1, 3_118],
    [900_000, Array(32).fill(600_000), 1, 10_000],
    // As dense as the time taken is short; within the budget of the step.
    [8_000, Array(7).fill(7_000), 1, 880],
    [4_000, Array(32).fill(4_000), 1, 500],
    [8_000, [7_000], 7, 3_500],
  ])('after %i ms, when others took %j and %i are open, is %i ms', (taken, known, others, expected) => {
    expect(pollDelay(taken, known, others, 0)).toBeCloseTo(expected, -1);
  });
});
