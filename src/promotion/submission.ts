import type { Image } from '../cloud/cloud.ts';
import type { Findings } from './check.ts';
import type { Context } from './context.ts';
import { withMark } from './mark.ts';
import type { Copy, ImageRef, Order, Problem } from './model.ts';

/** What sending, looking and reconciling work with, and what each leaves for the next. */
export interface Submission extends Context {
  findings: Findings;
  /** Every target, also those that need no copy. */
  copies: readonly Copy[];
  /** The site does not know TargetRegionList. */
  singles: boolean;
  /** An image with the mark of this run was seen: the site does not cut or drop the description that all copies share. */
  keepsMarks: boolean;
  /** Targets whose copy was sent more than once, or found by looking: a second one may turn up. Region → since when. */
  uncertain: Map<string, number>;
  /** Images made where nobody wanted them. */
  strays: ImageRef[];
  /** Regions outside the targets where a batch with an unclear answer may have made one. */
  suspects: Set<string>;
}

export function newSubmission(context: Context, findings: Findings, copies: readonly Copy[]): Submission {
  return {
    ...context,
    findings,
    copies,
    singles: false,
    keepsMarks: false,
    uncertain: new Map(),
    strays: [],
    suspects: new Set(),
  };
}

export function settleAsMade(copy: Copy, imageId: string, taskId: string | null, at: number): void {
  copy.imageId = imageId;
  copy.taskId = taskId;
  copy.state = 'Copying';
  copy.outcome = 'copied';
  copy.created = true;
  copy.unclear = false;
  copy.startedAt = at;
}

export function fail(copy: Copy, problem: Problem): void {
  copy.outcome = 'failed';
  copy.problem = problem;
}

/** The description that a copy is sent with: the user's or the source's text, then the mark. */
export function descriptionOf({ source, target, run }: Order, image: Image): string {
  const mark = { region: source.region, imageId: image.ImageId, run };
  return withMark(target.description ?? image.ImageDescription, mark);
}
