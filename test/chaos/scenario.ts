import fc from 'fast-check';
import { CODES, describe, fateWords, OF_A_REGION, REGIONS, SOURCE_REGION } from './world.ts';

/** What becomes of one copy. Seconds after it was made. */
export interface Fate {
  seconds: number;
  end: 'Available' | 'Unavailable' | 'differs' | 'stuck';
  /** Until then it tells a state that nobody documented. */
  odd: boolean;
  /** More than 50 s is later than the model's cloud promises. */
  listedAfter: number;
  /** Its ImageSize is 0. */
  sizeless: 'never' | 'at first' | 'always';
  /** Somebody edits its description: nothing is left of it, or something follows. */
  edited?: { after: number; how: 'replaced' | 'continued' };
  /** Somebody deletes it. */
  removedAfter?: number;
}

/** `executed`: seconds after the call was sent, null for never. */
export type Effect =
  | { kind: 'refused' | 'truncated' | 'blink' }
  | { kind: 'lost'; after: number; executed: number | null }
  | { kind: 'hang' | 'garbage'; executed: number | null }
  | { kind: 'http'; status: number; executed: number | null }
  /** `mask`: of a batch, the bits of the regions that are executed all the same. */
  | { kind: 'code'; code: number; executed: number | null; mask: number }
  /** A list without some or all of its rows, with null for one, or without ImageSet; its TotalCount is true. */
  | { kind: 'unwhole'; how: 'empty' | 'rows' | 'no set' | 'null' }
  | { kind: 'slow'; seconds: number }
  /**
   * `twice`: of a list, with an id that is none before its own. `wrong`: with the id of an image that somebody has just
   * made under our name.
   */
  | { kind: 'partial'; which: number; how: 'missing' | 'empty' | 'twice' | 'wrong'; executed: number | null };

export type Action = 'CopyCustomImage' | 'DescribeImage' | 'TerminateCustomImage' | 'GetRegion';

/** Strikes the calls `nth` to `nth + count - 1` of an action, counted over all runs. */
export interface Fault {
  on: Action;
  nth: number;
  count: number;
  effect: Effect;
}

export type Held =
  | 'earlier available'
  | 'earlier copying'
  | 'earlier broken'
  | 'earlier differs'
  | 'earlier stuck'
  | 'other name'
  | 'of another source'
  | 'namesake';

export interface Target {
  held: Held[];
  /** The fate of the first copy made there, the second, and so on; the last one repeats. */
  fates: Fate[];
  /**
   * Images of our name that somebody makes, `after` seconds: without a description, with another one, or with the one of a
   * copy of ours; with the source's content, or not.
   */
  strangers: { after: number; described: 'not' | 'otherwise' | 'as ours'; same: boolean }[];
  /** Every copy to this region is refused so. */
  refuses: number | null;
  /** Lists of this region are refused so, for so many seconds from the start of the scenario. */
  unlisted: { how: number | 'html'; seconds: number } | null;
}

/** The step is cancelled, or killed, so many seconds after its start, or milliseconds after its `copy`th CopyCustomImage. */
export interface Stop {
  how: 'cancel' | 'kill';
  at: { seconds: number } | { copy: number; plus: number };
  /** The post step runs. */
  post: boolean;
}

export interface Run {
  ifExists: 'adopt' | 'copy' | 'fail';
  wait: boolean;
  timeout: string;
  pollInterval: string;
  rollback: 'never' | 'step' | 'job';
  stop: Stop | null;
  laterStepFails: boolean;
  /** The same step begins once more, so many milliseconds later, at the side of this one. */
  twin: number | null;
  /** Seconds until the next run. */
  gap: number;
}

export interface Scenario {
  seed: number;
  sameProject: boolean;
  tellsProject: boolean;
  byName: boolean;
  /** Characters of the source's description. */
  text: number;
  site: {
    batch: boolean;
    /** What a batch makes when one of its regions is refused: nothing, those before it, or all others. */
    midway: 'nothing' | 'before' | 'others';
    /** How a batch answers then: with the code, without an entry for the region, or with an empty one. */
    answersRefusal: 'code' | 'missing' | 'empty';
    /** GetRegion and GetProjectList are denied. */
    denies: boolean;
    /** Names are kept in small letters. */
    lowercases: boolean;
    states: 'documented' | 'UnAvailable' | 'lower case';
    /** Seconds for which lists hold what was deleted; so do reads by id, or not. */
    ghosts: { seconds: number; byId: boolean } | null;
    /** Every delete is refused with 295. */
    locked: boolean;
    /** A delete is accepted and carried out later, or not at all for the first times. */
    deletes: { how: 'late'; seconds: number } | { how: 'ignored'; times: number } | null;
    /** A batch is executed, and answered as one copy: with the first id alone. */
    answersOne: boolean;
    /** Calls a second and at once; what is beyond is refused. */
    throttle: { rate: number; burst: number } | null;
    /** Characters of a description that the site keeps; null for all. */
    description: number | null;
    page: number;
    total: boolean;
    newestFirst: boolean;
    /** DescribeImage of an id that is not listed answers 8956. */
    missingIsAnError: boolean;
    /** Milliseconds. */
    latency: number;
    /** Other images in each region. */
    others: number;
    refusal: { code: number; seconds: number } | null;
  };
  targets: Target[];
  faults: Fault[];
  /** From `at`, for so many seconds, every read, or every call, is throttled or finds no connection. */
  outage: { at: number; seconds: number; how: 'throttle' | 'connection'; reads: boolean } | null;
  runs: Run[];
  /** One more run, without faults, that adopts and waits. */
  convergence: boolean;
}

const seconds = (max: number) => fc.oneof(fc.integer({ min: 0, max }), fc.constant(0), fc.constant(max));

/** Null but once in so many times. */
const rarely = <T>(times: number, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: times - 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

/** Often at once, sometimes late, at most 60 s after it was sent. */
const executed = fc.oneof(fc.constant(null), fc.constant(0), seconds(60));

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
    how: fc.constantFrom('missing' as const, 'empty' as const, 'twice' as const, 'wrong' as const),
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
const faults: fc.Arbitrary<Fault[]> = fc
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
  .map(affordable);

/** What is not as usual, line by line. */
export function story({ site, targets, faults, runs, outage, ...rest }: Scenario): string {
  const lines = [
    `The source is in ${SOURCE_REGION}; the target project is ${rest.sameProject ? 'its own' : 'another one'}.`,
    ...(rest.byName ? ['It is given by its name.'] : []),
    ...(rest.tellsProject ? [] : ['project-id is not given.']),
    ...(rest.text === 4 ? [] : [`The source is described by ${rest.text} characters.`]),
    ...(site.batch ? [] : ['The site ignores TargetRegionList.']),
    ...(site.answersOne ? ['The site answers a batch with its first id alone.'] : []),
    ...(site.throttle
      ? [`The site allows ${site.throttle.rate} calls a second, ${site.throttle.burst} at once.`]
      : []),
    ...(site.description === null ? [] : [`The site keeps ${site.description} characters of a description.`]),
    ...(targets.some(({ refuses }) => refuses !== null) || rest.sameProject
      ? [
          `A batch with a region that is refused makes ${site.midway === 'nothing' ? 'nothing' : site.midway === 'before' ? 'those before it' : 'all others'}, and answers ${site.answersRefusal === 'code' ? 'with the code' : `with ${site.answersRefusal === 'missing' ? 'no' : 'an empty'} entry for it`}.`,
        ]
      : []),
    ...(site.denies ? ['GetRegion and GetProjectList are denied.'] : []),
    ...(site.lowercases ? ['The site keeps names in small letters.'] : []),
    ...(site.states === 'documented' ? [] : [`The site writes states as ${site.states}.`]),
    ...(site.ghosts
      ? [
          `What was deleted stays in lists for ${site.ghosts.seconds} s${site.ghosts.byId ? ', and is read by its id' : ''}.`,
        ]
      : []),
    ...(site.locked ? ['Every delete is refused with 295.'] : []),
    ...(site.deletes
      ? [
          site.deletes.how === 'late'
            ? `A delete is carried out ${site.deletes.seconds} s after its answer.`
            : `The first ${site.deletes.times} deletes of an image are accepted and not carried out.`,
        ]
      : []),
    ...(site.missingIsAnError ? ['The site answers 8956 for an id that is not listed.'] : []),
    ...(site.others > 0
      ? [
          `Each region holds ${site.others} other images; pages of ${site.page}, ${site.newestFirst ? 'newest' : 'oldest'} first, ${site.total ? 'with' : 'without'} a total.`,
        ]
      : []),
    ...(site.refusal
      ? [`A delete is refused with ${site.refusal.code} while copying, for ${site.refusal.seconds} s.`]
      : []),
    `An answer takes ${site.latency} ms.`,
    ...targets.flatMap(({ held, fates, strangers, refuses, unlisted }, index) => [
      `${REGIONS[index]}: ${held.length > 0 ? `holds ${held.join(', ')}; ` : ''}copies become ${fates.map(fateWords).join('; then ')}.`,
      ...(refuses === null ? [] : [`${REGIONS[index]}: every copy to it is refused with ${refuses}.`]),
      ...(unlisted === null
        ? []
        : [`${REGIONS[index]}: lists answer ${unlisted.how} for ${unlisted.seconds} s.`]),
      ...strangers.map(
        ({ after, described, same }) =>
          `${REGIONS[index]}: after ${after} s somebody makes an image of our name, ${described === 'not' ? 'without a description' : `described ${described}`}, ${same ? 'like' : 'unlike'} the source.`,
      ),
    ]),
    ...(outage
      ? [
          `From ${outage.at} s on, for ${outage.seconds} s, every ${outage.reads ? 'read' : 'call'} ${outage.how === 'throttle' ? 'is throttled' : 'finds no connection'}.`,
        ]
      : []),
    ...faults.map(
      ({ on, nth, count, effect }) =>
        `${on === 'GetRegion' ? 'GetRegion or GetProjectList' : on} ${count > 1 ? `${nth} to ${nth + count - 1}` : nth}: ${describe(effect)}.`,
    ),
    ...runs.map(
      (one, index) =>
        `Run ${index}: if-exists ${one.ifExists}, wait ${one.wait}, timeout ${one.timeout}, rollback ${one.rollback}${one.pollInterval ? `, poll-interval ${one.pollInterval}` : ''}${stopWords(one)}${one.twin === null ? '' : `; the same step begins once more after ${one.twin} ms`}${one.laterStepFails ? '; a later step fails' : ''}; then ${one.gap} s.`,
    ),
    ...(rest.convergence ? ['A last run has no faults.'] : []),
  ];
  return lines.map((line) => `  ${line}`).join('\n');
}

function stopWords({ stop }: Run): string {
  if (!stop) return '';
  const when =
    'seconds' in stop.at
      ? `after ${stop.at.seconds} s`
      : `${stop.at.plus} ms after CopyCustomImage ${stop.at.copy}`;
  return `; ${stop.how} ${when}${stop.post ? ', then the post step' : ', no post step'}`;
}
