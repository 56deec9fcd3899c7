import fc from 'fast-check';
import { faults, rarely, seconds } from './draw-faults.ts';
import type { Fate, Held, Run, Scenario, Stop, Target } from './scenario.ts';
import { OF_A_REGION } from './world/facts.ts';

const fate: fc.Arbitrary<Fate> = fc
  .record({
    seconds: fc.oneof(fc.constant(5), seconds(90), fc.integer({ min: 0, max: 1500 })),
    end: fc.oneof(
      { weight: 12, arbitrary: fc.constant('Available' as const) },
      { weight: 1, arbitrary: fc.constantFrom('Unavailable' as const, 'differs' as const, 'stuck' as const) },
    ),
    odd: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    listedAfter: fc.oneof(
      { weight: 10, arbitrary: fc.constant(0) },
      { weight: 10, arbitrary: seconds(50) },
      { weight: 1, arbitrary: fc.integer({ min: 60, max: 400 }) },
    ),
    sizeless: fc.constantFrom(
      ...Array.from({ length: 8 }, () => 'never' as const),
      'at first' as const,
      'always' as const,
    ),
    edited: fc.oneof(
      { weight: 20, arbitrary: fc.constant(undefined) },
      {
        weight: 1,
        arbitrary: fc.record({
          after: seconds(300),
          how: fc.constantFrom('replaced' as const, 'continued' as const),
        }),
      },
    ),
    removedAfter: fc.oneof(
      { weight: 15, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 600 }) },
    ),
  })
  .map(({ removedAfter, edited, ...rest }) => ({
    ...rest,
    ...(removedAfter === undefined ? {} : { removedAfter }),
    ...(edited === undefined ? {} : { edited }),
  }));

const target: fc.Arbitrary<Target> = fc.record({
  held: fc.oneof(
    { weight: 3, arbitrary: fc.constant([] as Held[]) },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.constantFrom<Held>(
          'earlier available',
          'earlier copying',
          'earlier broken',
          'earlier available',
          'earlier copying',
          'earlier differs',
          'earlier differs',
          'earlier stuck',
          'other name',
          'of another source',
          'of another source',
          'namesake',
          'namesake',
        ),
        { minLength: 1, maxLength: 2 },
      ),
    },
  ),
  fates: fc.array(fate, { minLength: 1, maxLength: 2 }),
  strangers: fc.oneof(
    { weight: 9, arbitrary: fc.constant([] as Target['strangers']) },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.record({
          after: seconds(200),
          described: fc.constantFrom('not' as const, 'otherwise' as const, 'as ours' as const),
          same: fc.boolean(),
        }),
        { minLength: 1, maxLength: 1 },
      ),
    },
  ),
  refuses: rarely(16, fc.constantFrom(...OF_A_REGION)),
  unlisted: rarely(
    30,
    fc.record({
      how: fc.constantFrom<number | 'html'>(230, 299, 4711, 'html'),
      seconds: fc.constantFrom(60, 20_000),
    }),
  ),
});

const stop: fc.Arbitrary<Stop> = fc.record({
  how: fc.constantFrom('cancel' as const, 'kill' as const),
  at: fc.oneof(
    fc.record({ seconds: seconds(400) }),
    fc.record({
      copy: fc.integer({ min: 1, max: 4 }),
      plus: fc.oneof(
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 2_000 }),
        fc.integer({ min: 0, max: 130_000 }),
      ),
    }),
  ),
  post: fc.boolean(),
});

const run: fc.Arbitrary<Run> = fc
  .record({
    ifExists: fc.constantFrom(
      'adopt' as const,
      'adopt' as const,
      'adopt' as const,
      'adopt' as const,
      'copy' as const,
      'fail' as const,
    ),
    wait: fc.constantFrom(true, true, true, true, false),
    timeout: fc.constantFrom('2h', '2h', '2h', '20m', '3m', '45s'),
    pollInterval: fc.constantFrom('', '', '', '2s', '30s'),
    rollback: fc.constantFrom('never' as const, 'never' as const, 'step' as const, 'job' as const),
    stop: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: stop }),
    laterStepFails: fc.constantFrom(false, false, false, true),
    twin: rarely(
      12,
      fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 120_000 })),
    ),
    gap: fc.oneof(fc.constant(120), seconds(300)),
  })
  // What a cancel or a rollback of one leaves to the other is another promise than that of two runs at once.
  .map((one) =>
    one.twin === null
      ? one
      : {
          ...one,
          ifExists: 'adopt' as const,
          wait: true,
          timeout: '2h',
          rollback: 'never' as const,
          stop: null,
          laterStepFails: false,
        },
  );

/** Hours of a poll every two seconds find nothing that half a minute does not. */
function affordable(one: Scenario): Scenario {
  const isLong =
    one.outage !== null ||
    one.targets.some(
      ({ held, fates }) => held.includes('earlier stuck') || fates.some(({ end }) => end === 'stuck'),
    );
  if (!isLong) return one;
  const runs = one.runs.map((run) => (run.pollInterval === '2s' ? { ...run, pollInterval: '30s' } : run));
  return { ...one, runs };
}

/** Where lists show every region, only what is listed at once, and answered at once, can be known for that of one. */
function knowable(one: Scenario): Scenario {
  const { targets, runs, site, faults } = one;
  const isPlain = targets.every(
    ({ held, strangers, fates }) =>
      held.length === 0 &&
      strangers.length === 0 &&
      fates.every(({ listedAfter, edited }) => listedAfter === 0 && !edited),
  );
  const isClear = faults.every(
    ({ effect }) =>
      effect.kind !== 'slow' &&
      !(effect.kind === 'partial' && ['wrong', 'old', 'swapped'].includes(effect.how)),
  );
  const everywhere = site.everywhere && isPlain && isClear && runs.every(({ twin }) => twin === null);
  return { ...one, site: { ...site, everywhere } };
}

export const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    sameProject: fc.constantFrom(false, false, true),
    tellsProject: fc.boolean(),
    byName: fc.constantFrom(false, false, true),
    text: fc.constantFrom(4, 4, 0, 100, 240, 400),
    site: fc.record({
      batch: fc.constantFrom(true, true, true, true, true, false),
      midway: fc.constantFrom('nothing' as const, 'before' as const, 'others' as const),
      answersRefusal: fc.constantFrom('code' as const, 'code' as const, 'missing' as const, 'empty' as const),
      denies: fc.constantFrom(false, false, false, false, false, true),
      lowercases: fc.constantFrom(false, false, false, false, false, false, true),
      states: fc.constantFrom(
        ...Array.from({ length: 6 }, () => 'documented' as const),
        'UnAvailable' as const,
        'lower case' as const,
      ),
      ghosts: rarely(8, fc.record({ seconds: fc.constantFrom(60, 200, 600), byId: fc.boolean() })),
      locked: fc.constantFrom(...Array.from({ length: 9 }, () => false), true),
      deletes: rarely(
        9,
        fc.oneof(
          fc.record({ how: fc.constant('late' as const), seconds: fc.constantFrom(3, 40, 300) }),
          fc.record({ how: fc.constant('ignored' as const), times: fc.constantFrom(1, 2, 99) }),
        ),
      ),
      answersOne: fc.constantFrom(false, false, false, false, false, false, false, true),
      throttle: fc.constantFrom(
        ...Array.from({ length: 12 }, () => null),
        { rate: 1, burst: 1 },
        { rate: 1, burst: 3 },
        { rate: 2, burst: 2 },
        { rate: 5, burst: 5 },
      ),
      description: fc.constantFrom(null, null, null, null, null, null, null, null, 0, 12, 128, 255),
      page: fc.constantFrom(100, 100, 20),
      total: fc.boolean(),
      newestFirst: fc.boolean(),
      missingIsAnError: fc.boolean(),
      latency: fc.constantFrom(40, 40, 700),
      others: fc.constantFrom(0, 0, 0, 19, 25),
      refusal: fc.constantFrom(
        null,
        null,
        null,
        { code: 8022, seconds: 20 },
        { code: 8022, seconds: 300 },
        { code: 4711, seconds: 60 },
      ),
      everywhere: fc.constantFrom(...Array.from({ length: 15 }, () => false), true),
    }),
    targets: fc.array(target, { minLength: 1, maxLength: 5 }),
    faults,
    outage: rarely(
      40,
      fc.record({
        at: seconds(200),
        seconds: fc.oneof(seconds(600), seconds(600), fc.constant(20_000)),
        how: fc.constantFrom('throttle' as const, 'connection' as const),
        reads: fc.boolean(),
      }),
    ),
    runs: fc.array(run, { minLength: 1, maxLength: 2 }),
    convergence: fc.constantFrom(true, true, true, false),
  })
  .map(affordable)
  .map(knowable);
