import { getProjects, getRegions } from '../../src/cloud/account.ts';
import { createClient } from '../../src/cloud/client.ts';
import type { Clock } from '../../src/cloud/clock.ts';
import { copyCustomImage, describeImages, terminateCustomImage } from '../../src/cloud/images.ts';
import { main } from '../../src/main.ts';
// What main loads is there already: virtual time would run on meanwhile.
import '../../src/promote.ts';
import { post } from '../../src/post.ts';
import type { Workflow } from '../../src/step.ts';
import { VirtualClock } from '../virtual-clock.ts';
import type { Ended } from './oracle/knowledge.ts';
import { Oracle } from './oracle/oracle.ts';
import type { Run, Scenario } from './scenario.ts';
import { Step } from './step.ts';
import { Caller, type Process } from './world/caller.ts';
import { NAME, SOURCE_ID, SOURCE_PROJECT, SOURCE_REGION } from './world/facts.ts';
import { World } from './world/world.ts';

export interface Played {
  violations: string[];
  log: string[];
  struck: Map<string, number>;
}

const LAST: Run = {
  ifExists: 'adopt',
  wait: true,
  timeout: '2h',
  pollInterval: '',
  rollback: 'never',
  stop: null,
  laterStepFails: false,
  twin: null,
  gap: 0,
};

const TIMEOUTS: Record<string, number> = {
  '2h': 7_200_000,
  '20m': 1_200_000,
  '3m': 180_000,
  '45s': 45_000,
};

/** Milliseconds of virtual time after which the game is stuck: far beyond every bound that is checked. */
const LIMIT = 14_400_000;

/** Plays all runs of a scenario and says which promises were broken. */
export async function play(scenario: Scenario, keepsLog = true): Promise<Played> {
  const clock = new VirtualClock({ seed: scenario.seed });
  const world = new World(clock, scenario, keepsLog);
  const unhandled = (reason: unknown) => {
    world.journal.violate(`unhandled rejection: ${reason instanceof Error ? reason.stack : reason}`);
  };
  process.on('unhandledRejection', unhandled);
  try {
    await new Game(scenario, clock, world).play();
    await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    world.journal.violate(`the game itself stopped: ${error instanceof Error ? error.stack : error}`);
  } finally {
    process.off('unhandledRejection', unhandled);
  }
  return { violations: world.journal.violations, log: world.journal.log, struck: world.journal.struck };
}

/** The runs one after another, and those that are two at once. */
class Game {
  private readonly scenario: Scenario;
  private readonly clock: VirtualClock;
  private readonly world: World;
  private readonly oracle: Oracle;
  private serial = 0;

  constructor(scenario: Scenario, clock: VirtualClock, world: World) {
    this.scenario = scenario;
    this.clock = clock;
    this.world = world;
    this.oracle = new Oracle(scenario, clock, world);
  }

  async play(): Promise<void> {
    const { runs, convergence } = this.scenario;
    for (const run of runs) {
      await this.one(run);
      await this.clock.run(this.clock.sleep(run.gap * 1000));
    }
    if (convergence) {
      this.world.faulty = false;
      await this.clock.run(this.clock.sleep(120_000));
      await this.one(LAST, true);
    }
    this.oracle.atTheEnd();
  }

  /** A run, or two at once. */
  private async one(run: Run, isLast = false): Promise<void> {
    const { clock } = this;
    this.oracle.beforeRun();
    const life = this.life(run, isLast);
    if (run.twin === null) {
      await clock.run(life, { limit: LIMIT });
      return;
    }
    this.world.journal.strike('two runs at once');
    const other = clock.sleep(run.twin).then(() => this.life(run, isLast));
    const [first, second] = await clock.run(Promise.all([life, other]), { limit: LIMIT });
    this.oracle.afterTwo(first, second);
  }

  /** One step from its start to the end of its post step. */
  private async life(run: Run, isLast: boolean): Promise<Ended> {
    const { clock, world, oracle } = this;
    const caller = new Caller(this.serial++, run, clock.elapsed, TIMEOUTS[run.timeout] ?? 0);
    const gone = new Set(world.images.all.filter((image) => !world.images.isLive(image)).map(({ id }) => id));
    world.journal.note(`run ${caller.number} begins`);
    const step = new Step();
    const how = await this.main(caller, step);
    const status = step.outputs.get('status') ?? '';
    const unread = new Set([...caller.lists].filter(([, { failed }]) => failed).map(([region]) => region));
    const ended: Ended = { caller, step, how, status, gone, isLast, endedAt: clock.elapsed, unread };
    world.journal.strike(how === 'itself' ? `run ends ${status}` : `run ends by ${how}`);
    world.journal.note(`run ${caller.number} ends (${how}): ${status}`);
    oracle.afterMain(ended);
    const failed = step.errors.length > 0;
    const succeeded = how === 'itself' && !failed;
    const postRuns = how === 'itself' ? failed || run.laterStepFails : (run.stop?.post ?? false);
    if (postRuns) await this.post(caller, step, succeeded);
    oracle.afterAll(ended, { postRuns, succeeded });
    return ended;
  }

  private async main(caller: Caller, step: Step): Promise<Ended['how']> {
    const { clock, world } = this;
    const { stop } = caller.settings;
    const cancel = new AbortController();
    let over = false;
    let kill: (how: 'kill') => void = () => undefined;
    const killed = new Promise<'kill'>((resolve) => {
      kill = resolve;
    });
    const end = () => {
      if (over || caller.cancelledAt !== null) return;
      world.journal.note(`run ${caller.number} is stopped: ${stop?.how}`);
      if (stop?.how === 'kill') {
        proc.alive = false;
        kill('kill');
      } else {
        caller.cancelledAt = clock.elapsed;
        cancel.abort(new Error('The step was cancelled.'));
      }
    };
    const at = stop?.at;
    if (at && 'seconds' in at) clock.after(at.seconds * 1000, end);
    let copies = 0;
    const proc: Process = {
      caller,
      phase: 'main',
      alive: true,
      onCopy: () => {
        copies++;
        if (at && 'copy' in at && at.copy === copies) clock.after(at.plus, end);
      },
      onIds: (ids) => {
        clock.after(1, () => {
          for (const id of ids) {
            if (proc.alive && !step.known.includes(id))
              world.journal.violate(`${id} was answered and is not kept at once`);
          }
        });
      },
    };
    const ended = main(this.workflow(proc, step, cancel.signal)).then(
      () => 'itself' as const,
      (error) => {
        world.journal.violate(`main fails: ${error instanceof Error ? error.stack : error}`);
        return 'itself' as const;
      },
    );
    const how = await Promise.race([ended, killed]);
    over = true;
    return how === 'itself' && caller.cancelledAt !== null ? 'cancel' : how;
  }

  private async post(caller: Caller, step: Step, succeeded: boolean): Promise<void> {
    const { clock, world, oracle } = this;
    const proc: Process = {
      caller,
      phase: 'post',
      alive: true,
      onCopy: () => world.journal.violate('the post step sends a copy'),
      onIds: () => undefined,
    };
    const before = { errors: step.errors.length, at: clock.elapsed, gone: oracle.deleted() };
    world.journal.note(`run ${caller.number}: the post step begins`);
    try {
      await post(this.workflow(proc, step, new AbortController().signal));
    } catch (error) {
      world.journal.violate(`post fails: ${error instanceof Error ? error.stack : error}`);
    }
    world.journal.note(`run ${caller.number}: the post step ends`);
    oracle.afterPost(caller, step, succeeded, before);
  }

  private workflow(proc: Process, step: Step, signal: AbortSignal): Workflow {
    const { scenario, world, clock: root } = this;
    const run = proc.caller.settings;
    const clock: Clock = {
      now: () => root.now(),
      random: () => root.random(),
      async sleep(ms, other) {
        await root.sleep(ms, other);
        if (!proc.alive) await new Promise(() => undefined);
      },
    };
    const regions = world.images.targets().map(({ region }) => region);
    const byName = scenario.byName && !(scenario.sameProject && regions.includes(SOURCE_REGION));
    const inputs: Record<string, string> = {
      'public-key': 'public',
      'private-key': 'hush-hush',
      region: SOURCE_REGION,
      'project-id': scenario.tellsProject ? SOURCE_PROJECT : '',
      [byName ? 'source-image-name' : 'source-image-id']: byName ? NAME : SOURCE_ID,
      'target-project-id': world.images.project(),
      'target-regions': regions.join(','),
      'target-image-name': byName ? '' : NAME,
      wait: String(run.wait),
      timeout: run.timeout,
      'poll-interval': run.pollInterval,
      'if-exists': run.ifExists,
      rollback: run.rollback,
      summary: 'false',
    };
    const env = Object.fromEntries(
      Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
    );
    return {
      core: step.core(proc, world),
      env: { GITHUB_STATE: 'state', ...env },
      clock,
      signal,
      createCloud(options) {
        const client = createClient({ ...options, transport: world.transportFor(proc) });
        return {
          describeImages: (query, call) => describeImages(client, query, call),
          copyCustomImage: (request, call) => copyCustomImage(client, request, call),
          terminateCustomImage: (image, call) => terminateCustomImage(client, image, call),
          getRegions: (call) => getRegions(client, call),
          getProjects: (call) => getProjects(client, call),
          close: async () => undefined,
        };
      },
    };
  }
}
