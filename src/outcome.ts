import { formatDuration } from './promotion/duration.ts';
import type { Copy, Order, Promotion } from './promotion/model.ts';

/** What became of a target, for a reader: one word that log, table and timeline share. */
export type Fate = 'ready' | 'copying' | 'unlisted' | 'unclear' | 'planned' | 'rolled back' | 'failed';

/** `Available` and sound: it can be used now. */
export function isReady(copy: Copy): boolean {
  return fateOf(copy) === 'ready';
}

export function fateOf({ outcome, state, imageId, pending, unclear, listed, problem }: Copy): Fate {
  if (outcome === 'planned') return 'planned';
  if (state === 'Deleted') return 'rolled back';
  if (outcome === 'failed' && !pending) return 'failed';
  if (imageId === null) return unclear || pending ? 'unclear' : 'failed';
  if (outcome === 'source' || (state === 'Available' && !problem)) return 'ready';
  return pending && listed === false ? 'unlisted' : 'copying';
}

/** An id that is, or may still become, one to use: for the outputs, a release and the summary. */
export function isUsable(copy: Copy): copy is Copy & { imageId: string } {
  const fate = fateOf(copy);
  return copy.imageId !== null && fate !== 'failed' && fate !== 'rolled back';
}

/** A copy that a reader must do something about, or at least know of: those in the table at the top. */
export function needsReader(copy: Copy, { rollback }: Promotion): boolean {
  if (rollback?.by === 'step' && copy.state === 'Deleted') return rollback.because.includes(copy.region);
  return copy.problem !== null;
}

/** Seconds from submitted to settled; null for what took no time, such as an image that existed. */
export function tookOf({ startedAt, finishedAt }: Copy, now?: number): number | null {
  const end = finishedAt ?? now;
  if (startedAt === null || end === undefined || end - startedAt < 1000) return null;
  return (end - startedAt) / 1000;
}

/** The message without what a row says already: its region, and the image that is its own. */
export function phraseOf({ region, imageId, problem }: Copy): string {
  let phrase = problem?.message ?? '';
  for (const known of [`${region}: `, ...(imageId ? [`the copy ${imageId} `, `${imageId} `] : [])])
    if (phrase.startsWith(known)) phrase = phrase.slice(known.length);
  return phrase.replace(/\.$/, '');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `hk, sg and 3 more` */
export function enumerate(words: readonly string[], most: number): string {
  if (words.length <= most) return words.join(', ');
  return `${words.slice(0, most - 1).join(', ')} and ${words.length - most + 1} more`;
}

export function groupBy<Item>(items: readonly Item[], key: (item: Item) => unknown): [Item, ...Item[]][] {
  const groups = new Map<string, [Item, ...Item[]]>();
  for (const item of items) {
    const name = JSON.stringify(key(item));
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return [...groups.values()];
}

export interface Headline {
  icon: string;
  /** The outcome, without its full stop. */
  text: string;
  /** What to do now, one sentence; empty when nothing is left to do. */
  next: string;
}

/** Makes text from outside harmless where it will stand. */
type Show = (text: string) => string;
/** At most so many regions are named in a heading. */
const NAMED = 3;

/** The outcome and the next step. `order` is missing when the inputs were wrong. */
export function headlineOf(promotion: Promotion, order: Order | undefined, show: Show): Headline {
  const { status, ended, copies, problems, rollback } = promotion;
  const next = nextStep(promotion, order, show);
  const say = (icon: string, text: string): Headline => ({ icon, text, next });
  if (status === 'planned') return say('📝', dryRun(copies, show));
  if (ended === 'cancelled') return say('🚫', `Cancelled${standing(promotion, show)}`);
  if (ended === 'timeout') {
    const limit = order ? ` of ${formatDuration(order.timeout / 1000)}` : '';
    return say('⏰', `Timeout${limit}${standing(promotion, show)}`);
  }
  if (copies.length === 0)
    return say('❌', `Nothing was copied: ${plural(problems.length, 'problem')} to fix first`);
  if (rollback?.by === 'step') return say('❌', undone(copies, rollback.because, show));
  const name = show(copies[0]?.name ?? '');
  const ready = copies.filter(isReady);
  const open = copies.filter(isOpen);
  const failed = copies.filter((copy) => fateOf(copy) === 'failed');
  if (failed.length === 0 && problems.length === 0 && open.every(({ problem }) => !problem)) {
    if (open.length > 0) {
      const there = ready.length > 0 ? `; ${regions(ready, copies, show)} ${has(ready)} it already` : '';
      return say('⏳', `${name}: copying to ${regions(open, copies, show)}${there}; this step does not wait`);
    }
    const where = regions(ready, copies, show);
    if (copies.every((copy) => !copy.created && tookOf(copy) === null))
      return say('✅', `${name} was already in ${where}: nothing copied`);
    const took = promotion.seconds === undefined ? '' : ` (${formatDuration(promotion.seconds)})`;
    return say('✅', `${name} is ready in ${where}${took}`);
  }
  const optional = failed.every((copy) => copy.optional) ? 'optional ' : '';
  const icon = status === 'failed' ? '❌' : '⚠️';
  if (failed.length === copies.length) {
    const where = copies.length === 1 ? regions(failed, copies, show) : `any of ${copies.length} regions`;
    return say(icon, `${name} is not ready in ${where}`);
  }
  const parts = [
    `ready in ${ready.length} of ${plural(copies.length, 'region')}`,
    ...(open.length > 0 ? [openOf(open, copies, show)] : []),
    ...(failed.length > 0
      ? [`${optional}${failed.length > 1 ? failed.length : names(failed, show)} failed`]
      : []),
  ];
  return say(icon, `${name}: ${parts.join(', ')}`);
}

function dryRun(copies: readonly Copy[], show: Show): string {
  const wanted = copies.filter(({ plan }) => plan === 'copy');
  const there = copies.filter(({ plan }) => plan !== 'copy');
  if (wanted.length === 0)
    return `Dry run: nothing to copy; ${regions(there, copies, show)} ${has(there)} it already`;
  const rest = there.length > 0 ? `; ${regions(there, copies, show)} ${has(there)} it already` : '';
  return `Dry run: would copy to ${regions(wanted, copies, show)}${rest}`;
}

/** What stands after a cancel or a timeout, with its colon. */
function standing(promotion: Promotion, show: Show): string {
  const { copies, rollback } = promotion;
  if (copies.length === 0) return ': nothing was copied';
  const open = copies.filter(isOpen);
  const failed = copies.filter((copy) => fateOf(copy) === 'failed');
  const sent = failed.filter(({ imageId }) => imageId !== null);
  const unsent = failed.filter(({ imageId }) => imageId === null);
  const deleted = copies.filter((copy) => fateOf(copy) === 'rolled back');
  const parts = [
    `${copies.filter(isReady).length} of ${copies.length} ready`,
    ...(open.length > 0 ? [openOf(open, copies, show)] : []),
    ...(sent.length > 0 ? [`${names(sent, show)} failed`] : []),
    ...(unsent.length > 0 ? [`${names(unsent, show)} not copied`] : []),
    ...(deleted.length > 0 ? [`${names(deleted, show)} rolled back`] : []),
  ].join(', ');
  if (rollback?.by === 'post') return `: ${parts}; the Post step deletes what this run created`;
  // Of one that no list has shown, nobody knows what a re-run finds.
  const isSure = open.length > 0 && open.every(({ imageId, state }) => imageId === null || state !== null);
  return `: ${parts}${isSure ? `; a re-run picks ${open.length === 1 ? 'it' : 'them'} up` : ''}`;
}

/** `us-ca still copying (uimage-…)` */
function openOf(open: readonly Copy[], copies: readonly Copy[], show: Show): string {
  const id = open.length === 1 && open[0]?.imageId ? ` (${show(open[0].imageId)})` : '';
  return groupBy(open, fateOf)
    .map((some) => `${regions(some, copies, show)} ${STILL[fateOf(some[0])] ?? 'still copying'}${id}`)
    .join(', ');
}

/** How a target is called that the step has left open. */
export const STILL: Partial<Record<Fate, string>> = {
  copying: 'still copying',
  unlisted: 'never listed',
  unclear: 'perhaps copying',
};

function undone(copies: readonly Copy[], because: readonly string[], show: Show): string {
  const gone = copies.filter(({ state }) => state === 'Deleted');
  const blamed = copies.filter(({ region }) => because.includes(region));
  const culprits = names(blamed, show) || 'The step';
  const what =
    gone.length === 1
      ? 'its copy was'
      : `${gone.length === copies.length ? 'all ' : ''}${gone.length} copies were`;
  const own = gone.length === 1 && !because.includes(gone[0]?.region ?? '');
  return `${culprits} failed, so ${own ? `the copy in ${names(gone, show)} was` : what} rolled back`;
}

function isOpen(copy: Copy): boolean {
  const fate = fateOf(copy);
  return fate === 'copying' || fate === 'unlisted' || fate === 'unclear';
}

function names(copies: readonly Copy[], show: Show): string {
  if (copies.length > NAMED) return plural(copies.length, 'region');
  return copies.map(({ region }) => show(region)).join(', ');
}

/** Names, or `all 33 regions`. */
function regions(some: readonly Copy[], copies: readonly Copy[], show: Show): string {
  if (some.length <= NAMED && some.length < copies.length) return names(some, show);
  if (some.length === 1) return names(some, show);
  if (some.length < copies.length) return plural(some.length, 'region');
  return some.length === 2 ? 'both regions' : `all ${some.length} regions`;
}

function has(copies: readonly Copy[]): string {
  return copies.length === 1 ? 'has' : 'have';
}

function nextStep(promotion: Promotion, order: Order | undefined, show: Show): string {
  const { status, copies, problems, rollback } = promotion;
  if (status === 'planned')
    return copies.some(({ plan }) => plan === 'copy') ? 'run it without dry-run to copy.' : '';
  if (rollback?.by === 'post')
    return 'nothing to delete by hand: the "Post" step of this job will delete the copies created by this run.';
  if (copies.length === 0)
    return `fix ${problems.length === 1 ? 'it' : 'them'}, then run again; nothing was changed.`;
  const open = copies.filter(isOpen);
  const struck = copies.filter((copy) => needsReader(copy, promotion) || fateOf(copy) === 'failed');
  if (struck.length === 0 && problems.length === 0)
    return open.length > 0 ? 'a later run with the same inputs waits for them.' : '';
  if (rollback?.by === 'step')
    return `fix ${names(
      copies.filter(({ region }) => rollback.because.includes(region)),
      show,
    )}, then re-run the job: it copies again. The deleted ids are void.`;
  const broken = copies.filter((copy) => fateOf(copy) === 'failed' && copy.imageId !== null);
  const unlisted = open.filter((copy) => fateOf(copy) === 'unlisted');
  const sure = open.length - unlisted.length;
  const kept = copies.filter(isReady).length;
  const isUnwatched = promotion.ended === 'complete' && open.some(({ problem }) => problem);
  const steps = [
    ...(broken.length > 0
      ? [`delete the ${broken.length === 1 ? 'image' : `${broken.length} images`} that failed`]
      : []),
    ...(unlisted.length > 0 ? ['look in the console for the image that was never listed'] : []),
    ...(broken.length === 0 && (open.length < struck.length || isUnwatched) ? ['do what is said below'] : []),
  ];
  const again = [
    ...(kept > 0 ? [`keeps the ${kept === 1 ? 'ready copy' : `${kept} ready copies`}`] : []),
    ...(sure > 0 ? [`picks up ${sure === 1 ? 'the copy' : `the ${sure} copies`} under way`] : []),
    ...(struck.length > open.length
      ? [
          `copies only ${struck.length - open.length === 1 ? 'the failed region' : 'the failed regions'} again`,
        ]
      : []),
  ];
  const adopts = order === undefined || order.ifExists === 'adopt';
  const rerun = adopts
    ? `re-run the failed job${kept + sure > 0 ? `: it ${again.join(', ').replace(/, ([^,]*)$/, ' and $1')}` : ''}`
    : 're-run it with if-exists: adopt, or it copies everything again';
  return `${steps.length > 0 ? `${steps.join(', ')}, then ${rerun}` : rerun}.`;
}
