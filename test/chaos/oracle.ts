import type { VirtualClock } from '../virtual-clock.ts';
import type { Scenario } from './scenario.ts';
import type { Row, Step } from './step.ts';
import {
  type Caller,
  type ModelImage,
  NAME,
  SEEN_WITHIN,
  SOURCE_ID,
  SOURCE_REGION,
  type World,
} from './world.ts';

export const TIMEOUTS: Record<string, number> = {
  '2h': 7_200_000,
  '20m': 1_200_000,
  '3m': 180_000,
  '45s': 45_000,
};

/** Milliseconds a run may take beyond its timeout: a copy in its last 90 s, reads and deletes for three minutes. */
const GRACE = 200_000;
/** A rollback looks for two minutes for what may turn up, and gives up three minutes later. */
const ROLLBACK = 320_000;
/** From a cancel to the end of the step. */
const CANCEL = 5_000;
/** Milliseconds before the end of the step by which a state must have been seen: the longest poll, and a look. */
const NOTICED = 60_000;

/** What must not be said of an image that is there, or may be. */
const DENIES =
  /\b(was|were) not (copied|created|made)\b(?! by)|\bno (copy|image) was (copied|created|made)\b|\bnothing was (copied|created)|left no image|before (a|any) (copy|image) was (made|created)|before anything was copied/i;
const STACK = /^\s+at .+:\d+:\d+\)?$/m;
const UNFIT = /The action itself failed|undefined|\[object|NaN|hush/;

/** How a step ended, and what was so before. */
export interface Ended {
  caller: Caller;
  step: Step;
  how: 'itself' | 'cancel' | 'kill';
  status: string;
  /** Images that were not live when it began. */
  gone: Set<string>;
  /** The one without faults, after all others. */
  isLast: boolean;
  endedAt: number;
  /** Regions whose last list had failed by then. */
  unread: Set<string>;
}

function names(text: string, id: string): boolean {
  return new RegExp(`\\b${id}\\b`).test(text);
}

/** The promises, each in a method of its own. It knows what the world knows, and what the step wrote; no word decides but where words are the promise. */
export class Oracle {
  private readonly scenario: Scenario;
  private readonly clock: VirtualClock;
  private readonly world: World;
  /** Regions in which a run began before what an earlier one had made could be seen. */
  private readonly overlapped = new Set<string>();
  private readonly warned: string[] = [];
  private last: Ended | null = null;

  constructor(scenario: Scenario, clock: VirtualClock, world: World) {
    this.scenario = scenario;
    this.clock = clock;
    this.world = world;
  }

  beforeRun(): void {
    const { world } = this;
    for (const image of world.images) {
      if (typeof image.maker === 'number' && world.isLive(image) && !world.isListed(image))
        this.overlapped.add(image.region);
    }
    for (const { region } of world.pending) this.overlapped.add(region);
  }

  afterMain(ended: Ended): void {
    const { step, how, status } = ended;
    this.markUnseen(ended);
    this.checkTime(ended);
    if (how !== 'kill') this.checkWords(step, status);
    if (how === 'itself') {
      if (status === 'available') this.checkSuccess(ended);
      this.checkDoubles(ended);
      this.checkExpected(ended);
      this.checkSoundIsTaken(ended);
      this.checkBounds(ended);
      this.checkThrottleIsNamed(ended);
      this.checkMarkLossIsTold(ended);
      this.checkLateIsTold(ended);
    }
    if (how !== 'kill') this.checkDenials(ended);
    this.checkHandedOut(ended);
  }

  afterPost(
    { settings }: Caller,
    step: Step,
    succeeded: boolean,
    before: { errors: number; at: number; gone: number },
  ): void {
    const { clock, world } = this;
    world.strike('post step');
    const took = clock.elapsed - before.at;
    if (took > ROLLBACK) world.violate(`the post step took ${took / 1000} s`);
    if (step.errors.length > before.errors) world.violate('the post step fails the job once more');
    if (settings.rollback === 'step' && succeeded && this.deleted() > before.gone)
      world.violate('rollback: step undid a step that had succeeded');
  }

  afterAll(ended: Ended, fate: { postRuns: boolean; succeeded: boolean }): void {
    this.checkLost(ended);
    this.checkDeleted(ended);
    this.checkRollback(ended, fate);
    this.warned.push(ended.step.warned);
    this.last = ended;
  }

  /** Images that were deleted by any run. */
  deleted(): number {
    return this.world.images.filter(({ deleted }) => deleted?.by === 'us').length;
  }

  /** Two runs at once: one image a region, the same for both, wherever each could see the other's. */
  afterTwo(...pair: [Ended, Ended]): void {
    const { world } = this;
    const numbers = pair.map(({ caller }) => caller.number);
    for (const { region } of world.targets()) {
      const made = this.copiesIn(region).filter(
        ({ maker, asked }) => typeof maker === 'number' && numbers.includes(maker) && asked,
      );
      const [oldest] = made
        .filter(({ fate, deleted }) => fate.end === 'Available' && deleted?.by !== 'somebody')
        .sort((one, other) => (world.isOlder(one, other) ? -1 : 1));
      if (!oldest) continue;
      const both = pair.filter(({ caller, how, step }) => {
        const row = rowOf(step, region);
        const own = made.filter(({ maker }) => maker === caller.number);
        const settled = Math.max(...own.map(readyAt));
        const couldSee = oldest.maker === caller.number || (own.length > 0 && oldest.listedAt <= settled);
        const listed = caller.lists.get(region)?.failed === false;
        return how === 'itself' && row?.outcome !== 'failed' && couldSee && listed;
      });
      // Lists that come empty, again and again, hide it.
      const lies = this.scenario.faults.some(({ effect, count }) => effect.kind === 'blink' && count > 2);
      const isPlain =
        world.keepsMarks &&
        !lies &&
        made.every(({ edited, fate }) => !edited && fate.removedAfter === undefined) &&
        !this.hasStrangers(region) &&
        !this.copiesIn(region).some(
          (image) => image.maker !== 'somebody' && !made.includes(image) && image.fate.end !== 'Unavailable',
        );
      if (both.length < 2 || !isPlain) {
        this.overlapped.add(region);
        continue;
      }
      world.strike('two runs at once that could see each other');
      const handed = pair.map(({ step }) => step.idOf(region));
      if (handed.some((id) => id !== oldest.id))
        world.violate(
          `two runs at once hand out ${handed.join(' and ')} in ${region}, and ${oldest.id} is the oldest that is sound`,
        );
      const told = pair.map(({ step }) => step.warned).join('\n');
      const left = made.filter(
        (image) =>
          world.isSound(image) &&
          image.id !== oldest.id &&
          image.listedAt <= image.sentAt + SEEN_WITHIN &&
          !names(told, image.id),
      );
      if (left.length > 0)
        world.violate(
          `two runs at once leave ${left.map(({ id }) => id).join(' and ')} in ${region} beside ${oldest.id}`,
        );
    }
  }

  atTheEnd(): void {
    const { scenario, world } = this;
    if (!world.keepsMarks || scenario.runs.some(({ ifExists }) => ifExists === 'copy')) return;
    const warned = this.warned.join('\n');
    for (const { region } of world.targets()) {
      const all = this.copiesIn(region);
      if (this.overlapped.has(region) || all.some(({ edited }) => edited)) continue;
      const ours = all.filter(
        (image) => world.isLive(image) && image.fate.end !== 'differs' && !names(warned, image.id),
      );
      if (ours.length > 1 && ours.some(({ maker }) => typeof maker === 'number'))
        world.violate(`in the end ${region} has ${ours.map(({ id }) => id).join(' and ')}`);
    }
  }

  /** Copies of the source under the wanted name, also those that are gone. */
  private copiesIn(region: string): ModelImage[] {
    return this.world.images.filter(
      (image) =>
        image.region === region &&
        image.ofSource &&
        image.id !== SOURCE_ID &&
        image.name.toLowerCase() === NAME.toLowerCase(),
    );
  }

  /** Somebody made an image of our name since the scenario began. */
  private hasStrangers(region: string): boolean {
    const wrong = [...this.world.wrong.keys()];
    return (
      this.world.images.some((image) => image.region === region && wrong.includes(image.id)) ||
      this.scenario.targets.some(
        ({ strangers }, index) => strangers.length > 0 && this.world.targets()[index]?.region === region,
      )
    );
  }

  private hasGhosts(region: string): boolean {
    return (
      this.scenario.site.ghosts !== null &&
      this.world.images.some((image) => image.region === region && image.deleted !== null)
    );
  }

  /** Nobody can tell that it is this run's. */
  private isUnknowable(image: ModelImage, { named }: Caller): boolean {
    return (!this.world.keepsMarks || image.edited !== null) && !named.has(image.id);
  }

  /** The API said of it that it did not run, in a way that need not be looked behind for long. */
  private isDenied({ told, batch }: ModelImage): boolean {
    return told === 'refused' && !batch;
  }

  /** The last try to list the region failed, and the reader was told of the region. */
  private wasUnreadable({ caller, step, unread }: Ended, region: string): boolean {
    const isLeftOpen =
      /not known whether a copy exists|whether a copy exists is not known|may still appear there|may have carried (it|one) out/.test(
        step.warned,
      );
    const isUnread = unread.has(region) || caller.lists.get(region)?.failed !== false;
    return (isLeftOpen || isUnread) && names(step.warned, region);
  }

  /**
   * What a run made could not be known to it when it was stopped or out of time, and the next run cannot tell it from
   * a double: a copy that was executed though the API refused it, or made elsewhere by a site that ignores the list.
   */
  private markUnseen({ caller, how }: Ended): void {
    const { world } = this;
    const wereRefused = (region: string) =>
      world.images.some(
        (other) => other.maker === caller.number && other.region === region && other.told === 'refused',
      );
    for (const image of world.images) {
      const hidden = !image.asked || wereRefused(image.region);
      const isLate = image.listedAt > Math.min(caller.deadline, image.sentAt + SEEN_WITHIN);
      if (image.maker !== caller.number) continue;
      if (isLate || (hidden && (how !== 'itself' || (image.told === 'refused' && !image.asked))))
        this.overlapped.add(image.region);
    }
    for (const { region, refused } of world.pending) {
      if (refused || wereRefused(region)) this.overlapped.add(region);
      if (!this.scenario.site.batch) this.overlapped.add(SOURCE_REGION);
    }
    for (const [region, { failed }] of caller.lists) if (failed) this.overlapped.add(region);
  }

  private checkTime({ caller, how, endedAt }: Ended): void {
    const { world } = this;
    const { startedAt, deadline, cancelledAt, settings } = caller;
    const most = deadline + GRACE + (settings.rollback === 'never' ? 0 : ROLLBACK);
    if (how === 'itself' && endedAt > most)
      world.violate(`the run took ${(endedAt - startedAt) / 1000} s with a timeout of ${settings.timeout}`);
    if (cancelledAt !== null && endedAt - cancelledAt > CANCEL)
      world.violate(`the run ended ${(endedAt - cancelledAt) / 1000} s after its cancel`);
  }

  private checkWords({ errors, warnings, lines, outputs }: Step, status: string): void {
    const { world } = this;
    const bad = ['failed', 'partial'].includes(status);
    if (bad && errors.length !== 1) world.violate(`status ${status} with ${errors.length} errors`);
    if (!bad && errors.length > 0) world.violate(`status ${status} with the error ${errors[0]}`);
    if (!['available', 'copying', 'partial', 'failed'].includes(status)) world.violate(`status ${status}`);
    const all = [...errors, ...warnings, ...lines].join('\n');
    if (STACK.test(all)) world.violate('a stack is shown');
    if (UNFIT.test(all)) world.violate(`words that no reader should see: ${all}`);
    if (!outputs.has('image-ids')) world.violate('there is no output image-ids');
  }

  /** `available` is true: every target has an image that is Available and equal to the source. */
  private checkSuccess({ caller, step, endedAt }: Ended): void {
    const { world } = this;
    const { ghosts } = this.scenario.site;
    for (const { region } of world.targets()) {
      const image = world.images.find(({ id }) => id === step.idOf(region));
      if (!image || image.region !== region || image.project !== world.project()) {
        world.violate(`available, but ${region} has no image`);
        continue;
      }
      const { deleted } = image;
      // That somebody deleted it since it was looked at cannot be known; nor that it is gone while all reads show it.
      if (deleted?.by === 'somebody' && deleted.at >= caller.startedAt) continue;
      if (deleted && ghosts?.byId && deleted.at + ghosts.seconds * 1000 > endedAt - NOTICED) continue;
      if (deleted) world.violate(`available, but ${image.id} was deleted`);
      if (world.stateOf(image) !== 'Available')
        world.violate(`available, but ${image.id} is ${world.stateOf(image)}`);
      if (image.fate.end === 'differs') world.violate(`available, but ${image.id} differs from the source`);
    }
  }

  /** Whatever is handed out is a copy of the source, by its id or by its mark. */
  private checkHandedOut({ caller, step, how }: Ended): void {
    const { world } = this;
    for (const { region, imageId, outcome } of step.images()) {
      if (imageId === null || outcome === 'failed') continue;
      const image = world.images.find(({ id }) => id === imageId);
      const words = `run ${caller.number} hands out ${imageId} in ${region} as ${outcome}`;
      if (!image) world.violate(`${words}: there is no such image`);
      else if (image.id === SOURCE_ID) {
        if (!world.isSource(region)) world.violate(`${words}: it is the source`);
      } else if (this.isSwapped(image, caller, how))
        world.strike("somebody's image was answered, and is handed out");
      else if (!image.ofSource) {
        // A mark can be copied, and age decides between two; but no younger one stands against ours.
        const isOurs = ({ edited, maker }: ModelImage) =>
          !edited && (caller.settings.ifExists !== 'copy' || maker === caller.number);
        const ours = this.copiesIn(region).find(
          (other) =>
            isOurs(other) && world.isSound(other) && wasSeen(caller, other) && world.isOlder(other, image),
        );
        if (!world.isMarked(image) || (ours && how === 'itself'))
          world.violate(`${words}: it is no copy of the source`);
        else world.strike('stranger with our mark taken for ours');
      } else if (!caller.answered.has(imageId) && !world.isMarked(image) && !image.edited)
        world.violate(`${words}: it has no mark, and no answer named it`);
    }
  }

  /** The answer named another one instead, and no list has shown this one with its mark: the next run finds it. */
  private isUnnamed(image: ModelImage, caller: Caller): boolean {
    const isMisnamed = [...this.world.wrong.values()].includes(image.id);
    return isMisnamed && (!this.world.keepsMarks || !wasSeen(caller, image));
  }

  /** An answer named it, and no list showed that the copy is another one. */
  private isSwapped({ id }: ModelImage, caller: Caller, how: Ended['how']): boolean {
    const { world } = this;
    const real = world.images.find((other) => other.id === world.wrong.get(id));
    if (!real) return false;
    const isShown = world.isMarked(real) && !real.edited && !real.deleted && wasSeen(caller, real);
    return how !== 'itself' || !caller.settings.wait || !isShown;
  }

  /** At the end of a run that ended by itself: beside what it hands out, nothing of it is left untold. */
  private checkDoubles(ended: Ended): void {
    const { world } = this;
    const { caller, step } = ended;
    for (const region of new Set([...world.targets().map((target) => target.region), SOURCE_REGION])) {
      // A site that drops descriptions, ignores the list of a batch and executes what it refuses is beyond help.
      const helpless = (image: ModelImage) =>
        (!image.asked && (image.told === 'refused' || !world.keepsMarks)) ||
        (image.edited && !caller.named.has(image.id));
      const live = world.images.filter(
        (image) =>
          image.maker === caller.number && image.region === region && world.isLive(image) && !helpless(image),
      );
      const kept = rowOf(step, region)?.imageId ?? null;
      const isForeign = world.images.some(({ id, ofSource }) => id === kept && !ofSource);
      if (live.length > 1) world.strike('double at the end of a run');
      if (this.wasUnreadable(ended, region)) continue;
      const silent = live.filter(
        (image) =>
          image.id !== kept &&
          !names(step.warned, image.id) &&
          !this.isUnnamed(image, caller) &&
          world.isListed(image) &&
          image.listedAt <= this.lookUntil(ended, image) &&
          // One with a copied mark is taken at once, as ours would be.
          (!isForeign || wasSeen(caller, image)),
      );
      if (silent.length > (kept === null ? 1 : 0))
        world.violate(
          `run ${caller.number} leaves ${silent.map(({ id }) => id).join(' and ')} in ${region} beside ${kept}`,
        );
    }
  }

  /** Until when what this run made must have been looked for: what is listed late, for as long as the step waits anyway. */
  private lookUntil({ caller, step }: Ended, image: ModelImage): number {
    const isInTime = image.listedAt <= image.sentAt + SEEN_WITHIN;
    if (isInTime) return caller.deadline;
    if (!caller.settings.wait) return Number.NEGATIVE_INFINITY;
    const ids = step.images().map(({ imageId }) => imageId);
    const kept = this.world.images.filter((other) => other !== image && ids.includes(other.id));
    // A look that is younger than the pause between two looks is not made again at the end.
    return Math.min(caller.deadline, Math.max(...kept.map(readyAt))) - 15_000;
  }

  /** Every live image of a run is in its outputs or told, or the next run can find it. */
  private checkLost(ended: Ended): void {
    const { world } = this;
    const { caller, step, how } = ended;
    const outputs = step.outputs.get('images') ?? '';
    const targets = new Set(world.targets().map(({ region }) => region));
    for (const image of world.images) {
      if (image.maker !== caller.number || !world.isLive(image)) continue;
      if (names(outputs, image.id) || names(step.told, image.id)) continue;
      const findable = targets.has(image.region) && world.keepsMarks && !image.edited;
      const tooLate =
        image.listedAt > Math.min(caller.deadline, image.sentAt + SEEN_WITHIN) || !world.isListed(image);
      const excused = how !== 'itself' || this.isDenied(image) || tooLate;
      if (findable && excused) continue;
      // Nobody can know it.
      const isStopped = caller.isHard(image.region) && names(step.warned, image.region);
      if (!world.keepsMarks && (excused || isStopped || !image.asked)) continue;
      if (image.edited && !caller.named.has(image.id)) continue;
      if (this.wasForged(image, caller)) continue;
      if (this.isUnnamed(image, caller)) continue;
      // A site without batches made it where only the last look and a rollback look, and there was none, or too early.
      if (!image.asked && (how !== 'itself' || image.told === 'refused' || tooLate)) continue;
      if (this.wasUnreadable(ended, image.region)) continue;
      world.violate(`${image.id} in ${image.region}, made by run ${caller.number}, is lost`);
    }
  }

  /** Somebody copied the mark before ours was listed: it was taken for ours, and the search was over. */
  private wasForged(image: ModelImage, caller: Caller): boolean {
    const isForged = (other: ModelImage) =>
      other.maker === 'somebody' &&
      other.region === image.region &&
      caller.mark !== null &&
      other.description.includes(` by ${caller.mark}`) &&
      other.listedAt <= image.listedAt;
    return caller.unclear.has(image.region) && this.world.images.some(isForged);
  }

  /** What is called deleted is not there. */
  private checkDeleted(ended: Ended): void {
    const { world } = this;
    const { step } = ended;
    // An empty list says so, once.
    if (this.scenario.faults.some(({ effect }) => effect.kind === 'blink')) return;
    const gone = step
      .images()
      .flatMap(({ imageId, state }) => (state === 'Deleted' && imageId ? [imageId] : []));
    const told = [
      /- void: \S+ (\S+)/g,
      /This run created (\S+) in \S+ [^;:]*; the action deleted it/g,
      /deleted its own (\S+) as/g,
    ];
    for (const form of told) for (const [, id = ''] of step.told.matchAll(form)) gone.push(id);
    for (const image of world.images) {
      // Nobody could see it when it was deleted.
      const isLate = image.deletedUnlisted || image.listedAt > image.sentAt + SEEN_WITHIN;
      if (!gone.includes(image.id) || isLate || !world.isListed(image)) continue;
      // A cancel came before the list that would have shown it.
      const wasCut = new RegExp(`\\b${image.region}\\b[^\n]* not searched`).test(step.warned);
      if (wasCut || this.wasUnreadable(ended, image.region)) continue;
      world.violate(`${image.id} is called deleted, and is there`);
    }
  }

  private checkRollback(
    ended: Ended,
    { postRuns, succeeded }: { postRuns: boolean; succeeded: boolean },
  ): void {
    const { world } = this;
    const { site, outage } = this.scenario;
    const { caller, step, how } = ended;
    const { rollback, laterStepFails } = caller.settings;
    if (rollback === 'never' || !world.keepsMarks) return;
    const due = rollback === 'step' ? !succeeded : !succeeded || laterStepFails;
    if (!due || (how !== 'itself' && !postRuns)) return;
    for (const image of world.images) {
      if (image.maker !== caller.number || image.deleted || this.isDenied(image)) continue;
      if (this.isUnknowable(image, caller) || this.wasUnreadable(ended, image.region)) continue;
      if (names(step.warned, image.id)) {
        const mayFail =
          image.edited ||
          site.deletes ||
          site.locked ||
          site.refusal ||
          site.throttle ||
          outage ||
          caller.isHard(image.region);
        const isKnown = how === 'itself' && caller.named.has(image.id) && names(step.known, image.id);
        if (!mayFail && isKnown && !caller.deletes.hard && caller.deletes.faults <= 3)
          world.violate(`the rollback of run ${caller.number} gives ${image.id} up after what passes`);
        continue;
      }
      if (this.wasForged(image, caller)) continue;
      // Nobody waits for it to be listed.
      if ([...world.wrong.values()].includes(image.id)) continue;
      // Refused or not, a site that ignores the list makes it where nobody looks.
      if (!image.asked && image.told === 'refused') continue;
      if (image.listedAt > image.sentAt + SEEN_WITHIN && !caller.named.has(image.id)) continue;
      world.violate(
        `the rollback of run ${caller.number} leaves ${image.id} in ${image.region} and does not say so`,
      );
    }
    world.strike('rollback due');
  }

  /**
   * A run that met only few and passing faults succeeds wherever the region itself allows it; a region that does not fails for its own reason. A
   * run after a success copies nothing.
   */
  private checkExpected(ended: Ended): void {
    const { world } = this;
    const { caller, step, status } = ended;
    const { settings } = caller;
    if (settings.stop || !settings.wait || settings.timeout !== '2h' || settings.ifExists === 'fail') return;
    if (caller.faults > 3 || caller.hard.has('*')) return;
    const regions = world.targets().map(({ region }) => region);
    // The check has nothing to go on: each error is final at the first look.
    if (regions.every((region) => caller.hard.has(region))) return;
    const all = new Map(regions.map((region) => [region, this.expectedIn(region, ended)]));
    // One that fails by right takes all others with it.
    if (settings.rollback !== 'never' && [...all.values()].some((expected) => expected !== 'sound')) return;
    let plain = true;
    for (const [region, expected] of all) {
      const row = rowOf(step, region);
      if (expected === null) plain = false;
      else if (expected === 'sound') {
        if (row?.outcome === 'failed' || !row?.imageId)
          world.violate(
            `run ${caller.number} met nothing in ${region} that does not pass, and ends there: ${row?.error ?? 'without a row'}`,
          );
      } else {
        plain = false;
        if (row?.outcome !== 'failed' || !row.error?.includes(String(expected)))
          world.violate(
            `${region} refuses with ${expected}, and run ${caller.number} says of it: ${row?.outcome}, ${row?.error}`,
          );
        else world.strike('region that failed alone, for its reason');
      }
    }
    if (!plain) return;
    world.strike('run that must succeed');
    if (status !== 'available')
      world.violate(`run ${caller.number} met nothing that does not pass, and ends ${status}`);
    this.checkAgain(ended);
  }

  /** What must become of a target: a sound image, a refusal by this code, or null for either. */
  private expectedIn(region: string, ended: Ended): 'sound' | number | null {
    const { world } = this;
    const { caller, gone } = ended;
    if (caller.isHard(region) || (caller.unclear.get(region) ?? 0) >= 4) return null;
    if (world.isSource(region)) return 'sound';
    const copies = this.copiesIn(region).filter(({ id }) => !gone.has(id));
    const isDoubtful = caller.unclear.has(region) || caller.refused.has(region) || copies.length > 1;
    // It may be taken for ours after an unclear answer, and then the target fails.
    if (this.hasStrangers(region) && isDoubtful) return null;
    if (this.hasGhosts(region)) return null;
    // Another run has deleted its own meanwhile: what was adopted may have been that.
    const isUndone = ({ deleted, maker }: ModelImage) =>
      deleted?.by === 'us' && deleted.at >= caller.startedAt && maker !== caller.number;
    if (this.copiesIn(region).some(isUndone)) return null;
    const forged = world.images.some(
      (image) => image.region === region && !image.ofSource && world.isMarked(image),
    );
    if (forged) return null;
    if (isDoubtful && (!world.keepsMarks || copies.some(({ edited }) => edited))) return null;
    const { startedAt, settings } = caller;
    const adopts = settings.ifExists === 'adopt';
    const held = copies.filter(({ madeAt, maker }) => madeAt < startedAt || maker === 'earlier');
    // Of two with one mark only the older counts: a description can be copied.
    const isHidden = (image: ModelImage) =>
      held.some(
        (other) =>
          other.maker === image.maker &&
          world.isOlder(other, image) &&
          world.isLive(other, startedAt) &&
          !world.isSound(other, startedAt),
      );
    const isThere = held.some(
      (image) =>
        !isHidden(image) &&
        world.isSound(image, startedAt) &&
        world.isListed(image, startedAt) &&
        world.isMarked(image) &&
        image.fate.removedAfter === undefined,
    );
    // What was adopted is read again at the end: at the deadline there is no time for another.
    const isLate = ended.endedAt >= caller.deadline;
    const hasVanished = held.some(({ deleted }) => deleted?.by === 'somebody' && deleted.at >= startedAt);
    if (adopts && isThere) return isLate && hasVanished ? null : 'sound';
    const sound = copies.every(
      ({ fate, deleted }) =>
        fate.end === 'Available' && deleted?.by !== 'somebody' && fate.removedAfter === undefined,
    );
    if (!sound || (adopts && held.length > 0 && held.some((image) => !world.isMarked(image)))) return null;
    const code = world.refusalOf(region);
    if (code === null) return 'sound';
    return held.length > 0 ? null : code;
  }

  /** A run after a success. */
  private checkAgain({ caller, step, isLast }: Ended): void {
    const { world, scenario, last } = this;
    if (!isLast || last?.status !== 'available' || !world.keepsMarks) return;
    const before = scenario.runs.at(-1);
    const again = before?.ifExists === 'adopt' && !scenario.runs.some(({ ifExists }) => ifExists === 'copy');
    const regions = world.targets().map(({ region }) => region);
    const several = regions.some(
      (region) => this.copiesIn(region).filter((image) => world.isLive(image)).length > 1,
    );
    const excused =
      // What was accepted may be deleted any time.
      scenario.site.deletes?.how === 'late' ||
      before?.laterStepFails ||
      before?.twin !== null ||
      several ||
      this.overlapped.size > 0 ||
      regions.some((region) => this.hasStrangers(region)) ||
      world.images.some(({ deleted, edited }) => deleted?.by === 'somebody' || edited);
    if (!again) return;
    const same = last.step.outputs.get('image-ids') === step.outputs.get('image-ids');
    const copied = world.images.some(({ maker }) => maker === caller.number);
    if (!excused && (copied || !same))
      world.violate('a run after a success copies again, or gives other ids');
    if (!before?.laterStepFails) world.strike('re-run after success');
  }

  /** What this run made, and what is sound in good time, is not called failed. */
  private checkSoundIsTaken({ caller, step, endedAt }: Ended): void {
    const { world } = this;
    if (!caller.settings.wait || caller.faults > 3) return;
    for (const { region } of world.targets()) {
      const row = rowOf(step, region);
      if (row?.outcome !== 'failed' || caller.isHard(region) || this.hasStrangers(region)) continue;
      // It failed with another region: what a rollback leaves of it is told.
      if (row.state === 'Deleted' || row.error?.includes('left over from the rollback')) continue;
      const good = this.copiesIn(region).find(
        (image) =>
          image.maker === caller.number &&
          image.asked &&
          world.isSound(image) &&
          readyAt(image) <= Math.min(endedAt, caller.deadline) - NOTICED &&
          image.listedAt <= image.sentAt + SEEN_WITHIN &&
          !this.isDenied(image) &&
          !this.isUnknowable(image, caller) &&
          !wasNeverMarked(image),
      );
      const isOut = caller.lists.get(region)?.failed === true;
      if (good && !isOut)
        world.violate(`${region} has ${good.id}, which is sound, and ends as failed: ${row.error}`);
    }
  }

  /** The step ends soon after its copies; and a lost answer that was found leaves no warning. */
  private checkBounds({ caller, step, status, endedAt }: Ended): void {
    const { world, scenario } = this;
    const { site, targets } = scenario;
    const { settings, startedAt } = caller;
    const isQuiet =
      !caller.disturbed &&
      site.throttle === null &&
      site.batch &&
      !site.answersOne &&
      site.ghosts === null &&
      world.keepsMarks &&
      world.wrong.size === 0 &&
      targets.every(({ refuses, unlisted, strangers }) => !refuses && !unlisted && strangers.length === 0);
    const rows = step.images();
    if (!settings.wait || settings.twin !== null || !isQuiet || rows.length < targets.length) return;
    if ([...caller.sends.values()].some((sent) => sent > 1) || step.warned.includes('as a duplicate')) return;
    let ready = Math.max(startedAt, caller.answeredAt);
    for (const { region, imageId, outcome } of rows) {
      const image = world.images.find(({ id }) => id === imageId);
      if (outcome === 'source') continue;
      // Its own was looked for until the window was over, then another run's was taken.
      if (outcome === 'adopted' && caller.unclear.size > 0) return;
      if (!image || image.deleted || image.edited || image.fate.end !== 'Available') return;
      // An older one with its mark was waited for first.
      const isBefore = (other: ModelImage) =>
        (other.maker === image.maker || other.fate.end === 'stuck') &&
        world.isOlder(other, image) &&
        readyAt(other) > startedAt;
      if (this.copiesIn(region).some(isBefore)) return;
      ready = Math.max(ready, readyAt(image));
    }
    // It waited for its own, also where an older one of another run is handed out in the end.
    for (const image of world.images) {
      if (image.maker !== caller.number) continue;
      if (image.deleted || image.fate.end === 'stuck') return;
      ready = Math.max(ready, readyAt(image));
    }
    if (ready > caller.deadline) return;
    const interval = { '': 0, '2s': 2_000, '30s': 30_000 }[settings.pollInterval] ?? 0;
    const most = 20_000 + Math.max(36_000, 0.07 * (ready - startedAt)) + 1.1 * interval;
    world.strike('end within bounds');
    if (endedAt > ready + most)
      world.violate(
        `run ${caller.number} ends ${(endedAt - ready) / 1000} s after its copies, at most ${most / 1000} s are due`,
      );
    const isPlain =
      status === 'available' &&
      caller.unclear.size > 0 &&
      site.others === 0 &&
      !site.denies &&
      targets.every(
        ({ held, fates }) =>
          held.length === 0 && fates.every(({ odd, listedAfter }) => !odd && listedAfter <= 50),
      ) &&
      !world.images.some(
        ({ maker, deleted, edited }) =>
          typeof maker === 'number' && maker !== caller.number && (deleted || edited),
      );
    if (!isPlain) return;
    world.strike('lost answer that was found');
    if (step.warnings.length > 0)
      world.violate(`a lost answer was found, and there is a warning: ${step.warnings[0]}`);
  }

  /** Nobody says that an image is not there which is, or may be. */
  private checkDenials({ caller, step, endedAt }: Ended): void {
    const { world } = this;
    const headline = step.errors[0]?.split('\n')[0] ?? '';
    const any = world.images.find(
      (image) => image.maker === caller.number && !this.isDenied(image) && !image.deleted,
    );
    if (any && DENIES.test(headline))
      world.violate(`${any.region} has ${any.id}, and the error says: ${headline}`);
    for (const { region, error } of step.images()) {
      if (error === null) continue;
      const there = world.images.find(
        (image) =>
          image.maker === caller.number &&
          image.region === region &&
          image.asked &&
          !this.isDenied(image) &&
          !image.deleted,
      );
      const coming = [...world.pending].some(
        (pending) => pending.caller === caller && pending.region === region && !pending.refused,
      );
      if ((there || coming) && DENIES.test(error))
        world.violate(`${region} has ${there?.id ?? 'a copy under way'}, and the error says: ${error}`);
      if (there && there.listedAt > endedAt && error.includes(`${there.id} was still Copying`))
        world.violate(`${there.id} was never listed, and the error says: ${error}`);
    }
  }

  /** What kept the step from its end is named. */
  private checkThrottleIsNamed({ caller, step, status, endedAt }: Ended): void {
    if (!['failed', 'partial'].includes(status) || endedAt < caller.deadline) return;
    if (caller.throttledSince === null || endedAt - caller.throttledSince < NOTICED) return;
    // The rollback was held up, or the check, not what the error is about.
    if (/rolled back|if-exists is fail/.test(step.errors.join('\n'))) return;
    this.world.strike('throttled until the timeout');
    if (!/throttl|request rate|requests|RetCode 153|HTTP 429|kept this step waiting/i.test(step.warned))
      this.world.violate(`the throttle until the timeout is not named: ${step.errors.join(' / ')}`);
  }

  /** A step without a wait cannot see what is listed late beside the copy that was sent again, and says so. */
  private checkLateIsTold({ caller, step, endedAt }: Ended): void {
    const { world } = this;
    if (caller.settings.wait) return;
    for (const image of world.images) {
      const { maker, region, listedAt, told, id } = image;
      if (maker !== caller.number || listedAt <= endedAt || told !== 'unclear' || !world.isLive(image))
        continue;
      if ((caller.sends.get(region) ?? 0) < 2 || names(step.told, id)) continue;
      world.strike('may still turn up');
      if (!names(step.warned, region))
        world.violate(`${id} may still turn up in ${region}, and nobody is told`);
    }
  }

  /** A site that loses the mark: the next run would copy again, and the reader has to know. */
  private checkMarkLossIsTold({ caller, step, status }: Ended): void {
    const { world } = this;
    if (world.keepsMarks || caller.faults > 0 || caller.hard.size > 0 || this.scenario.site.throttle) return;
    if (status !== 'available' && status !== 'copying') return;
    const made = world.images.filter((image) => image.maker === caller.number && image.asked);
    const isSeen = made.length > 0 && made.every((image) => image.fate.listedAfter === 0 && !image.deleted);
    if (!isSeen) return;
    world.strike('mark lost by the site');
    if (!/\bmark|descri/i.test(step.warned)) world.violate('the site loses the mark, and nobody is told');
  }
}

/** A whole listing of its region began after it was listed. */
function wasSeen({ lists }: Caller, { region, listedAt }: ModelImage): boolean {
  return listedAt <= (lists.get(region)?.wholeAt ?? Number.NEGATIVE_INFINITY);
}

/** Edited before anybody could read it: another one that has the mark goes before it. */
function wasNeverMarked({ edited, listedAt }: ModelImage): boolean {
  return edited !== null && edited <= listedAt + 10_000;
}

function rowOf(step: Step, region: string): Row | undefined {
  return step.images().find((row) => row.region === region);
}

/** When it has settled and is listed. */
function readyAt({ madeAt, fate, listedAt }: ModelImage): number {
  return Math.max(madeAt + fate.seconds * 1000, listedAt);
}
