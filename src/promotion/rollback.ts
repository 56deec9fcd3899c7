import type { Clock } from '../cloud/clock.ts';
import type { CallOptions, Cloud, Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { bounded, repeat, Stopped } from './context.ts';
import { customImages, isOlderThan } from './images.ts';
import { ACCEPTED, type Left, problemsOf, UNKNOWN, UNMARKED } from './leftovers.ts';
import { isMarkedBy, readMark } from './mark.ts';
import type { Gone, ImageRef, Leftover, Problem, Report } from './model.ts';
import { WINDOW } from './place.ts';
import { keyOf, type Traces } from './traces.ts';
import { isDeleting } from './verify.ts';

/** Milliseconds for which one call is repeated: behind a throttle, many deletes take turns. */
const PATIENCE = 240_000;

/** Milliseconds between two looks for images whose ids are not known. */
const PAUSE = 10_000;

export interface Effects {
  cloud: Cloud;
  clock: Clock;
  report: Report;
  signal: AbortSignal;
  /** The marks of this run are signed with it. */
  markSecret?: string | undefined;
  /** The post step comes after it, and tries again what a cancel has cut. */
  postFollows?: boolean;
}

/** What is gone: those too that were not there for as long as a new image may take to be listed. */
export interface Rollback {
  deleted: Gone[];
  /** Images that may still exist. */
  left: Leftover[];
  /** Why, and where nothing could be searched. */
  problems: Problem[];
}

/** Deletes what the run made, and tells: known ids at once, then what its mark finds. Never throws. */
export async function rollback(traces: Traces, effects: Effects): Promise<Rollback> {
  const until = bounded(effects.clock, effects.signal, WINDOW);
  const result = await new Undo(traces, { ...effects, signal: until.signal }).run();
  until.end();
  effects.report({ type: 'rolled-back', deleted: result.deleted, left: result.problems });
  return result;
}

class Undo {
  private readonly deleted: Gone[] = [];
  private readonly left: Left[] = [];
  private readonly handled = new Set<string>();
  /** Those that a read has shown. */
  private readonly seen = new Set<string>();
  /** The ids that the last list of each place has shown. */
  private readonly lists = new Map<string, ReadonlySet<string>>();
  /** Without a mark: to be deleted where no list shows that the API endpoint keeps them. */
  private bare: ImageRef[] = [];
  private keepsMarks: boolean;
  /** Those that could not be read, and why: a list may show them later. */
  private readonly unread = new Map<string, { image: ImageRef; error: unknown }>();
  /** Not there when they were to be deleted: gone, or not listed yet. */
  private absent: ImageRef[] = [];
  /** Their delete was accepted: gone when no list shows them. */
  private readonly accepted = new Map<string, ImageRef>();
  private readonly traces: Traces;
  private readonly effects: Effects;
  private readonly options: CallOptions;

  constructor(traces: Traces, effects: Effects) {
    this.traces = traces;
    this.effects = effects;
    this.options = { signal: effects.signal, patience: PATIENCE, persist: true };
    this.keepsMarks = traces.marked ?? false;
  }

  async run(): Promise<Rollback> {
    const { clock, signal } = this.effects;
    await Promise.all(this.traces.created.map((image) => this.remove(image)));
    // From now on: the last call may have waited long for its turn before it was sent.
    const end = clock.now() + WINDOW;
    const sleep = (ms: number) => clock.sleep(ms, signal).catch(() => undefined);
    await repeat(sleep, () => this.round(end));
    for (const { image, error } of this.unread.values()) this.leave('not deleted', image, error);
    for (const image of this.accepted.values()) this.judge('not deleted yet', image, ACCEPTED);
    for (const image of this.absent) {
      // Not there for as long as a new image may take to be listed: gone.
      if (signal.aborted) this.leave('not listed, so not deleted', image, signal.reason);
      else this.judge('not deleted', image, UNKNOWN);
    }
    const left = this.left.filter((one) => !this.isGone(one));
    return {
      deleted: this.deleted,
      left: left.flatMap(({ what, image }): Leftover[] => {
        const isUsable = what !== 'left alone' && what !== 'not deleted yet';
        return image ? [isUsable ? image : { ...image, unusable: true }] : [];
      }),
      problems: problemsOf(left, this.traces.run, this.effects.postFollows),
    };
  }

  private judge(what: Left['what'], image: ImageRef, message: string): void {
    const isAbsent = what === 'not deleted';
    // The answers for two regions may have been swapped: then it is in the other one.
    const lists = isAbsent ? [...this.lists.values()] : [this.lists.get(placeOf(image))];
    if (lists.some((list) => list?.has(image.imageId)))
      this.leave(what, image, new Stopped({ message, advice: '' }));
    else this.deleted.push(isAbsent ? { ...image, absent: true } : image);
  }

  private isListed(image: ImageRef): boolean {
    return this.lists.get(placeOf(image))?.has(image.imageId) ?? false;
  }

  private leave(what: Left['what'], image: ImageRef, error: unknown): void {
    this.left.push({ what, region: image.region, image, error });
  }

  /** Only the answer was lost: it was there, and a list that came later does not show it. */
  private isGone({ image, error }: Left): boolean {
    if (!image || !(error instanceof CloudError)) return false;
    const wasRead = this.seen.has(keyOf(image)) && this.lists.has(placeOf(image));
    const isGone = wasRead && !this.isListed(image);
    if (isGone) this.deleted.push(image);
    return isGone;
  }

  /** Milliseconds until the next one; null when nothing can turn up any more. */
  private async round(end: number): Promise<number | null> {
    const { clock, signal } = this.effects;
    const shown = () => [...this.accepted.values()].filter((image) => this.isListed(image));
    const again = [...this.absent, ...shown()];
    this.absent = [];
    for (const image of again) this.handled.delete(keyOf(image));
    await Promise.all(again.map((image) => this.remove(image)));
    const last = clock.now() >= end || signal.aborted;
    let troubles = await this.sweepAll();
    const bare = this.bare.splice(0);
    if (this.keepsMarks) for (const image of bare) this.leaveAlone(image);
    else if (bare.length > 0) {
      await Promise.all(bare.map((image) => this.remove(image, true)));
      troubles = await this.sweepAll();
    }
    const isOpen = this.traces.unclear || this.absent.length > 0 || shown().length > 0;
    if (!last && isOpen) return Math.max(0, Math.min(PAUSE, end - clock.now()));
    this.left.push(...troubles.flat());
    return null;
  }

  private sweepAll(): Promise<Left[][]> {
    return Promise.all(this.traces.places.map((place) => this.sweep(place)));
  }

  private leaveAlone(image: ImageRef): void {
    this.accepted.delete(keyOf(image));
    this.leave('left alone', image, new Stopped({ message: UNMARKED, advice: '' }));
  }

  /** `isFound`: in a list. Else it is read first. */
  private async remove(image: ImageRef, isFound = false): Promise<void> {
    const key = keyOf(image);
    this.handled.add(key);
    const target = { Region: image.region, ProjectId: image.projectId, ImageId: image.imageId };
    try {
      if (isFound) this.seen.add(key);
      else if (!(await this.mayDelete(image))) return;
      const wasThere = await this.effects.cloud.terminateCustomImage(target, this.options);
      if (wasThere) this.accepted.set(key, image);
      else if (this.accepted.delete(key)) this.deleted.push(image);
      else this.absent.push(image);
    } catch (error) {
      if (this.accepted.has(key)) return;
      this.leave('not deleted', image, error);
      // Only a list that comes later tells whether it is gone.
      this.lists.delete(placeOf(image));
    }
  }

  /** The API answered with its id: that alone is not enough. */
  private async mayDelete(image: ImageRef): Promise<boolean> {
    const key = keyOf(image);
    const query = { Region: image.region, ProjectId: image.projectId, ImageIds: [image.imageId] };
    try {
      const shown = await this.effects.cloud.describeImages(query, this.options);
      if (shown.length > 0) this.seen.add(key);
      const whose = shown.map((one) => this.whose(one, image.projectId));
      if (whose.includes('ours')) this.keepsMarks = true;
      if (whose.includes('of others') || (this.keepsMarks && whose.includes('bare'))) this.leaveAlone(image);
      else if (whose.includes('bare') && !this.accepted.has(key)) {
        this.handled.delete(key);
        this.bare.push(image);
      } else return true;
    } catch (error) {
      this.handled.delete(key);
      if (!this.accepted.has(key)) this.unread.set(key, { image, error });
    }
    return false;
  }

  /** An API endpoint may drop descriptions, or cut the mark. */
  private whose(image: Image, projectId: string): 'ours' | 'bare' | 'of others' {
    const { ImageDescription: text = '' } = image;
    const { markSecret: secret } = this.effects;
    const { run, since = 0, sourceTime } = this.traces;
    if (isMarkedBy(run, text, secret ? { secret, projectId } : undefined)) return 'ours';
    const isOlder = image.CreateTime !== sourceTime && isOlderThan(image, since);
    // With a secret, only what is signed with it is deleted.
    if (secret || isOlder) return 'of others';
    const isCut = /^\s*($|\[copy of)/.test(text);
    return isCut && readMark(text) === null ? 'bare' : 'of others';
  }

  private async sweep(place: Traces['places'][number]): Promise<Left[]> {
    const { region, projectId } = place;
    try {
      // Again where something was found: only a list that comes after a delete tells whether it is gone.
      for (let found = true; found; ) {
        const images = await customImages(this.effects.cloud, region, projectId, this.options);
        const refOf = ({ ImageId }: Image) => ({ region, projectId, imageId: ImageId });
        const isUnread = (image: Image) => this.unread.has(keyOf(refOf(image)));
        const isOurs = (image: Image) => this.whose(image, projectId) === 'ours';
        if (images.some(isOurs)) this.keepsMarks = true;
        for (const image of images.filter((one) => isUnread(one) && this.whose(one, projectId) === 'bare')) {
          this.bare.push(refOf(image));
          this.unread.delete(keyOf(refOf(image)));
        }
        const ours = images
          .filter(isOurs)
          .map(refOf)
          .filter((image) => !this.handled.has(keyOf(image)));
        for (const image of ours) this.unread.delete(keyOf(image));
        await Promise.all(ours.map((image) => this.remove(image, true)));
        const there = images.filter((image) => !isDeleting(image));
        this.lists.set(placeOf(place), new Set(there.map(({ ImageId }) => ImageId)));
        found = ours.length > 0;
      }
      return [];
    } catch (error) {
      return [{ what: 'not searched for images of this run', region, image: null, error }];
    }
  }
}

function placeOf({ region, projectId }: { region: string; projectId: string }): string {
  return `${region} ${projectId}`;
}
