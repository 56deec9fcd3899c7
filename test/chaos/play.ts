import { getProjects, getRegions } from '../../src/cloud/account.ts';
import { createClient } from '../../src/cloud/client.ts';
import type { Clock } from '../../src/cloud/clock.ts';
import { copyCustomImage, describeImages, terminateCustomImage } from '../../src/cloud/images.ts';
import { main } from '../../src/main.ts';
import { post } from '../../src/post.ts';
import type { Workflow } from '../../src/step.ts';
import { VirtualClock } from '../virtual-clock.ts';
import type { Run, Scenario } from './scenario.ts';
import {
  type ModelImage,
  NAME,
  type Process,
  SOURCE_ID,
  SOURCE_PROJECT,
  SOURCE_REGION,
  World,
} from './world.ts';

export interface Played {
  violations: string[];
  log: string[];
  struck: Map<string, number>;
}

/** Milliseconds a run may take beyond its timeout: a copy in its last 90 s, reads and deletes for three minutes. */
const GRACE = 200_000;
/** A rollback looks for two minutes for what may turn up, and gives up three minutes later. */
const ROLLBACK = 320_000;
/** From a cancel to the end of the step. */
const CANCEL = 5_000;

const LAST: Run = {
  ifExists: 'adopt',
  wait: true,
  timeout: '2h',
  pollInterval: '',
  rollback: 'never',
  stop: null,
  laterStepFails: false,
  gap: 0,
};

const TIMEOUTS: Record<string, number> = { '2h': 7_200_000, '20m': 1_200_000, '3m': 180_000, '45s': 45_000 };

/** The workflow's side of one step, as it is left when the process dies. */
class Step {
  readonly outputs = new Map<string, string>();
  readonly state = new Map<string, string>();
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  readonly lines: string[] = [];

  core(process: Process, world: World): Workflow['core'] {
    const alive = (action: (text: string) => void) => (text: unknown) => {
      if (process.alive) action(text instanceof Error ? text.message : String(text));
    };
    const say = (into: string[], prefix: string) =>
      alive((text) => {
        into.push(text);
        world.note(`${prefix}${text.replaceAll('\n', ' / ')}`);
      });
    const core = {
      setSecret: () => undefined,
      info: say(this.lines, '    | '),
      notice: say(this.lines, '    | '),
      startGroup: () => undefined,
      endGroup: () => undefined,
      debug: () => undefined,
      isDebug: () => false,
      warning: say(this.warnings, '    | warning: '),
      setFailed: say(this.errors, '    | error: '),
      error: say(this.errors, '    | error: '),
      setOutput: (name: string, value: unknown) => {
        if (process.alive) this.outputs.set(name, String(value));
      },
      saveState: (name: string, value: unknown) => {
        if (process.alive) this.state.set(name, typeof value === 'string' ? value : JSON.stringify(value));
      },
      getState: (name: string) => this.state.get(name) ?? '',
    };
    return core as unknown as Workflow['core'];
  }

  get warned(): string {
    return [...this.warnings, ...this.errors].join('\n');
  }

  get told(): string {
    return [...this.lines, ...this.warnings, ...this.errors].join('\n');
  }

  get known(): string {
    return [
      ...this.outputs.values(),
      ...this.state.values(),
      ...this.lines,
      ...this.warnings,
      ...this.errors,
    ].join('\n');
  }

  images(): { region: string; imageId: string | null; outcome: string; state: string | null }[] {
    return JSON.parse(this.outputs.get('images') ?? '[]');
  }
}

/** Plays all runs of a scenario and says which promises were broken. */
export async function play(scenario: Scenario): Promise<Played> {
  const clock = new VirtualClock({ seed: scenario.seed });
  const world = new World(clock, scenario);
  const unhandled = (reason: unknown) => {
    world.violate(`unhandled rejection: ${reason instanceof Error ? reason.stack : reason}`);
  };
  process.on('unhandledRejection', unhandled);
  try {
    await new History(scenario, clock, world).play();
    await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    world.violate(`the game itself stopped: ${error instanceof Error ? error.stack : error}`);
  } finally {
    process.off('unhandledRejection', unhandled);
  }
  return { violations: world.violations, log: world.log, struck: world.struck };
}

/** A reader has been told to delete it, or why it was kept. */
function isToldAsDouble(warned: string, id: string): boolean {
  const words = /may still be there|this run made a second copy|was not deleted|One may be a second copy/;
  return warned
    .split(/\n(?!They carry)/)
    .some((line) => words.test(line) && new RegExp(`\\b${id}\\b`).test(line));
}

interface Ended {
  step: Step;
  how: 'itself' | 'cancel' | 'kill';
  startedAt: number;
  struckBefore: Map<string, number>;
  copiesBefore: number;
}

class History {
  private readonly scenario: Scenario;
  private readonly clock: VirtualClock;
  private readonly world: World;
  /** Regions in which a run began before what an earlier one had made could be seen. */
  private readonly overlapped = new Set<string>();
  private readonly warned: string[] = [];
  private last: { step: Step; status: string } | null = null;

  constructor(scenario: Scenario, clock: VirtualClock, world: World) {
    this.scenario = scenario;
    this.clock = clock;
    this.world = world;
  }

  async play(): Promise<void> {
    const { runs, convergence } = this.scenario;
    for (const [index, run] of runs.entries()) {
      await this.run(run, index);
      await this.clock.run(this.clock.sleep(run.gap * 1000));
    }
    if (convergence) {
      this.world.faulty = false;
      await this.clock.run(this.clock.sleep(120_000));
      await this.run(LAST, runs.length);
    }
    this.checkDoublesOfAll();
  }

  private async run(run: Run, index: number): Promise<void> {
    const { clock, world } = this;
    world.unclear.clear();
    world.hard = 0;
    for (const image of world.images) {
      if (typeof image.maker === 'number' && world.isLive(image) && !world.isListed(image))
        this.overlapped.add(image.region);
    }
    for (const { region } of world.pending) this.overlapped.add(region);
    const before = {
      startedAt: clock.elapsed,
      struckBefore: new Map(world.struck),
      copiesBefore: world.copyCalls,
      gone: new Set(world.images.filter((image) => !world.isLive(image)).map(({ id }) => id)),
    };
    world.note(`run ${index} begins`);
    const step = new Step();
    const { how, cancelledAt } = await this.main(run, index, step);
    const ended: Ended = { step, how, ...before };
    const status = step.outputs.get('status') ?? '';
    world.strike(how === 'itself' ? `run ends ${status}` : `run ends by ${how}`);
    world.note(`run ${index} ends (${how}): ${status}`);
    this.markUnseen(run, index, ended);
    this.checkTime(run, ended, cancelledAt);
    if (how !== 'kill') this.checkWords(step, status);
    if (how === 'itself') {
      if (status === 'available') this.checkSuccess(step);
      this.checkDoubles(index, ended, run);
      this.checkExpected(run, ended, status, index, before.gone);
    }
    this.checkAdopted(step, index);
    const failed = step.errors.length > 0;
    const succeeded = how === 'itself' && !failed;
    const postRuns = how === 'itself' ? failed || run.laterStepFails : (run.stop?.post ?? false);
    if (postRuns) await this.post(run, index, step, succeeded);
    this.checkLost(index, ended, run);
    this.checkRollback(run, index, step, ended, { postRuns, succeeded });
    this.warned.push(step.warned);
    this.last = { step, status: how === 'itself' ? status : '' };
  }

  /**
   * What a run made could not be known to it when it was stopped or out of time, and the next run cannot tell it from
   * a double: a copy that was executed though the API refused it, or made elsewhere by a site that ignores the list.
   */
  private markUnseen(run: Run, index: number, { how, startedAt }: Ended): void {
    const { world } = this;
    const lastLook = startedAt + (TIMEOUTS[run.timeout] ?? 0);
    const wereRefused = (region: string) =>
      world.images.some(
        (other) => other.maker === index && other.region === region && other.told === 'refused',
      );
    for (const image of world.images) {
      const hidden = !image.asked || wereRefused(image.region);
      if (
        image.maker === index &&
        hidden &&
        (how !== 'itself' || image.listedAt > lastLook || (image.told === 'refused' && !image.asked))
      )
        this.overlapped.add(image.region);
    }
    for (const { region, refused } of world.pending) {
      if (refused || wereRefused(region)) this.overlapped.add(region);
      if (!this.scenario.site.batch) this.overlapped.add(SOURCE_REGION);
    }
  }

  private workflow(proc: Process, step: Step, signal: AbortSignal, run: Run): Workflow {
    const { scenario, world } = this;
    const root = this.clock;
    const clock: Clock = {
      now: () => root.now(),
      random: () => root.random(),
      async sleep(ms, other) {
        await root.sleep(ms, other);
        if (!proc.alive) await new Promise(() => undefined);
      },
    };
    const regions = world.targets().map(({ region }) => region);
    const byName = scenario.byName && !(scenario.sameProject && regions.includes(SOURCE_REGION));
    const inputs: Record<string, string> = {
      'public-key': 'public',
      'private-key': 'hush-hush',
      region: SOURCE_REGION,
      'project-id': scenario.tellsProject ? SOURCE_PROJECT : '',
      [byName ? 'source-image-name' : 'source-image-id']: byName ? NAME : SOURCE_ID,
      'target-project-id': world.project(),
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
      env,
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

  private async main(
    run: Run,
    index: number,
    step: Step,
  ): Promise<{ how: Ended['how']; cancelledAt: number | null }> {
    const { clock, world } = this;
    const proc: Process = { run: index, phase: 'main', alive: true };
    const cancel = new AbortController();
    let over = false;
    let cancelledAt: number | null = null;
    world.cancelledAt = null;
    let kill: (how: 'kill') => void = () => undefined;
    const killed = new Promise<'kill'>((resolve) => {
      kill = resolve;
    });
    const stop = () => {
      if (over || cancelledAt !== null) return;
      world.note(`run ${index} is stopped: ${run.stop?.how}`);
      if (run.stop?.how === 'kill') {
        proc.alive = false;
        over = true;
        kill('kill');
      } else {
        cancelledAt = clock.elapsed;
        world.cancelledAt = cancelledAt;
        cancel.abort(new Error('The step was cancelled.'));
      }
    };
    const at = run.stop?.at;
    if (at && 'seconds' in at) clock.after(at.seconds * 1000, stop);
    let copies = 0;
    world.onCall = (caller, action) => {
      if (caller !== proc || action !== 'CopyCustomImage') return;
      copies++;
      if (at && 'copy' in at && at.copy === copies) clock.after(at.plus, stop);
    };
    world.onIds = (receiver, ids) => {
      clock.after(1, () => {
        for (const id of ids) {
          if (receiver.alive && !step.known.includes(id))
            world.violate(`${id} was answered and is not kept at once`);
        }
      });
    };
    const ended = main(this.workflow(proc, step, cancel.signal, run)).then(
      () => 'itself' as const,
      (error) => {
        world.violate(`main fails: ${error instanceof Error ? error.stack : error}`);
        return 'itself' as const;
      },
    );
    const limit = { limit: (TIMEOUTS[run.timeout] ?? 0) + 3_600_000 };
    const how = await clock.run(Promise.race([ended, killed]), limit);
    over = true;
    return { how: how === 'itself' && cancelledAt !== null ? 'cancel' : how, cancelledAt };
  }

  private async post(run: Run, index: number, step: Step, succeeded: boolean): Promise<void> {
    const { clock, world } = this;
    const proc: Process = { run: index, phase: 'post', alive: true };
    const errors = step.errors.length;
    const deletedBefore = world.struck.get('an image of the run is deleted');
    const begun = clock.elapsed;
    world.note(`run ${index}: the post step begins`);
    world.onIds = () => undefined;
    try {
      await clock.run(post(this.workflow(proc, step, new AbortController().signal, run)), {
        limit: 3_600_000,
      });
    } catch (error) {
      world.violate(`post fails: ${error instanceof Error ? error.stack : error}`);
    }
    world.note(`run ${index}: the post step ends`);
    world.strike('post step');
    if (clock.elapsed - begun > ROLLBACK)
      world.violate(`the post step took ${(clock.elapsed - begun) / 1000} s`);
    if (step.errors.length > errors) world.violate('the post step fails the job once more');
    if (
      run.rollback === 'step' &&
      succeeded &&
      world.struck.get('an image of the run is deleted') !== deletedBefore
    )
      world.violate('rollback: step undid a step that had succeeded');
  }

  private checkTime(run: Run, { startedAt, how }: Ended, cancelledAt: number | null): void {
    const { clock, world } = this;
    const took = clock.elapsed - startedAt;
    const most = (TIMEOUTS[run.timeout] ?? 0) + GRACE + (run.rollback === 'never' ? 0 : ROLLBACK);
    if (how === 'itself' && took > most)
      world.violate(`the run took ${took / 1000} s with a timeout of ${run.timeout}`);
    if (cancelledAt !== null && clock.elapsed - cancelledAt > CANCEL)
      world.violate(`the run ended ${(clock.elapsed - cancelledAt) / 1000} s after its cancel`);
  }

  private checkWords({ errors, warnings, lines, outputs }: Step, status: string): void {
    const { world } = this;
    const bad = ['failed', 'partial'].includes(status);
    if (bad && errors.length !== 1) world.violate(`status ${status} with ${errors.length} errors`);
    if (!bad && errors.length > 0) world.violate(`status ${status} with the error ${errors[0]}`);
    if (!['available', 'copying', 'partial', 'failed'].includes(status)) world.violate(`status ${status}`);
    const all = [...errors, ...warnings, ...lines].join('\n');
    if (/^\s+at .+:\d+/m.test(all)) world.violate('a stack is shown');
    if (/The action itself failed|undefined|\[object|NaN|hush/.test(all))
      world.violate(`words that no reader should see: ${all}`);
    if (!outputs.has('image-ids')) world.violate('there is no output image-ids');
  }

  /** `available` is true: every target has an image that is Available and equal to the source. */
  private checkSuccess(step: Step): void {
    const { world } = this;
    const ids: Record<string, string> = JSON.parse(step.outputs.get('image-ids') ?? '{}');
    for (const { region } of world.targets()) {
      const image = world.images.find(({ id }) => id === ids[region]);
      if (!image || image.region !== region || image.project !== world.project()) {
        world.violate(`available, but ${region} has no image`);
        continue;
      }
      // That somebody deleted it since it was looked at cannot be known.
      if (image.deleted?.by === 'somebody') continue;
      if (image.deleted) world.violate(`available, but ${image.id} was deleted`);
      if (world.stateOf(image) !== 'Available')
        world.violate(`available, but ${image.id} is ${world.stateOf(image)}`);
      if (image.fate.end === 'differs') world.violate(`available, but ${image.id} differs from the source`);
    }
  }

  /** Whatever is handed out is a copy of the source. */
  private checkAdopted(step: Step, run: number): void {
    const { world } = this;
    for (const { region, imageId, outcome } of step.images()) {
      const image = world.images.find(({ id }) => id === imageId);
      if (!image || image.ofSource) continue;
      // After an unclear answer a new image that looks like ours and has no description counts as ours: the site may
      // have dropped the mark.
      const looksLikeOurs = image.description === '' && image.name === NAME;
      const mayBeOurs = outcome !== 'adopted' && world.unclear.has(region) && looksLikeOurs;
      if (!mayBeOurs)
        world.violate(
          `run ${run} hands out ${imageId} in ${region} as ${outcome}: it is no copy of the source`,
        );
      else world.strike('stranger without a description taken for ours');
    }
  }

  private liveOf(run: number, region: string): ModelImage[] {
    return this.world.images.filter(
      (image) => image.maker === run && image.region === region && this.world.isLive(image),
    );
  }

  /** At the end of a run that ended by itself: at most one live image of this run in a region. */
  private checkDoubles(index: number, { step, startedAt }: Ended, run: Run): void {
    const { world } = this;
    const lastLook = startedAt + (TIMEOUTS[run.timeout] ?? 0);
    for (const region of new Set([...world.targets().map((target) => target.region), SOURCE_REGION])) {
      // A site that drops descriptions, ignores the list of a batch and executes what it refuses is beyond help.
      const helpless = (image: ModelImage) =>
        !image.asked && (image.told === 'refused' || this.scenario.site.description !== null);
      const live = this.liveOf(index, region).filter((image) => !helpless(image));
      if (live.length < 2) continue;
      world.strike('double at the end of a run');
      if (step.warned.includes(`may be in ${region}, which could not be listed at the end`)) continue;
      const silent = live.filter(
        (image) =>
          !isToldAsDouble(step.warned, image.id) && world.isListed(image) && image.listedAt <= lastLook,
      );
      if (silent.length > 1)
        world.violate(`run ${index} leaves ${live.map(({ id }) => id).join(' and ')} in ${region}`);
    }
  }

  private checkDoublesOfAll(): void {
    const { scenario, world } = this;
    if (scenario.site.description !== null || scenario.runs.some(({ ifExists }) => ifExists === 'copy'))
      return;
    const warned = this.warned.join('\n');
    for (const { region } of world.targets()) {
      if (
        this.overlapped.has(region) ||
        warned.includes(`may be in ${region}, which could not be listed at the end`)
      )
        continue;
      const ours = world.images.filter(
        (image) =>
          image.region === region &&
          image.ofSource &&
          image.name === NAME &&
          image.id !== SOURCE_ID &&
          world.isLive(image) &&
          !isToldAsDouble(warned, image.id),
      );
      if (ours.length > 1 && ours.some(({ maker }) => typeof maker === 'number'))
        world.violate(`in the end ${region} has ${ours.map(({ id }) => id).join(' and ')}`);
    }
  }

  /** Every live image of a run is in its outputs or told, or the next run can find it. */
  private checkLost(index: number, { step, how, startedAt }: Ended, run: Run): void {
    const { scenario, world } = this;
    const lastLook = startedAt + (TIMEOUTS[run.timeout] ?? 0);
    const outputs = step.outputs.get('images') ?? '';
    const targets = new Set(world.targets().map(({ region }) => region));
    for (const image of world.images) {
      if (image.maker !== index || !world.isLive(image)) continue;
      if (outputs.includes(image.id) || step.told.includes(image.id)) continue;
      // The next run finds it by its mark.
      const findable = targets.has(image.region) && scenario.site.description === null && image.name === NAME;
      const unseen =
        step.warned.includes(`${image.region}: no copy was seen before the timeout`) ||
        step.warned.includes(`${image.region}: whether a copy was made is not known`);
      const tooLate = image.listedAt > lastLook || !world.isListed(image);
      const excused = how !== 'itself' || image.told === 'refused' || tooLate || unseen;
      if (findable && excused) continue;
      // Nobody can know it.
      if (scenario.site.description !== null && (excused || !image.asked)) continue;
      if (step.warned.includes(`may be in ${image.region}, which could not be listed at the end`)) continue;
      // A site without batches made it where only the last look and a rollback look, and there was none, or too early.
      if (!image.asked && (how !== 'itself' || image.told === 'refused' || tooLate)) continue;
      world.violate(`${image.id} in ${image.region}, made by run ${index}, is lost`);
    }
  }

  private checkRollback(
    run: Run,
    index: number,
    step: Step,
    { how }: Ended,
    { postRuns, succeeded }: { postRuns: boolean; succeeded: boolean },
  ): void {
    const { scenario, world } = this;
    if (run.rollback === 'never' || scenario.site.description !== null) return;
    const due = run.rollback === 'step' ? !succeeded : !succeeded || run.laterStepFails;
    if (!due || (how !== 'itself' && !postRuns)) return;
    for (const image of world.images) {
      if (image.maker !== index || image.deleted || image.told === 'refused') continue;
      if (isToldAsDouble(step.warned, image.id)) continue;
      if (step.warned.includes(`${image.region} was not searched`)) continue;
      world.violate(`the rollback of run ${index} leaves ${image.id} in ${image.region} and does not say so`);
    }
    world.strike('rollback due');
  }

  /** A run that met only few and passing faults succeeds, and a run after a success copies nothing. */
  private checkExpected(
    run: Run,
    ended: Ended,
    status: string,
    index: number,
    goneBefore: Set<string>,
  ): void {
    const { world, scenario } = this;
    if (run.stop || !run.wait || run.timeout !== '2h' || run.ifExists === 'fail') return;
    const { struckBefore, step, copiesBefore } = ended;
    let faults = 0;
    for (const [kind, count] of world.struck) {
      const now = count - (struckBefore.get(kind) ?? 0);
      if (/^(copy|read) /.test(kind) && !/^copy code \d/.test(kind)) faults += now;
      if (kind.startsWith('copy code 8961')) faults += now * 2;
    }
    if (faults > 3 || world.hard > 0) return;
    const concerned = world.images.filter(
      ({ id, ofSource }) => ofSource && id !== SOURCE_ID && !goneBefore.has(id),
    );
    const sound = concerned.every(
      ({ fate, deleted }) =>
        fate.end === 'Available' && deleted?.by !== 'somebody' && fate.removedAfter === undefined,
    );
    // It may be taken for ours after an unclear answer, and is then not what was wanted.
    const misleading = world
      .targets()
      .some(({ strangers }) =>
        strangers.some(({ bare, same }) => (bare || scenario.site.description === 0) && !same),
      );
    if (!sound || misleading) return;
    world.strike('run that must succeed');
    if (status !== 'available')
      world.violate(`run ${index} met nothing that does not pass, and ends ${status}`);
    const { last } = this;
    if (
      index === scenario.runs.length &&
      last?.status === 'available' &&
      scenario.site.description === null
    ) {
      const same = last.step.outputs.get('image-ids') === step.outputs.get('image-ids');
      const copied = world.copyCalls > copiesBefore;
      const again =
        scenario.runs.at(-1)?.ifExists === 'adopt' &&
        !scenario.runs.some(({ ifExists }) => ifExists === 'copy');
      const post = scenario.runs.at(-1)?.laterStepFails ?? false;
      const gone = world.images.some(({ deleted }) => deleted?.by === 'somebody');
      const foreign = last.step
        .images()
        .some(({ imageId }) => world.images.some(({ id, ofSource }) => id === imageId && !ofSource));
      // The older of two is adopted: that there are two was told.
      const twice = /second copy, and it may still be there|A second copy of this run may be in/.test(
        last.step.warned,
      );
      const excused = post || foreign || gone || twice || this.overlapped.size > 0;
      if (again && !excused && (copied || !same))
        world.violate('a run after a success copies again, or gives other ids');
      if (again && !post) world.strike('re-run after success');
    }
  }
}
