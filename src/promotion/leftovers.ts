/** What a rollback could not do, in words. */
import { CloudError } from '../cloud/errors.ts';
import { Stopped } from './context.ts';
import type { Gone, ImageRef, Problem } from './model.ts';

/** An image that was not deleted, or a region that was not searched. */
export interface Left {
  what:
    | 'not deleted'
    | 'not deleted yet'
    | 'not listed, so not deleted'
    | 'left alone'
    | 'not searched for images of this run';
  region: string;
  image: ImageRef | null;
  error: unknown;
}

/** Images named in one sentence: more would be cut. */
const TOGETHER = 10;

export const ACCEPTED = 'the API accepted the delete (RetCode 0), and still lists the image.';
export const UNKNOWN =
  'the API answers that there is no such image (RetCode 8956), and lists it all the same.';
export const UNMARKED =
  'the description carries no marker of this run. Somebody has edited it, or this is no copy of this run.';

/** What was told before of images that are deleted by now is no longer to be done. */
export function overtake(told: Problem[], deleted: readonly Gone[]): void {
  for (const problem of told) {
    const { message } = problem;
    const of = (isAbsent: boolean) => {
      const ids = deleted.filter(({ absent = false }) => absent === isAbsent).map(({ imageId }) => imageId);
      return [...new Set(ids.filter((id) => message.includes(id)))].join(', ');
    };
    const [gone, absent] = [of(false), of(true)];
    if (gone) problem.message += ` The rollback has deleted ${gone}.`;
    if (absent) problem.message += ` The rollback found no ${absent}.`;
    if (gone || absent) problem.advice = '';
  }
}

/** One for each reason, since an account that may not delete in one region may not in the others. */
export function problemsOf(left: readonly Left[], run: string, postFollows?: boolean): Problem[] {
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
  return [...groups.values()].flat().map((alike) => problemOf(alike, run, postFollows));
}

function problemOf(alike: readonly Left[], run: string, postFollows?: boolean): Problem {
  const [first] = alike as [Left];
  const { message, advice } = reasonOf(first.error, true);
  const names = alike.map(({ region, image }) => (image ? `${image.imageId} in ${region}` : region));
  const [were, them, are] = alike.length > 1 ? ['were', 'them', 'they are'] : ['was', 'it', 'it is'];
  const todo = {
    'not deleted': `${them === 'it' ? 'It is' : 'They are'} billed until somebody deletes ${them}.`,
    'not deleted yet': `Wait until ${them === 'it' ? 'it is' : 'they are'} gone before you re-run the job, or delete ${them} by hand.`,
    'not listed, so not deleted': `Delete ${them} in the console if ${them === 'it' ? 'it appears' : 'they appear'}.`,
    'left alone': `Find out whether somebody uses ${them}. If not, delete ${them}: ${are} billed until then.`,
    'not searched for images of this run': `Look there for more images with "by ${run}" in the marker of their description, and delete them before you re-run the job.`,
  }[first.what];
  const said = `${names.join(', ')} ${were} ${first.what}: ${message}`;
  const wasCut = !(first.error instanceof CloudError || first.error instanceof Stopped);
  if (postFollows && wasCut) return { message: said, advice: 'The "Post" step of this job will try again.' };
  return { message: said, advice: advice === '' ? todo : `${todo} ${advice}` };
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
