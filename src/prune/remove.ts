import type { Clock } from '../cloud/clock.ts';
import type { Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { mixedUp } from '../promotion/elsewhere.ts';
import { customImages } from '../promotion/images.ts';
import type { Problem } from '../promotion/model.ts';
import { isDeleting } from '../promotion/verify.ts';
import { type Decision, decide } from './decide.ts';
import type { Item, Run } from './prune.ts';

/** Milliseconds after a cancel for the answer of a delete that was sent: the runner kills the step a little later. */
const GRACE = 3_000;

/** Milliseconds for which a delete is repeated that fails for a reason that may pass; a throttle has the whole timeout. */
const PATIENCE = 120_000;
const LONGEST_PAUSE = 20_000;

/** Deletes of an image that is listed, after which the answer "no such image" is taken for a refusal. */
const DENIALS = 3;

export interface Trouble {
  problem: Problem;
  /** The next delete in the region would end alike. */
  isLast: boolean;
}

/** What the attempts have come to so far. */
interface Tried {
  failure: CloudError | null;
  /** One was answered with success: the image is deleted when no list shows it. */
  accepted: boolean;
  denials: number;
}

/** Looks before each attempt: nothing is deleted that has come to stay while an attempt was repeated. Null: no trouble. */
export async function remove(run: Run, region: string, item: Item): Promise<Trouble | null> {
  const { clock, signal } = run;
  const giveUpAt = Math.min(clock.now() + PATIENCE, run.deadline);
  const tried: Tried = { failure: null, accepted: false, denials: 0 };
  for (let attempt = 0; ; attempt++) {
    const seen = await look(run, region, item, tried);
    if (seen !== 'due') return seen;
    const objection = run.objections?.(run.regions).find((one) => (one.region ?? region) === region);
    if (objection) return attempt > 0 ? fail(item, objection.problem, true) : { ...objection, isLast: true };
    const over = giveUp(run, region, item, tried, giveUpAt);
    if (over) return over;
    // The look may have taken long.
    if (attempt === 0 && clock.now() >= run.deadline) return null;
    const wasAccepted = tried.accepted;
    const told = await send(run, region, item, tried);
    if (told !== 'again') return told;
    const { accepted, failure } = tried;
    if (failure?.decisive || (accepted && !wasAccepted)) continue;
    const pause = Math.min(LONGEST_PAUSE, 1000 * 2 ** attempt) * (0.5 + clock.random() / 2);
    await clock.sleep(Math.max(pause, (failure?.waitSeconds ?? 0) * 1000), signal).catch(() => undefined);
  }
}

function fail(item: Item, problem: Problem, isLast: boolean): Trouble {
  item.fate = 'failed';
  return { problem, isLast };
}

async function look(run: Run, region: string, item: Item, tried: Tried): Promise<Trouble | null | 'due'> {
  const { failure, accepted, denials } = tried;
  const doubt = doubtOf(region, item);
  try {
    if (await isStillDue(run, region, item)) return 'due';
    if (!failure && !accepted) return null;
    // Gone after an attempt: that one was executed, whatever its answer was. If it is there, it may yet be.
    if (item.fate !== 'gone')
      return fail(item, failure ? problemOf(failure, doubt) : stillListed(doubt), false);
    item.fate = 'deleted';
    return null;
  } catch (error) {
    if (failure || accepted || denials > 0) return fail(item, unconfirmed(doubt, tried, error), true);
    if (error instanceof CloudError) {
      const what = `${item.image.ImageId} in ${region} could not be read again, so it was not deleted`;
      return { problem: problemOf(error, what), isLast: true };
    }
    if (!run.signal.aborted) throw error;
    return null;
  }
}

function giveUp(run: Run, region: string, item: Item, tried: Tried, giveUpAt: number): Trouble | null {
  const { failure, accepted, denials } = tried;
  const now = run.clock.now();
  const what = `${item.image.ImageId} in ${region} was not deleted`;
  if (failure && (failure.decisive || now >= (failure.slow ? run.deadline : giveUpAt)))
    return fail(item, problemOf(failure, what), failure.decisive);
  if (!failure && accepted && now >= giveUpAt) return fail(item, stillListed(what), false);
  if (denials < DENIALS) return null;
  const message = `${what}: TerminateCustomImage answers RetCode 8956 (no such image) each time, though DescribeImage lists it.`;
  const advice = 'Delete it in the console. If that fails as well, report the image id to the vendor.';
  return fail(item, { message, advice }, false);
}

async function send(run: Run, region: string, item: Item, tried: Tried): Promise<Trouble | null | 'again'> {
  try {
    if (await terminate(run, region, item.image.ImageId)) tried.accepted = true;
    else if (tried.accepted) {
      item.fate = 'deleted';
      return null;
    } else tried.denials++;
  } catch (error) {
    if (error instanceof CloudError) tried.failure = error;
    else if (!run.signal.aborted) throw error;
    else {
      const message = `${doubtOf(region, item)}: the step was ended before the API answered.`;
      return fail(item, { message, advice: AGAIN }, true);
    }
  }
  return 'again';
}

const AGAIN = 'Run it again: it deletes what is still there.';

function doubtOf(region: string, { image }: Item): string {
  return `Whether ${image.ImageId} in ${region} was deleted is not known`;
}

function stillListed(what: string): Problem {
  const message = `${what}: the API accepts the delete (RetCode 0), and lists the image all the same.`;
  return {
    message,
    advice: 'Run it again in some minutes; if the image is still there, delete it in the console.',
  };
}

/** `error` is why no list could be read; a cancel needs no words. */
function unconfirmed(what: string, { failure, accepted }: Tried, error: unknown): Problem {
  const isTold = error instanceof CloudError;
  if (failure && !isTold) return problemOf(failure, what);
  const answer = accepted ? 'accepted the delete (RetCode 0)' : 'called the image unknown (RetCode 8956)';
  const message = `${what}: ${failure?.message ?? `the API ${answer}`}, and no list could be read after it`;
  if (!isTold) return { message: `${message}.`, advice: AGAIN };
  return { message: `${message}: ${error.message}.`, advice: `${error.advice} ${AGAIN}` };
}

/** Throws when the list cannot be read. Its fate is told when it is not due any more. */
async function isStillDue(run: Run, region: string, item: Item): Promise<boolean> {
  const { ImageId } = item.image;
  const images = await read(run, region);
  const others = run.regions.filter((other) => other.region !== region);
  const lists = others.map((other): [string, { ImageId: string }[]] => [
    other.region,
    other.listed.map((id) => ({ ImageId: id })),
  ]);
  const mistake = mixedUp([[region, images], ...lists]).get(region);
  if (mistake) throw mistake;
  const isThere = heed(run, region, images);
  if (!isThere(item)) {
    item.fate = 'gone';
    return false;
  }
  const decisions = decide(images, run.order.rules, run.clock.now());
  const change = changeOf(
    item,
    decisions.find(({ image }) => image.ImageId === ImageId),
  );
  if (change !== null) Object.assign(item, { fate: 'kept', why: change });
  return change === null;
}

/** Takes note of a later list: what was to stay may be gone. Answers which are there. */
function heed({ regions, report }: Run, region: string, images: readonly Image[]): (item: Item) => boolean {
  const isThere = ({ image }: Item) =>
    images.some((one) => one.ImageId === image.ImageId && !isDeleting(one));
  const known = regions.find((one) => one.region === region);
  if (known) known.listed = images.map(({ ImageId }) => ImageId);
  for (const item of known?.items ?? []) {
    const now = images.find(({ ImageId }) => ImageId === item.image.ImageId);
    // What is due is compared with the plan.
    if (now && item.verdict === 'keep') Object.assign(item, { image: now });
    // A list that shows it again was right.
    if (item.verdict === 'keep' && item.fate === 'gone' && isThere(item)) item.fate = 'kept';
    if (item.fate !== 'kept' || isThere(item)) continue;
    item.fate = 'gone';
    report({ type: 'fate', region, item: { ...item }, problem: null });
  }
  return isThere;
}

/** One attempt. False: there is no such image. */
async function terminate(run: Run, region: string, ImageId: string): Promise<boolean> {
  const until = graced(run.clock, run.signal);
  try {
    const image = { Region: region, ProjectId: run.order.projectId, ImageId };
    // What waits behind a throttle when the step is cancelled is not sent any more.
    const options = { signal: until.signal, persist: true, unsent: run.signal };
    return await run.cloud.terminateCustomImage(image, options);
  } finally {
    until.end();
  }
}

/** Null when the image is as it was, and is still to go. */
function changeOf(before: Decision, now: Decision | undefined): string | null {
  if (!now) return 'renamed, or its marker was removed, since the plan';
  const { ImageName, State } = before.image;
  if (now.image.ImageName !== ImageName) return `renamed to ${now.image.ImageName} since the plan`;
  if (JSON.stringify(now.mark) !== JSON.stringify(before.mark))
    return 'its marker was changed since the plan';
  if (now.image.State !== State)
    return `its state has changed to ${now.image.State ?? 'none'} since the plan`;
  return now.verdict === 'keep' ? `now ${now.why}` : null;
}

/** Aborted a little after `signal`. */
function graced(clock: Clock, signal: AbortSignal): { signal: AbortSignal; end(): void } {
  const over = new AbortController();
  const ended = new AbortController();
  const begin = () =>
    clock.sleep(GRACE, ended.signal).then(
      () => over.abort(signal.reason),
      () => undefined,
    );
  signal.addEventListener('abort', begin, { once: true });
  return {
    signal: over.signal,
    end() {
      signal.removeEventListener('abort', begin);
      ended.abort();
    },
  };
}

/**
 * The whole list, and not the one image: an image goes because of newer ones that stay, and one of these may have
 * broken or gone meanwhile.
 */
export function read(run: Run, region: string): Promise<Image[]> {
  const { clock, cloud, deadline, order, signal } = run;
  const patience = Math.max(0, deadline - clock.now());
  return customImages(cloud, region, order.projectId, { signal, patience });
}

export function problemOf({ message, advice }: CloudError, what: string): Problem {
  return { message: `${what}: ${message}.`, advice };
}
