import type { Scenario } from '../scenario.ts';
import type { Row, Step } from '../step.ts';
import type { Caller } from '../world/caller.ts';
import { A_MONTH_AGO, NAME, SOURCE_ID } from '../world/facts.ts';
import type { Images, ModelImage } from '../world/images.ts';
import type { Journal } from '../world/journal.ts';

/** Milliseconds before the end of the step by which a state must have been seen: the longest poll, and a look. */
export const NOTICED = 60_000;

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

/** What could be known by the end of a run, and what could not. */
export class Knowledge {
  readonly scenario: Scenario;
  readonly images: Images;
  readonly journal: Journal;
  /** Regions in which a run began before what an earlier one had made could be seen. */
  readonly overlapped = new Set<string>();

  constructor(scenario: Scenario, images: Images, journal: Journal) {
    this.scenario = scenario;
    this.images = images;
    this.journal = journal;
  }

  /** Copies of the source under the wanted name, also those that are gone. */
  copiesIn(region: string): ModelImage[] {
    const { images } = this;
    return images.all.filter(
      (image) =>
        image.region === region &&
        image.ofSource &&
        image.id !== SOURCE_ID &&
        image.name.toLowerCase() === NAME.toLowerCase(),
    );
  }

  /** Somebody made an image of our name since the scenario began. */
  hasStrangers(region: string): boolean {
    const { images, scenario } = this;
    const isWrong = ({ id, maker }: ModelImage) => images.wrong.has(id) && maker === 'somebody';
    return (
      images.all.some((image) => image.region === region && isWrong(image)) ||
      scenario.targets.some(
        ({ strangers }, index) => strangers.length > 0 && images.targets()[index]?.region === region,
      )
    );
  }

  hasGhosts(region: string): boolean {
    const { images, scenario } = this;
    return (
      scenario.site.ghosts !== null &&
      images.all.some((image) => image.region === region && image.deleted !== null)
    );
  }

  /** Nobody can tell that it is this run's. */
  isUnknowable(image: ModelImage, { named }: Caller): boolean {
    const { images } = this;
    const isNamed = named.has(image.id) && !images.wrong.has(image.id);
    return (!images.keepsMarks || image.edited !== null) && !isNamed;
  }

  /** The API said of it that it did not run, in a way that need not be looked behind for long. */
  isDenied({ told, batch }: ModelImage): boolean {
    return told === 'refused' && !batch;
  }

  /** The last try to list the region failed, and the reader was told of the region. */
  wasUnreadable({ caller, step, unread }: Ended, region: string): boolean {
    const isLeftOpen =
      /not known whether a copy exists|whether a copy exists is not known|may still appear there|may have carried (it|one) out/.test(
        step.warned,
      );
    const isUnread = unread.has(region) || caller.lists.get(region)?.failed !== false;
    return (isLeftOpen || isUnread) && names(step.warned, region);
  }

  /** Somebody copied the mark before ours was listed: it was taken for ours, and the search was over. */
  wasForged(image: ModelImage, caller: Caller): boolean {
    const { images } = this;
    const isForged = (other: ModelImage) =>
      other.maker === 'somebody' &&
      other.region === image.region &&
      caller.mark !== null &&
      other.description.includes(` by ${caller.mark}`) &&
      other.listedAt <= image.listedAt;
    return caller.unclear.has(image.region) && images.all.some(isForged);
  }

  /** The answer named another one instead, and no list has shown this one with its mark: the next run finds it. */
  isUnnamed(image: ModelImage, caller: Caller): boolean {
    const { images } = this;
    const isMisnamed = [...images.wrong.values()].includes(image.id);
    return isMisnamed && (!images.keepsMarks || !wasSeen(caller, image));
  }

  /** An answer named it, and no list showed that the copy is another one. */
  isSwapped({ id, madeAt }: ModelImage, caller: Caller, how: Ended['how']): boolean {
    const { images } = this;
    const real = images.all.find((other) => other.id === images.wrong.get(id));
    if (!real || (madeAt === A_MONTH_AGO && how === 'itself' && caller.settings.wait)) return false;
    const isShown = images.isMarked(real) && !real.edited && !real.deleted && wasSeen(caller, real);
    return how !== 'itself' || !caller.settings.wait || !isShown;
  }
}

/** A group of promises: all that they go by. */
export class Promises {
  protected readonly known: Knowledge;
  protected readonly scenario: Scenario;
  protected readonly images: Images;
  protected readonly journal: Journal;

  constructor(known: Knowledge) {
    this.known = known;
    this.scenario = known.scenario;
    this.images = known.images;
    this.journal = known.journal;
  }
}

export function names(text: string, id: string): boolean {
  return new RegExp(`\\b${id}\\b`).test(text);
}

/** A whole listing of its region began after it was listed. */
export function wasSeen({ lists }: Caller, { region, listedAt }: ModelImage): boolean {
  return listedAt <= (lists.get(region)?.wholeAt ?? Number.NEGATIVE_INFINITY);
}

/** Edited before anybody could read it: another one that has the mark goes before it. */
export function wasNeverMarked({ edited, listedAt }: ModelImage): boolean {
  return edited !== null && edited <= listedAt + 10_000;
}

export function rowOf(step: Step, region: string): Row | undefined {
  return step.images().find((row) => row.region === region);
}

/** When it has settled and is listed. */
export function readyAt({ madeAt, fate, listedAt }: ModelImage): number {
  return Math.max(madeAt + fate.seconds * 1000, listedAt);
}
