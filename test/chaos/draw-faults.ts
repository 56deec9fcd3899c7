import fc from 'fast-check';
import type { Effect, Fault, Gap } from './scenario.ts';
import { CODES, OF_A_REGION } from './world/facts.ts';

export const seconds = (max: number) =>
  fc.oneof(fc.integer({ min: 0, max }), fc.constant(0), fc.constant(max));

/** Null but once in so many times. */
export const rarely = <T>(times: number, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: times - 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

/** Often at once, sometimes late, at most 60 s after it was sent. */
const executed = fc.oneof(fc.constant(null), fc.constant(0), seconds(60));

const effect: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({ kind: fc.constantFrom('refused' as const, 'truncated' as const, 'blink' as const) }),
  fc.record({ kind: fc.constant('lost' as const), after: seconds(60), executed }),
  fc.record({ kind: fc.constantFrom('hang' as const, 'garbage' as const), executed }),
  fc.record({
    kind: fc.constant('http' as const),
    status: fc.constantFrom(500, 502, 503, 504, 429, 403, 404, 408),
    executed,
  }),
  fc.record({
    kind: fc.constant('code' as const),
    code: fc.constantFrom(...CODES, ...OF_A_REGION, 110, 110, 153, 153, 4711),
    executed,
    mask: fc.oneof(fc.constant(31), fc.integer({ min: 0, max: 31 })),
  }),
  fc.record({
    kind: fc.constant('unwhole' as const),
    how: fc.constantFrom('empty' as const, 'rows' as const, 'no set' as const, 'null' as const),
  }),
  fc.record({ kind: fc.constant('slow' as const), seconds: fc.integer({ min: 1, max: 58 }) }),
  fc.record({
    kind: fc.constant('partial' as const),
    which: fc.integer({ min: 0, max: 4 }),
    how: fc.constantFrom<Gap>('missing', 'empty', 'twice', 'wrong', 'old', 'swapped'),
    executed,
  }),
);

/** What passes by, though it looks final: it must not decide anything about a copy that is known. */
const odd: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({
    kind: fc.constant('http' as const),
    status: fc.constantFrom(403, 404, 408),
    executed: fc.constant(null),
  }),
  fc.record({
    kind: fc.constant('code' as const),
    code: fc.constantFrom(4711, 220, 230, 8095),
    executed: fc.constant(null),
    mask: fc.constant(0),
  }),
  fc.record({ kind: fc.constant('garbage' as const), executed: fc.constant(null) }),
  fc.record({
    kind: fc.constant('unwhole' as const),
    how: fc.constantFrom('empty' as const, 'rows' as const, 'no set' as const, 'null' as const),
  }),
);

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    on: fc.constant('CopyCustomImage' as const),
    nth: fc.oneof(fc.constant(1), fc.constant(1), fc.integer({ min: 1, max: 6 })),
    count: fc.constantFrom(1, 1, 1, 2, 4),
    effect,
  }),
  fc.record({
    on: fc.constant('TerminateCustomImage' as const),
    nth: fc.integer({ min: 1, max: 4 }),
    count: fc.constantFrom(1, 1, 2),
    effect: fc.oneof(effect, odd),
  }),
  fc.record({
    on: fc.constantFrom(
      'DescribeImage' as const,
      'DescribeImage' as const,
      'DescribeImage' as const,
      'TerminateCustomImage' as const,
      'GetRegion' as const,
    ),
    nth: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 60 })),
    count: fc.constantFrom(1, 1, 2, 5, 40),
    effect: fc.oneof(effect, odd),
  }),
);

/** The first copies are where it matters most: half of all schedules strike there. */
export const faults: fc.Arbitrary<Fault[]> = fc
  .tuple(
    fc.oneof(fc.constant([]), fc.array(effect, { minLength: 1, maxLength: 3 })),
    fc.array(fault, { maxLength: 4 }),
  )
  .map(([first, others]) => [
    ...first.map((struck, index) => ({
      on: 'CopyCustomImage' as const,
      nth: index + 1,
      count: 1,
      effect: struck,
    })),
    ...others,
  ]);
