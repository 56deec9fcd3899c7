import type { Clock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { bounded, repeat, Stopped } from './context.ts';
import { customImages } from './images.ts';
import { isMarkedBy } from './mark.ts';
import type { Copy, ImageRef, Order, Problem, Report } from './model.ts';
import { WINDOW } from './place.ts';

/** What a run has made, or may have made: enough for another process to undo it. */
export interface Traces {
  run: string;
  /** Ids that CopyCustomImage gave to this run. Adopted images are never among them. */
  created: ImageRef[];
  /** Where images may be whose ids are not known: the mark finds them. */
  places: { region: string; projectId: string; unasked?: true }[];
  /** An answer was lost: an image may yet be listed. */
  unclear: boolean;
}

/** Milliseconds for which one call is repeated: behind a throttle, many deletes take turns. */
const PATIENCE = 240_000;

/** Milliseconds between two looks for images whose ids are not known. */
const PAUSE = 10_000;

/** What of a promotion a rollback would have to undo. Nothing is anywhere before the first copy was sent. */
export function tracesOf(
  { run, source, target }: Order,
  copies: readonly Copy[],
  submitted: boolean,
): Traces {
  const sent = copies.filter(({ plan }) => plan === 'copy');
  const places: Traces['places'] = sent.map(({ region, projectId }) => ({ region, projectId }));
  // An API endpoint that ignores the list of a batch makes its one image in the source region.
  if (sent.length > 1 && !sent.some(({ region }) => region === source.region))
    places.push({ region: source.region, projectId: target.projectId, unasked: true });
  return {
    run,
    places: submitted ? places : [],
    unclear: sent.some(({ unclear }) => unclear),
    created: copies.flatMap(({ created, imageId, others, region, projectId }) =>
      [...(created && imageId !== null ? [imageId] : []), ...others].map((id) => ({
        region,
        projectId,
        imageId: id,
      })),
    ),
  };
}

export interface Effects {
  cloud: Cloud;
  clock: Clock;
  report: Report;
  signal: AbortSignal;
  /** The marks of this run are signed with it. */
  markSecret?: string | undefined;
}

/** What is gone: those too that were not there for as long as a new image may take to be listed. */
export interface Rollback {
  deleted: ImageRef[];
  /** Images that may still exist. */
  left: ImageRef[];
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

/** An image that was not deleted, or a region that was not searched. */
interface Left {
  what: 'not deleted' | 'not listed, so not deleted' | 'not searched for images of this run';
  region: string;
  image: ImageRef | null;
  error: unknown;
}

class Undo {
  private readonly deleted: ImageRef[] = [];
  private readonly left: Left[] = [];
  private readonly handled = new Set<string>();
  /** What the last lists show. */
  private readonly listed = new Set<string>();
  /** Not there when they were to be deleted: gone, or not listed yet. */
  private absent: ImageRef[] = [];
  private readonly traces: Traces;
  private readonly effects: Effects;

  constructor(traces: Traces, effects: Effects) {
    this.traces = traces;
    this.effects = effects;
  }

  async run(): Promise<Rollback> {
    const { clock, signal } = this.effects;
    await Promise.all(this.traces.created.map((image) => this.remove(image)));
    // From now on: the last call may have waited long for its turn before it was sent.
    const end = clock.now() + WINDOW;
    const sleep = (ms: number) => clock.sleep(ms, signal).catch(() => undefined);
    await repeat(sleep, () => this.round(end));
    if (clock.now() >= end) this.judgeAbsent();
    else {
      for (const image of this.absent)
        this.left.push({
          what: 'not listed, so not deleted',
          region: image.region,
          image,
          error: signal.reason,
        });
    }
    return {
      deleted: this.deleted,
      left: this.left.flatMap(({ image }) => image ?? []),
      problems: problemsOf(this.left, this.traces.run),
    };
  }

  /** Not there for as long as a new image may take to be listed: gone, unless the last lists show it. */
  private judgeAbsent(): void {
    const error = new Stopped({
      message: 'the API answers that there is no such image (RetCode 8956), and lists it all the same.',
      advice: '',
    });
    for (const image of this.absent) {
      const isShown = this.listed.has(keyOf(image));
      if (isShown) this.left.push({ what: 'not deleted', region: image.region, image, error });
      else this.deleted.push(image);
    }
  }

  /** Milliseconds until the next one; null when nothing can turn up any more. */
  private async round(end: number): Promise<number | null> {
    const { clock, signal } = this.effects;
    const again = this.absent;
    this.absent = [];
    for (const image of again) this.handled.delete(keyOf(image));
    await Promise.all(again.map((image) => this.remove(image)));
    const last = clock.now() >= end || signal.aborted;
    this.listed.clear();
    const troubles = await Promise.all(this.traces.places.map((place) => this.sweep(place)));
    if (!last && (this.traces.unclear || this.absent.length > 0))
      return Math.max(0, Math.min(PAUSE, end - clock.now()));
    this.left.push(...troubles.flat());
    return null;
  }

  private async remove(image: ImageRef): Promise<void> {
    const { cloud, signal } = this.effects;
    if (this.handled.has(keyOf(image))) return;
    this.handled.add(keyOf(image));
    const { region, projectId, imageId } = image;
    try {
      const target = { Region: region, ProjectId: projectId, ImageId: imageId };
      const options = { signal, patience: PATIENCE, persist: true };
      const wasThere = await cloud.terminateCustomImage(target, options);
      (wasThere ? this.deleted : this.absent).push(image);
    } catch (error) {
      this.left.push({ what: 'not deleted', region, image, error });
    }
  }

  private async sweep({ region, projectId }: Traces['places'][number]): Promise<Left[]> {
    const { cloud, signal, markSecret } = this.effects;
    const signer = markSecret ? { secret: markSecret, projectId } : undefined;
    try {
      const images = await customImages(cloud, region, projectId, {
        signal,
        patience: PATIENCE,
        persist: true,
      });
      for (const { ImageId: imageId } of images) this.listed.add(keyOf({ region, projectId, imageId }));
      const ours = images.filter(({ ImageDescription }) =>
        isMarkedBy(this.traces.run, ImageDescription, signer),
      );
      await Promise.all(ours.map(({ ImageId }) => this.remove({ region, projectId, imageId: ImageId })));
      return [];
    } catch (error) {
      return [{ what: 'not searched for images of this run', region, image: null, error }];
    }
  }
}

/** No page says that an id is unlike those of other regions. */
export function keyOf({ region, projectId, imageId }: ImageRef): string {
  return [region, projectId, imageId].join(' ');
}

/** Images named in one sentence: more would be cut. */
const TOGETHER = 10;

/** One for each reason, since an account that may not delete in one region may not in the others. */
function problemsOf(left: readonly Left[], run: string): Problem[] {
  const groups = new Map<string, Left[][]>();
  for (const one of left) {
    const { message, advice } = reasonOf(one.error, false);
    const key = JSON.stringify([one.what, message, advice]);
    const chunks = groups.get(key) ?? [];
    groups.set(key, chunks);
    const last = chunks.at(-1);
    if (last && last.length < TOGETHER) last.push(one);
    else chunks.push([one]);
  }
  return [...groups.values()].flat().map((alike) => problemOf(alike, run));
}

function problemOf(alike: readonly Left[], run: string): Problem {
  const [first] = alike as [Left];
  const { message, advice } = reasonOf(first.error, true);
  const names = alike.map(({ region, image }) => (image ? `${image.imageId} in ${region}` : region));
  const [were, them, are] = alike.length > 1 ? ['were', 'them', 'they are'] : ['was', 'it', 'it is'];
  const todo = {
    'not deleted': `Delete ${them} by hand: ${are} billed until then.`,
    'not listed, so not deleted': `Delete ${them} in the console if ${them === 'it' ? 'it appears' : 'they appear'}.`,
    'not searched for images of this run': `Look there for images with "by ${run}" in the marker of their description, and delete them.`,
  }[first.what];
  return {
    message: `${names.join(', ')} ${were} ${first.what}: ${message}`,
    advice: advice === '' ? todo : `${todo} ${advice}`,
  };
}

/** `whole`: with what differs between two answers of one kind. */
function reasonOf(error: unknown, whole: boolean): Problem {
  if (!(error instanceof CloudError))
    return { message: error instanceof Stopped ? error.message : 'the step was cancelled.', advice: '' };
  const { call, code, meaning, advice, message } = error;
  // It names the image and the region before.
  const said = message.slice(message.indexOf(' failed: '));
  return { message: whole ? `${call}${said}.` : `${call} ${code} ${meaning}`, advice };
}
