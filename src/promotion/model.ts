import type { Image } from '../cloud/cloud.ts';

/** What to promote, checked by the inputs. Times in milliseconds. */
export interface Order {
  source: { region: string; zone?: string; projectId?: string; imageId?: string; name?: string };
  target: {
    projectId: string;
    regions: string[];
    /** Targets beside `regions` whose failure is a warning. */
    optionalRegions?: string[];
    name?: string;
    description?: string;
    tag?: string;
  };
  extraParameters: Record<string, string>;
  /** Signs the mark of every copy; only images whose mark it verifies are ours. */
  markSecret?: string;
  ifExists: 'adopt' | 'copy' | 'fail';
  wait: boolean;
  timeout: number;
  pollInterval?: number;
  dryRun: boolean;
  /** Names this run in the mark of every copy. Unlike any other run's. */
  run: string;
}

/** One fact that needs the reader: what happened and why, then what to do now. Both may hold text from the API. */
export interface Problem {
  message: string;
  advice: string;
}

/** An image that a promotion made. */
export interface ImageRef {
  region: string;
  projectId: string;
  imageId: string;
}

/** One that a rollback has deleted. `absent`: the API knew of no such image when it was to be deleted. */
export interface Gone extends ImageRef {
  absent?: true;
}

/** One that a rollback has left. `unusable`: no run can reuse it, as it has no mark or may yet be deleted. */
export interface Leftover extends ImageRef {
  unusable?: true;
}

export type Outcome = 'copied' | 'adopted' | 'source' | 'planned' | 'failed';
export type Status = 'available' | 'copying' | 'planned' | 'partial' | 'failed';

/** One target and what became of it: a view of its place. One for each target region, in the order of the input. */
export interface Copy {
  readonly region: string;
  readonly projectId: string;
  readonly name: string;
  /** Its failure is a warning: neither the status nor the exit code heeds it. */
  readonly optional: boolean;
  /** What the plan says for this target, and why. */
  plan: 'copy' | 'adopt' | 'source';
  why: string;
  imageId: string | null;
  taskId: string | null;
  /** The API's State as last seen; `Deleted` after a rollback; null while nothing is known. */
  state: string | null;
  /** `failed` if and only if there is a problem. */
  outcome: Outcome;
  /** This run made the image: only then may a rollback delete it. */
  created: boolean;
  /** Ids of more images that this run made here, and that may still be there: for a rollback alone. */
  others: readonly string[];
  /** False when the last read has missed the image. */
  listed: boolean;
  /** This run's mark was read in its description: the API endpoint keeps them. */
  marked?: boolean;
  /** The last read of the image has failed. */
  unread?: boolean;
  /** The step has ended without it, and it may still become Available: the copy goes on in the cloud. */
  pending: boolean;
  /** CopyCustomImage was sent and may have made an image whose id is not known. */
  unclear: boolean;
  /** Unix milliseconds: submitted or adopted; settled. */
  startedAt: number | null;
  finishedAt: number | null;
  problem: Problem | null;
}

export interface Promotion {
  status: Status;
  source: Image | null;
  copies: Copy[];
  /** What stopped the promotion as a whole: a failed check, a timeout, a cancel. Failures of one target are in its copy. */
  problems: Problem[];
  /** How it ended: `stopped` by a problem of the whole. */
  ended: 'complete' | 'stopped' | 'timeout' | 'cancelled';
  /** From the first call to the end. */
  seconds: number;
  /** What the step did, or leaves to its post step. */
  rollback?: Undone | { by: 'post' };
}

/** A rollback: the regions that failed are why sound copies are gone. */
export interface Undone {
  by: 'step';
  because: readonly string[];
  deleted: readonly Gone[];
  /** Images that it could not delete. */
  left: readonly Leftover[];
}

/** What a promotion tells while it goes on. */
export type Event =
  | { type: 'plan'; source: Image; copies: readonly Copy[]; dryRun: boolean }
  /** CopyCustomImage is about to be sent for these: from here on an image may exist whose id is not known. */
  | { type: 'submitting'; copies: readonly Copy[] }
  /** Ids became known: they must reach the outputs and the saved state now. */
  | { type: 'ids'; copies: readonly Copy[] }
  /** A copy changed its state; `from` is null for the first one seen. */
  | { type: 'state'; copy: Copy; from: string | null; seconds: number }
  /** Nothing changed for a minute. `slowest`: the seconds of the slowest finished copy of this run. */
  | { type: 'heartbeat'; copies: readonly Copy[]; seconds: number; slowest: number | null }
  /** A rollback is over: what is gone, and what may still be there. */
  | { type: 'rolled-back'; deleted: readonly ImageRef[]; left: readonly Problem[] }
  | { type: 'notice'; message: string }
  | { type: 'warning'; problem: Problem };

export type Report = (event: Event) => void;
