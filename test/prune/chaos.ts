import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { type Pruning, prune } from '../../src/prune/prune.ts';
import { VirtualClock } from '../virtual-clock.ts';
import {
  type Edit,
  type Effect,
  type Kind,
  PROJECT,
  type Process,
  REGIONS,
  type Seed,
  type Site,
  World,
} from './world.ts';

/**
 * node test/prune/chaos.ts [--runs 2000] [--seed N]
 * Random worlds and fault schedules for prune, in virtual time. Exit code 1 when a promise is broken.
 */

const NO_IMAGE = 8956;
const TIMEOUT = 1_800_000;
/** Milliseconds from a cancel to the end of the step. */
const CANCEL = 5_000;

/** When something happens: so many seconds after the start, or at the sending of the nth call. */
type When = { seconds: number } | { call: number };

export interface Scenario {
  seed: number;
  site: Site;
  rules: { keep: number; minAge: number };
  regions: Seed[][];
  edits: { what: Edit; region: number; which: number; when: When }[];
  faults: { on: string; nth: number; count: number; effect: Effect }[];
  stop: { how: 'kill' | 'cancel'; when: When } | null;
}

const when: fc.Arbitrary<When> = fc.oneof(
  fc.record({ call: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ seconds: fc.integer({ min: 0, max: 60 }) }),
);

const image = (minAge: number): fc.Arbitrary<Seed> =>
  fc.record({
    kind: fc.oneof(
      { weight: 8, arbitrary: fc.constant<Kind>('ours') },
      {
        weight: 1,
        arbitrary: fc.constantFrom<Kind>(
          'unmarked',
          'cut marker',
          'marker by hand',
          'marker behind words',
          'other name',
          'base image',
          'other project',
          'without age',
        ),
      },
    ),
    // Some days to either side of the least age, and never within hours of it: time goes on while a run is played.
    hours: fc
      .oneof(
        { weight: 3, arbitrary: fc.integer({ min: minAge + 6, max: 3000 }) },
        fc.integer({ min: 1, max: 3000 }),
      )
      .filter((hours) => Math.abs(hours - minAge) > 5),
    state: fc.oneof(
      { weight: 8, arbitrary: fc.constant<Seed['state']>('Available') },
      {
        weight: 3,
        arbitrary: fc.constantFrom<Seed['state']>('Unavailable', 'Copying', 'Making', 'Syncing', null),
      },
    ),
    guarded: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.constant(true)),
  });

const executed = fc.constantFrom(null, 0, 0, 20, 60);
const effect: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({
    kind: fc.constantFrom(
      'refused' as const,
      'truncated' as const,
      'garbage' as const,
      'empty list' as const,
    ),
  }),
  fc.record({ kind: fc.constantFrom('lost' as const, 'hang' as const), executed }),
  fc.record({
    kind: fc.constant('http' as const),
    status: fc.constantFrom(500, 502, 504, 429, 403),
    executed,
  }),
  fc.record({
    kind: fc.constant('code' as const),
    code: fc.constantFrom(110, 130, 153, 8022, 8889, NO_IMAGE, NO_IMAGE, 8980, 4711, 295, 295, 299, 230),
    executed,
  }),
);

const scenario: fc.Arbitrary<Scenario> = fc
  .constantFrom(24, 168, 720)
  .chain((minAge) =>
    fc.record({
      seed: fc.integer({ min: 1, max: 1e6 }),
      site: fc.record({
        page: fc.constantFrom(20, 20, 100, 5),
        total: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
        newestFirst: fc.boolean(),
        latency: fc.constantFrom(50, 200, 1500),
        deletes: fc.oneof(
          { weight: 5, arbitrary: fc.constant(null) },
          fc.record({ how: fc.constant('late' as const), seconds: fc.constantFrom(3, 40, 300) }),
          fc.record({ how: fc.constant('ignored' as const), times: fc.constantFrom(1, 2, 99) }),
        ),
      }),
      rules: fc.record({ keep: fc.integer({ min: 1, max: 4 }), minAge: fc.constant(minAge) }),
      regions: fc.array(
        fc.oneof(
          { weight: 3, arbitrary: fc.array(image(minAge), { maxLength: 14 }) },
          { weight: 1, arbitrary: fc.array(image(minAge), { minLength: 15, maxLength: 45 }) },
        ),
        { minLength: 1, maxLength: 3 },
      ),
      edits: fc.array(
        fc.record({
          what: fc.constantFrom<Edit>('rename', 'unmark', 'break', 'delete', 'appear', 'finish'),
          region: fc.nat({ max: 2 }),
          which: fc.nat({ max: 20 }),
          when,
        }),
        { maxLength: 4 },
      ),
      faults: fc
        .array(
          fc.record({
            on: fc.constantFrom('DescribeImage', 'TerminateCustomImage', 'TerminateCustomImage'),
            nth: fc.integer({ min: 1, max: 12 }),
            count: fc.constantFrom(1, 1, 2, 8, 1000),
            effect,
          }),
          { maxLength: 3 },
        )
        // That would be a lie, and no fault.
        .map((faults) =>
          faults.filter(({ on, effect }) =>
            on === 'DescribeImage'
              ? effect.kind !== 'code' || effect.code !== NO_IMAGE
              : effect.kind !== 'empty list' &&
                (effect.kind !== 'code' || effect.code !== NO_IMAGE || effect.executed === null),
          ),
        ),
      stop: fc.oneof(
        { weight: 3, arbitrary: fc.constant(null) },
        {
          weight: 1,
          arbitrary: fc.record({ how: fc.constantFrom('kill' as const, 'cancel' as const), when }),
        },
      ),
    }),
  )
  // Without a total a page is taken for the last one when it is shorter than the least that a site caps pages at.
  .map((one) =>
    one.site.total ? one : { ...one, site: { ...one.site, page: Math.max(20, one.site.page) } },
  );

interface Played {
  violations: string[];
  log: string[];
  struck: Map<string, number>;
}

export async function play(one: Scenario): Promise<Played> {
  const clock = new VirtualClock({ seed: one.seed });
  const regions = REGIONS.slice(0, one.regions.length);
  const seeds = Object.fromEntries(regions.map((region, index) => [region, one.regions[index] ?? []]));
  const world = new World(clock, one.site, one.rules, seeds);
  const guarded = world.guarded;

  async function run(process: Process, cancel: AbortController): Promise<Pruning | null> {
    world.begin();
    const work = prune({
      order: {
        projectId: PROJECT,
        regions: [...regions],
        rules: {
          name: 'web-*',
          keep: one.rules.keep,
          minAge: one.rules.minAge * 3_600_000,
          protect: new Map(guarded.map((id) => [id.toLowerCase(), 'protected'])),
        },
        dryRun: false,
        timeout: TIMEOUT,
      },
      cloud: world.cloudFor(process),
      clock,
      report: () => undefined,
      signal: cancel.signal,
    });
    const killed = (async () => {
      while (process.alive) await clock.sleep(100);
      return null;
    })();
    const result = await Promise.race([work, killed]);
    process.alive = false;
    return result;
  }

  const violate = (what: string) => world.violate(what);
  const check = (
    result: Pruning | null,
    process: Process,
    since: number,
    clean: boolean,
    already: Set<string>,
  ) => {
    if (!result) return;
    const items = result.regions.flatMap((region) => region.items ?? []);
    const named = (fate: string) =>
      items.filter((item) => item.fate === fate).map(({ image }) => image.ImageId);
    const ours = [...world.deletedByUs].filter((id) => !already.has(id));
    const told = new Set([...named('deleted'), ...named('failed')]);
    // One of an earlier run may be carried out now.
    const isLate = one.site.deletes?.how === 'late';
    for (const id of isLate ? [] : ours)
      if (!told.has(id)) violate(`${id} was deleted, and the result does not say so`);
    // Accepted, and unknown a moment later: that is an image which is gone.
    const liesTwice = one.faults.some(({ effect }) => effect.kind === 'code' && effect.code === NO_IMAGE);
    for (const id of named('deleted')) {
      if (world.isThere(id) && !liesTwice) violate(`${id} is told as deleted, and is there`);
      if (!world.deletedByUs.has(id)) world.strike('told as deleted, by somebody else meanwhile');
    }
    if (process.cancelledAt !== null) {
      if (clock.elapsed - process.cancelledAt > CANCEL) violate('a cancel takes more than five seconds');
      if (result.ended !== 'cancelled') violate('a cancel is not told');
      return;
    }
    if (clock.elapsed - since > TIMEOUT + 200_000) violate('it takes much longer than its timeout');
    const failed = result.ended !== 'complete' || result.regions.some(({ problems }) => problems.length > 0);
    if (clean && failed && !one.site.deletes) violate('without a fault it has failed');
    for (const { region, items: some, problems } of result.regions) {
      if (some === null && problems.length === 0 && result.ended === 'complete')
        violate('an unread list is not told');
      if (problems.length > 0 || some === null || result.ended !== 'complete') continue;
      // Without a total nobody can see that a row has moved to a page read before: it goes in the next run.
      if (!one.site.total && one.edits.length > 0 && !clean) continue;
      if (one.site.deletes && liesTwice) continue;
      for (const id of world.overdue(region, since)) violate(`${id} must go, and is still there`);
    }
    if (!failed) world.strike('run without failure');
  };

  async function first(): Promise<void> {
    world.effects = one.faults;
    const process: Process = { alive: true, cancelledAt: null };
    const cancel = new AbortController();
    const atCalls: { call: number; act: () => void }[] = [];
    const schedule = (at: When, act: () => void) => {
      if ('call' in at) atCalls.push({ call: at.call, act });
      else clock.after(at.seconds * 1000, act);
    };
    let over = false;
    for (const { what, region, which, when: at } of one.edits) {
      const place = regions[region % regions.length] ?? 'hk';
      schedule(at, () => over || world.edit(what, place, which));
    }
    if (one.stop) {
      const { how } = one.stop;
      schedule(one.stop.when, () => {
        if (over) return;
        world.strike(how);
        world.note(how);
        if (how === 'kill') process.alive = false;
        else {
          process.cancelledAt = clock.elapsed;
          cancel.abort(new Error('The step was cancelled.'));
        }
      });
    }
    world.onCall = (n) => {
      for (const { call, act } of atCalls) if (call === n) clock.after(0, act);
    };
    const since = clock.elapsed;
    const result = await run(process, cancel);
    over = true;
    const clean = one.faults.length === 0 && one.edits.length === 0 && one.stop === null;
    check(result, process, since, clean, new Set());
    if (clean) {
      const deletes = world.deletes;
      await again('second');
      if (world.deletes > deletes && !one.site.deletes) violate('a second run deletes something');
    }
  }

  async function again(which: string): Promise<void> {
    world.effects = [];
    world.onCall = () => undefined;
    world.note(`the ${which} run`);
    const process: Process = { alive: true, cancelledAt: null };
    const since = clock.elapsed;
    const already = new Set(world.deletedByUs);
    check(await run(process, new AbortController()), process, since, true, already);
  }

  await clock.run(
    (async () => {
      await first();
      // What was sent before a kill may be executed until then.
      await clock.sleep(120_000);
      await again('mending');
      const deletes = world.deletes;
      await again('last');
      if (world.deletes > deletes && !one.site.deletes)
        violate('a run after one without faults deletes something');
    })(),
  );
  return { violations: world.violations, log: world.log, struck: world.struck };
}

export interface Found {
  runs: number;
  struck: Map<string, number>;
  failure: { scenario: Scenario; played: Played } | null;
}

/** Plays until a promise is broken, then makes that schedule smaller for some seconds. */
export async function search(seed: number, runs: number, shrinking = 10_000): Promise<Found> {
  const struck = new Map<string, number>();
  let played = 0;
  let failedAt: number | null = null;
  const property = fc.asyncProperty(scenario, async (one) => {
    if (failedAt !== null && Date.now() - failedAt > shrinking) return true;
    const result = await play(one);
    if (failedAt === null) {
      played++;
      for (const kind of result.struck.keys()) struck.set(kind, (struck.get(kind) ?? 0) + 1);
      if (result.violations.length > 0) failedAt = Date.now();
    }
    return result.violations.length === 0;
  });
  const { counterexample } = await fc.check(property, { seed, numRuns: runs });
  const [smallest] = counterexample ?? [];
  return {
    runs: played,
    struck,
    failure: smallest ? { scenario: smallest, played: await play(smallest) } : null,
  };
}

export function tell({ runs, failure }: Found): string {
  if (!failure) return '';
  return [
    `Schedule ${runs} breaks a promise:`,
    ...new Set(failure.played.violations.map((violation) => `- ${violation}`)),
    JSON.stringify(failure.scenario),
    ...failure.played.log,
  ].join('\n');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '2000' }, seed: { type: 'string' } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  const began = Date.now();
  const found = await search(seed, Number(values.runs));
  for (const [kind, count] of [...found.struck].sort()) console.log(`${String(count).padStart(7)}  ${kind}`);
  if (found.failure) console.log(tell(found));
  console.log(
    `${found.runs} worlds pruned in ${Math.round((Date.now() - began) / 1000)} s, seed ${seed}, violations: ${found.failure ? 1 : 0}`,
  );
  process.exitCode = found.failure ? 1 : 0;
}
