import type { Findings } from './check.ts';
import type { Context } from './context.ts';
import type { Excess } from './excess.ts';
import { isBare } from './images.ts';
import type { Copy, Problem } from './model.ts';
import { pollDelay } from './pace.ts';

/**
 * Milliseconds that a copy may stay unseen after an unclear answer. The gateway gives up after 60 s while the call may
 * still be running (RetCode 110); a new image takes some time to be listed, which no page bounds: another 60 s.
 */
export const WINDOW = 120_000;

/** Milliseconds between two looks for an image: half of the time that it has been looked for, within these. */
const SOONEST_LOOK = 1_000;
const LATEST_LOOK = 15_000;
/** Milliseconds for which a last look is good when all else is done. */
export const CLOSING_LOOK = 5_000;

/** A region of the target project: what is wanted there, and all that is known of it. Times in Unix milliseconds. */
export interface Place {
  readonly region: string;
  readonly projectId: string;
  readonly name: string;
  readonly optional: boolean;
  /** `nothing`: no target, but an image of ours may be here. */
  plan: Copy['plan'] | 'nothing';
  why: string;
  /** The image that is handed out. */
  held: Held | null;
  /** The target has failed. */
  problem: Problem | null;
  /** CopyCustomImage may have made an image whose id is not known: saved for the post step. */
  unclear: boolean;
  doubt: Doubt | null;
  /** Ids known to be of this run: the API answered with them, or they were found by its mark after a doubt. */
  own: string[];
  sentAt: number;
  sendAt: number;
  /** Copies that were sent, those aside that never reached the API. */
  sends: number;
  refusals: number;
  unclears: number;
  /** What CopyCustomImage said last against it; why it could not be read last. */
  answer: Problem | null;
  trouble: Problem | null;
  /** When the last whole listing began; when the last read of any kind ended. */
  readAt: number;
  triedAt: number;
  /** Looks until then count as done, though they could not be read. */
  quitAt: number;
  /** In [0, 1): spreads the next poll. */
  random: number;
  /** To be deleted. */
  excess: Excess[];
}

export interface Held {
  imageId: string;
  taskId: string | null;
  /** This run made it. */
  created: boolean;
  startedAt: number;
  finishedAt: number | null;
  /** Null while the API has not told it. */
  state: string | null;
  /** When it was last seen, and how many answers since have missed it. */
  seenAt: number | null;
  misses: number;
  /** When it was last read by its id; or tried to, once it had settled. */
  readAt: number;
  /** This run's mark was seen in its description. */
  marked: boolean;
}

/** CopyCustomImage may have made an image here that is not listed yet. */
export interface Doubt {
  /**
   * `unclear`: it may have run. `refused`: it says that it did not. `in part`: so says a list, some of which may have.
   * `final`: it says so and will not be sent again.
   */
  kind: 'unclear' | 'refused' | 'in part' | 'final';
  since: number;
  /** A listing from then on without ours: it may be sent again. */
  clearAt: number;
  /** Until then one may turn up all the same: the last look is not before. */
  until: number;
  /** It was asked for in a list, which an API endpoint may ignore. */
  ofList?: boolean;
  /** Until then one may turn up that a list of regions has made, whatever a single call has said since. */
  listUntil?: number;
}

export interface Run extends Context {
  startedAt: number;
  findings: Findings;
  places: Place[];
  /** The API endpoint does not know TargetRegionList, or has answered to one in a way that is not clear. */
  singles: boolean;
  /** This run's mark was seen in a listing: an image without one is none of its copies. */
  keepsMarks: boolean;
  /** Milliseconds that the finished copies of this run took. */
  finished: number[];
  /** Facts that were told and need not be told again. */
  told: Set<string>;
  /** Unix milliseconds of the last change of any copy. */
  changedAt: number;
  /** Since when nothing else is left to do: what was adopted, or in doubt, is read once more. */
  closing: number | null;
}

export type Deed = 'send' | 'look' | 'poll' | 'last look' | 'delete';

/** A read: what it was for, and when it began. */
export interface Reading {
  deed: Deed;
  at: number;
}

export function newRun(some: Context & Pick<Run, 'startedAt' | 'findings' | 'places'>): Run {
  return {
    ...some,
    singles: false,
    keepsMarks: false,
    finished: [],
    told: new Set(),
    changedAt: some.clock.now(),
    closing: null,
  };
}

export function newPlace(
  some: Pick<Place, 'region' | 'projectId' | 'name' | 'optional' | 'plan' | 'why'>,
): Place {
  return {
    ...some,
    held: null,
    problem: null,
    unclear: false,
    doubt: null,
    own: [],
    sentAt: 0,
    sendAt: 0,
    sends: 0,
    refusals: 0,
    unclears: 0,
    answer: null,
    trouble: null,
    readAt: 0,
    triedAt: 0,
    quitAt: 0,
    random: 0.5,
    excess: [],
  };
}

export function newHeld(image: Pick<Held, 'imageId' | 'created' | 'startedAt'> & Partial<Held>): Held {
  return {
    taskId: null,
    finishedAt: null,
    state: null,
    seenAt: null,
    misses: 0,
    readAt: 0,
    marked: false,
    ...image,
  };
}

/** Wants an image and has none. */
export function isWanting({ plan, held, problem }: Place): boolean {
  return plan === 'copy' && held === null && problem === null;
}

/** Has an image that is not settled. */
export function isOpen({ held, problem }: Place): boolean {
  return held !== null && held.finishedAt === null && problem === null;
}

/** What is to be done next for a place, and when; null when nothing is left. */
export function next(place: Place, run: Run, now: number): { deed: Deed; at: number } | null {
  const [excess] = place.excess;
  if (excess) return { deed: 'delete', at: excess.at ?? now };
  if (isWanting(place)) return nextForWanting(place, run, now);
  const { order, deadline, closing } = run;
  const { held, plan } = place;
  if (held && isOpen(place)) {
    // Without a wait it is read once, and again where an adopted image has vanished since the check.
    const waits = order.wait || (plan === 'adopt' && held.misses > 0);
    const isUnread = held.seenAt === null && held.misses === 0 && place.trouble === null;
    if (!waits && isUnread) return { deed: 'poll', at: now };
    const at = pollAt(place, held, run, now);
    // The API's answer may have named another image: the mark finds the right one.
    if (waits && isLost(place, held, now)) return { deed: 'last look', at: now };
    if (waits && at < deadline) return { deed: 'poll', at };
    // One read at the deadline: where a copy was sent it is the last look, after a poll beyond it, too.
    if (waits && plan !== 'copy' && place.triedAt < deadline) return { deed: 'poll', at: deadline };
  }
  if (closing !== null && !isOpen(place)) {
    if (held && held.readAt < closing && plan === 'adopt' && !place.problem) return { deed: 'poll', at: now };
    // Since the place's own last look an older copy may have been listed, or its image have gone.
    const isOld = Math.max(place.readAt, place.quitAt) < closing - CLOSING_LOOK;
    if ((plan === 'copy' || place.doubt) && order.wait && isOld) return { deed: 'last look', at: now };
  }
  return lastLook(place, run);
}

/** An image that was promised and never listed, in a place that was not listed since it should have been. */
function isLost({ readAt, quitAt }: Place, { seenAt, startedAt, misses }: Held, now: number): boolean {
  const due = startedAt + WINDOW;
  return seenAt === null && misses > 0 && now >= due && Math.max(readAt, quitAt) < due;
}

function nextForWanting(place: Place, { deadline }: Run, now: number): { deed: Deed; at: number } | null {
  const { doubt, sendAt, triedAt, trouble } = place;
  const lookedAt = Math.max(place.readAt, place.quitAt);
  if (now >= deadline) return doubt && triedAt < deadline ? { deed: 'look', at: deadline } : null;
  if (!doubt || lookedAt >= doubt.clearAt) return { deed: 'send', at: Math.min(sendAt, deadline) };
  const isDue = !trouble || triedAt < doubt.clearAt;
  return { deed: 'look', at: Math.min(lookAt(place, doubt), isDue ? doubt.clearAt : deadline, deadline) };
}

function lookAt({ triedAt }: Place, { since }: Doubt): number {
  const from = Math.max(triedAt, since);
  return from + Math.min(LATEST_LOOK, Math.max(SOONEST_LOOK, (from - since) / 2));
}

/** Reckoned anew, as of `now`, when another copy has finished: the others are due sooner then. */
function pollAt(place: Place, held: Held, { order, places, finished }: Run, now: number): number {
  const from = Math.max(place.triedAt, held.startedAt);
  if (order.pollInterval !== undefined) return from + order.pollInterval;
  const open = places.filter(isOpen).length;
  const delay = (at: number) => pollDelay(at - held.startedAt, finished, open, place.random);
  return from + Math.min(delay(from), delay(Math.max(from, now)));
}

/**
 * One more listing of every place that this run has sent a copy to, when its image has settled or time is over, and of
 * one whose adopted image has failed. A doubt, or an image without a mark, says how late; it brings one without a wait.
 */
function lastLook(place: Place, { order, deadline }: Run): { deed: Deed; at: number } | null {
  const { doubt, held, plan, problem } = place;
  const isDue = held && (plan === 'copy' ? order.wait : problem);
  const settledAt = isDue ? (isOpen(place) ? deadline : held.finishedAt) : null;
  const bareAt = held && isBare(place) ? held.startedAt + (order.wait ? WINDOW : 0) : 0;
  const due = Math.min(Math.max(settledAt ?? 0, bareAt, doubt?.until ?? 0), deadline);
  if (Math.max(place.readAt, place.quitAt) >= due) return null;
  const at = plan !== 'copy' && doubt?.kind === 'unclear' ? Math.min(lookAt(place, doubt), due) : due;
  return { deed: 'last look', at };
}
