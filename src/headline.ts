import { list, nextOf } from './next.ts';
import {
  allRegions,
  fateOf,
  groupBy,
  type Headline,
  isDryRun,
  isOpen,
  isReady,
  NAMED,
  plural,
  STILL,
  tookOf,
} from './outcome.ts';
import { formatDuration } from './promotion/duration.ts';
import type { Copy, Order, Promotion, Undone } from './promotion/model.ts';

/** Makes text from outside harmless where it will stand. */
type Show = (text: string) => string;
/** The outcome and the next step. */
export function headlineOf(promotion: Promotion, order: Order, show: Show): Headline {
  return { ...outcomeOf(promotion, order, show), ...nextOf(promotion, order) };
}

function outcomeOf(promotion: Promotion, order: Order, show: Show): Pick<Headline, 'icon' | 'text'> {
  const { status, ended, copies, problems, rollback } = promotion;
  const say = (icon: string, text: string) => ({ icon, text });
  if (isDryRun(promotion, order)) return say(status === 'planned' ? '📝' : '⚠️', dryRun(copies, show));
  const undone = rollback?.by === 'step' ? undoneOf(promotion, rollback, show) : null;
  if (ended === 'cancelled') return say('🚫', undone ?? `Cancelled${standing(promotion, show)}`);
  if (ended === 'timeout') {
    const limit = formatDuration(order.timeout / 1000);
    return say('⏰', `Timeout of ${limit}${undone ? `: ${undone}` : standing(promotion, show)}`);
  }
  if (copies.length === 0)
    return say('❌', `Nothing was copied: ${plural(problems.length, 'problem')} to fix first`);
  if (undone) return say('❌', undone);
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
  return say(status === 'failed' ? '❌' : '⚠️', `${name}${inPart(copies, show)}`);
}

function dryRun(copies: readonly Copy[], show: Show): string {
  const failing = copies.filter(({ problem }) => problem);
  const rest = copies.filter(({ problem }) => !problem);
  const wanted = rest.filter(({ plan }) => plan === 'copy');
  const found = rest.filter(({ plan }) => plan !== 'copy');
  const coming = found.filter(
    ({ plan, state }) => plan === 'adopt' && state !== null && state !== 'Available',
  );
  const there = found.filter((copy) => !coming.includes(copy));
  const [only] = failing;
  const id = failing.length === 1 && only?.imageId ? ` (${show(only.imageId)})` : '';
  const parts = [
    wanted.length > 0 ? `would copy to ${regions(wanted, copies, show)}` : 'nothing to copy',
    ...(there.length > 0 ? [`${regions(there, copies, show)} ${has(there)} it already`] : []),
    ...(coming.length > 0 ? [`${regions(coming, copies, show)} still copying`] : []),
    ...(failing.length > 0 ? [`${regions(failing, copies, show)} would fail${id}`] : []),
  ];
  return `Dry run: ${parts.join('; ')}`;
}

function inPart(copies: readonly Copy[], show: Show): string {
  const open = copies.filter(isOpen);
  const failed = copies.filter((copy) => fateOf(copy) === 'failed');
  if (failed.length === copies.length) {
    const where =
      copies.length === 1
        ? regions(failed, copies, show)
        : copies.length === 2
          ? 'either region'
          : `any of ${copies.length} regions`;
    return ` is not ready in ${where}`;
  }
  const optional = failed.every((copy) => copy.optional) ? 'optional ' : '';
  return `: ${[
    `ready in ${copies.filter(isReady).length} of ${plural(copies.length, 'region')}`,
    ...(open.length > 0 ? [openOf(open, copies, show)] : []),
    ...(failed.length > 0
      ? [`${optional}${failed.length > 1 ? failed.length : names(failed, show)} failed`]
      : []),
  ].join(', ')}`;
}

/** What stands after a cancel or a timeout, with its colon. */
function standing(promotion: Promotion, show: Show): string {
  const { copies, rollback } = promotion;
  if (copies.length === 0) return ': nothing was copied';
  const open = copies.filter(isOpen);
  const failed = copies.filter((copy) => fateOf(copy) === 'failed');
  const sent = failed.filter(({ imageId }) => imageId !== null);
  const unsent = failed.filter(({ imageId }) => imageId === null);
  const parts = [
    `${copies.filter(isReady).length} of ${copies.length} ready`,
    ...(open.length > 0 ? [openOf(open, copies, show)] : []),
    ...(sent.length > 0 ? [`${names(sent, show)} failed`] : []),
    ...(unsent.length > 0 ? [`${names(unsent, show)} not copied`] : []),
  ].join(', ');
  const isUnknown = copies.every((copy) => fateOf(copy) === 'unclear');
  const one = copies.length === 1 ? 'a copy exists' : 'copies exist';
  const what = isUnknown ? `it is not known whether ${one} in ${regions(copies, copies, show)}` : parts;
  if (rollback?.by === 'post') return `: ${what}; the Post step deletes what this run created`;
  // Of one that no list has shown, nobody knows what a re-run finds.
  const isSure = open.length > 0 && open.every((copy) => fateOf(copy) === 'copying' && copy.state !== null);
  return `: ${what}${isSure ? `; a re-run picks ${open.length === 1 ? 'it' : 'them'} up` : ''}`;
}

/** Of a rollback in the post step. `because`: what ended the job, `fix` if it was not this step. `again`: the step itself has tried it. */
export function headlineOfRollback(
  { deleted, left }: Pick<Undone, 'deleted' | 'left'>,
  { because, fix, again }: { because: string; fix: boolean; again: boolean },
): Headline {
  const gone = `${plural(deleted.length, 'image')} deleted`;
  if (left.length === 0 && deleted.length > 0)
    return {
      icon: '🗑️',
      text: `Rolled back, because ${because}: ${gone}`,
      next: `${fix ? 'fix what failed, then ' : ''}re-run the job: it copies again.`,
    };
  if (left.length === 0) return { icon: '⚠️', text: 'The rollback could not search every region', next: '' };
  const still = `${plural(left.length, 'image')} still exist${left.length === 1 ? 's and is' : ' and are'} billed`;
  const cause = because.charAt(0).toUpperCase() + because.slice(1);
  return {
    icon: '⚠️',
    text:
      deleted.length > 0
        ? `Rolled back in part, because ${because}: ${gone}, ${still}`
        : `${cause}, and the rollback failed${again ? ' again' : ''}: ${still}`,
    next: `${leftOf(left)}. Then ${fix ? 'fix what failed, and ' : ''}re-run the job.`,
  };
}

function leftOf(left: Undone['left']): string {
  const must = left.filter(({ unusable }) => !unusable);
  const odd = left.filter(({ unusable }) => unusable);
  return [
    ...(must.length > 0
      ? [`delete ${list(must)} in the console; one that is Available may stay: a re-run reuses it`]
      : []),
    ...(odd.length > 0 ? [`follow the advice for ${list(odd)}`] : []),
  ].join('. Then ');
}

/** `us-ca still copying (uimage-…)` */
function openOf(open: readonly Copy[], copies: readonly Copy[], show: Show): string {
  const id = open.length === 1 && open[0]?.imageId ? ` (${show(open[0].imageId)})` : '';
  return groupBy(open, fateOf)
    .map((some) => `${regions(some, copies, show)} ${STILL[fateOf(some[0])] ?? 'still copying'}${id}`)
    .join(', ');
}

function undoneOf({ copies, ended }: Promotion, { because, deleted, left }: Undone, show: Show): string {
  const blamed = copies.filter(({ region }) => because.includes(region));
  const late = blamed.length === 1 ? 'was not ready' : 'were not ready';
  const whose = names(blamed, show) || 'The step';
  const cause = ended === 'cancelled' ? 'Cancelled' : `${whose} ${ended === 'timeout' ? late : 'failed'}`;
  const [kept] = left;
  if (kept) {
    const which =
      left.length === 1 ? `${show(kept.imageId)} in ${show(kept.region)}` : `${left.length} copies`;
    return deleted.length === 0
      ? `${cause}, and the rollback could not delete ${which}`
      : `${cause}; the rollback deleted ${deleted.length} of ${deleted.length + left.length} copies, but not ${left.length === 1 ? which : 'the others'}`;
  }
  const all = copies.every(({ state }) => state === 'Deleted') ? 'all ' : '';
  const [only] = deleted;
  if (!only || deleted.length > 1) return `${cause}, so ${all}${deleted.length} copies were rolled back`;
  const isIts = ended !== 'cancelled' && because.includes(only.region);
  return `${cause}, so ${isIts ? 'its copy' : `the copy in ${show(only.region)}`} was rolled back`;
}

function names(copies: readonly { region: string }[], show: Show): string {
  if (copies.length > NAMED) return plural(copies.length, 'region');
  return copies.map(({ region }) => show(region)).join(', ');
}

/** Names, or `all 33 regions`. */
function regions(some: readonly Copy[], copies: readonly Copy[], show: Show): string {
  if (some.length <= NAMED && some.length < copies.length) return names(some, show);
  if (some.length === 1) return names(some, show);
  if (some.length < copies.length) return plural(some.length, 'region');
  return allRegions(some.length);
}

function has(copies: readonly Copy[]): string {
  return copies.length === 1 ? 'has' : 'have';
}
