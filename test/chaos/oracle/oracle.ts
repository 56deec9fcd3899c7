import type { VirtualClock } from '../../virtual-clock.ts';
import type { Scenario } from '../scenario.ts';
import type { Step } from '../step.ts';
import type { Caller } from '../world/caller.ts';
import { SEEN_WITHIN, SOURCE_REGION } from '../world/facts.ts';
import type { Images } from '../world/images.ts';
import type { Journal } from '../world/journal.ts';
import type { World } from '../world/world.ts';
import { Expected } from './expected.ts';
import { HandedOut } from './handed-out.ts';
import { type Ended, Knowledge, names, readyAt, rowOf } from './knowledge.ts';
import { Told } from './told.ts';
import { Undone } from './undone.ts';

/** Milliseconds a run may take beyond its timeout: a copy in its last 90 s, reads and deletes for three minutes. */
const GRACE = 200_000;
/** A rollback looks for two minutes for what may turn up, and gives up three minutes later. */
const ROLLBACK = 320_000;
/** From a cancel to the end of the step. */
const CANCEL = 5_000;

const STACK = /^\s+at .+:\d+:\d+\)?$/m;
const UNFIT = /The action itself failed|undefined|\[object|NaN|hush/;

/** The promises, each in a method of its own. It knows what the world knows, and what the step wrote; no word decides but where words are the promise. */
export class Oracle {
  private readonly clock: VirtualClock;
  private readonly known: Knowledge;
  private readonly images: Images;
  private readonly journal: Journal;
  private readonly handedOut: HandedOut;
  private readonly undone: Undone;
  private readonly expected: Expected;
  private readonly told: Told;
  private readonly scenario: Scenario;
  private readonly warned: string[] = [];
  private last: Ended | null = null;

  constructor(scenario: Scenario, clock: VirtualClock, { images, journal }: World) {
    this.scenario = scenario;
    this.clock = clock;
    this.images = images;
    this.journal = journal;
    this.known = new Knowledge(scenario, images, journal);
    this.handedOut = new HandedOut(this.known);
    this.undone = new Undone(this.known);
    this.expected = new Expected(this.known);
    this.told = new Told(this.known);
  }

  beforeRun(): void {
    const { images, known } = this;
    for (const image of images.all) {
      if (typeof image.maker === 'number' && images.isLive(image) && !images.isListed(image))
        known.overlapped.add(image.region);
    }
    for (const { region } of images.pending) known.overlapped.add(region);
  }

  afterMain(ended: Ended): void {
    const { step, how, status } = ended;
    this.markUnseen(ended);
    this.checkTime(ended);
    if (how !== 'kill') this.checkWords(step, status);
    if (how === 'itself') {
      if (status === 'available') this.handedOut.checkSuccess(ended);
      this.handedOut.checkDoubles(ended);
      this.expected.checkExpected(ended, this.last);
      this.expected.checkSoundIsTaken(ended);
      this.expected.checkBounds(ended);
      this.told.checkThrottleIsNamed(ended);
      this.told.checkMarkLossIsTold(ended);
      this.told.checkLateIsTold(ended);
    }
    if (how !== 'kill') this.told.checkDenials(ended);
    this.handedOut.checkHandedOut(ended);
  }

  afterPost(
    { settings }: Caller,
    step: Step,
    succeeded: boolean,
    before: { errors: number; at: number; gone: number },
  ): void {
    const { clock, journal } = this;
    journal.strike('post step');
    const took = clock.elapsed - before.at;
    if (took > ROLLBACK) journal.violate(`the post step took ${took / 1000} s`);
    if (step.errors.length > before.errors) journal.violate('the post step fails the job once more');
    if (settings.rollback === 'step' && succeeded && this.deleted() > before.gone)
      journal.violate('rollback: step undid a step that had succeeded');
  }

  afterAll(ended: Ended, fate: { postRuns: boolean; succeeded: boolean }): void {
    this.handedOut.checkLost(ended);
    this.undone.checkDeleted(ended);
    this.undone.checkRollback(ended, fate);
    this.warned.push(ended.step.warned);
    this.last = ended;
  }

  /** Images that were deleted by any run. */
  deleted(): number {
    const { images } = this;
    return images.all.filter(({ deleted }) => deleted?.by === 'us').length;
  }

  /** Two runs at once: one image a region, the same for both, wherever each could see the other's. */
  afterTwo(...pair: [Ended, Ended]): void {
    const { images, journal, scenario, known } = this;
    const numbers = pair.map(({ caller }) => caller.number);
    for (const { region } of images.targets()) {
      const made = known
        .copiesIn(region)
        .filter(({ maker, asked }) => typeof maker === 'number' && numbers.includes(maker) && asked);
      const [oldest] = made
        .filter(({ fate, deleted }) => fate.end === 'Available' && deleted?.by !== 'somebody')
        .sort((one, other) => (images.isOlder(one, other) ? -1 : 1));
      if (!oldest) continue;
      // Whoever runs out of time cannot wait for an older one that is still under way.
      const both = pair.filter(({ caller, how, step, endedAt }) => {
        const row = rowOf(step, region);
        const own = made.filter(({ maker }) => maker === caller.number);
        const settled = Math.max(...own.map(readyAt));
        const couldSee = oldest.maker === caller.number || (own.length > 0 && oldest.listedAt <= settled);
        const listed = caller.lists.get(region)?.failed === false;
        const inTime = endedAt < caller.deadline;
        return how === 'itself' && inTime && row?.outcome !== 'failed' && couldSee && listed;
      });
      // Lists that come empty, again and again, hide it.
      const lies = scenario.faults.some(({ effect, count }) => effect.kind === 'blink' && count > 2);
      const isPlain =
        images.keepsMarks &&
        !lies &&
        made.every(
          ({ id, edited, fate }) => !edited && fate.removedAfter === undefined && !images.wrong.has(id),
        ) &&
        !known.hasStrangers(region) &&
        !known
          .copiesIn(region)
          .some(
            (image) =>
              image.maker !== 'somebody' && !made.includes(image) && image.fate.end !== 'Unavailable',
          );
      if (both.length < 2 || !isPlain || scenario.site.everywhere) {
        known.overlapped.add(region);
        continue;
      }
      journal.strike('two runs at once that could see each other');
      const handed = pair.map(({ step }) => step.idOf(region));
      if (handed.some((id) => id !== oldest.id))
        journal.violate(
          `two runs at once hand out ${handed.join(' and ')} in ${region}, and ${oldest.id} is the oldest that is sound`,
        );
      const told = pair.map(({ step }) => step.warned).join('\n');
      const left = made.filter(
        (image) =>
          images.isSound(image) &&
          image.id !== oldest.id &&
          image.listedAt <= image.sentAt + SEEN_WITHIN &&
          !names(told, image.id),
      );
      if (left.length > 0)
        journal.violate(
          `two runs at once leave ${left.map(({ id }) => id).join(' and ')} in ${region} beside ${oldest.id}`,
        );
    }
  }

  atTheEnd(): void {
    const { images, journal, scenario, known } = this;
    if (!images.keepsMarks || scenario.runs.some(({ ifExists }) => ifExists === 'copy')) return;
    const warned = this.warned.join('\n');
    for (const { region } of images.targets()) {
      const all = known.copiesIn(region);
      if (known.overlapped.has(region) || all.some(({ edited }) => edited)) continue;
      const ours = all.filter(
        (image) => images.isLive(image) && image.fate.end !== 'differs' && !names(warned, image.id),
      );
      if (ours.length > 1 && ours.some(({ maker }) => typeof maker === 'number'))
        journal.violate(`in the end ${region} has ${ours.map(({ id }) => id).join(' and ')}`);
    }
  }

  /**
   * What a run made could not be known to it when it was stopped or out of time, and the next run cannot tell it from
   * a double: a copy that was executed though the API refused it, or made elsewhere by a site that ignores the list.
   */
  private markUnseen({ caller, how }: Ended): void {
    const { images, scenario, known } = this;
    const wereRefused = (region: string) =>
      images.all.some(
        (other) => other.maker === caller.number && other.region === region && other.told === 'refused',
      );
    for (const image of images.all) {
      const hidden = !image.asked || wereRefused(image.region);
      const isLate = image.listedAt > Math.min(caller.deadline, image.sentAt + SEEN_WITHIN);
      if (image.maker !== caller.number) continue;
      if (isLate || (hidden && (how !== 'itself' || (image.told === 'refused' && !image.asked))))
        known.overlapped.add(image.region);
    }
    for (const { region, refused } of images.pending) {
      if (refused || wereRefused(region)) known.overlapped.add(region);
      if (!scenario.site.batch) known.overlapped.add(SOURCE_REGION);
    }
    for (const [region, { failed }] of caller.lists) if (failed) known.overlapped.add(region);
  }

  private checkTime({ caller, how, endedAt }: Ended): void {
    const { journal } = this;
    const { startedAt, deadline, cancelledAt, settings } = caller;
    const most = deadline + GRACE + (settings.rollback === 'never' ? 0 : ROLLBACK);
    if (how === 'itself' && endedAt > most)
      journal.violate(`the run took ${(endedAt - startedAt) / 1000} s with a timeout of ${settings.timeout}`);
    if (cancelledAt !== null && endedAt - cancelledAt > CANCEL)
      journal.violate(`the run ended ${(endedAt - cancelledAt) / 1000} s after its cancel`);
  }

  private checkWords({ errors, warnings, lines, outputs }: Step, status: string): void {
    const { journal } = this;
    const bad = ['failed', 'partial'].includes(status);
    if (bad && errors.length !== 1) journal.violate(`status ${status} with ${errors.length} errors`);
    if (!bad && errors.length > 0) journal.violate(`status ${status} with the error ${errors[0]}`);
    if (!['available', 'copying', 'partial', 'failed'].includes(status)) journal.violate(`status ${status}`);
    const all = [...errors, ...warnings, ...lines].join('\n');
    if (STACK.test(all)) journal.violate('a stack is shown');
    if (UNFIT.test(all)) journal.violate(`words that no reader should see: ${all}`);
    if (!outputs.has('image-ids')) journal.violate('there is no output image-ids');
  }
}
