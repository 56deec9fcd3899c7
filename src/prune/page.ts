import type { Failure } from '../facts.ts';
import type { Sink } from '../log.ts';
import { bullets, PAGE_BYTES, table } from '../markdown.ts';
import { enumerate, type Headline, plural } from '../outcome.ts';
import { formatDuration } from '../promotion/duration.ts';
import type { Problem } from '../promotion/model.ts';
import { code, logLines, oneLine, prose } from '../text.ts';
import { createdAt, formatAge } from './decide.ts';
import type { Fate, Item, PruneEvent, PruneOrder, Pruning, RegionReport } from './prune.ts';

/** Every output of prune/action.yml, as text. A run that ends early has them all too, so that fromJSON never fails. */
export function pruneOutputs(pruning: Pruning, markdown: string): Record<string, string> {
  const ids = (...fates: Fate[]) =>
    JSON.stringify(
      Object.fromEntries(
        pruning.regions.flatMap(({ region, items }) =>
          items ? [[region, items.filter(({ fate }) => fates.includes(fate)).map(idOf)]] : [],
        ),
      ),
    );
  return {
    'deleted-image-ids': ids('deleted'),
    'kept-image-ids': ids('kept'),
    'failed-regions': JSON.stringify(failedRegions(pruning)),
    'summary-markdown': markdown,
  };
}

function idOf({ image }: Item): string {
  return image.ImageId;
}

/** Not read whole, not deleted, or not reached. */
function failedRegions({ regions, dryRun, ended }: Pruning): string[] {
  return regions
    .filter(({ items, problems }) => {
      const unreached = ended !== 'complete' && !dryRun && items?.some(({ fate }) => fate === 'due');
      return items === null || problems.length > 0 || unreached;
    })
    .map(({ region }) => region);
}

export function hasFailed(pruning: Pruning): boolean {
  return pruning.ended !== 'complete' || pruning.problems.length > 0 || failedRegions(pruning).length > 0;
}

type Show = (text: string) => string;

/** The outcome in one sentence, and the next step. `show` makes text harmless where it will stand. */
export function pruneHeadline(pruning: Pruning, order: PruneOrder, show: Show): Headline {
  const { dryRun, ended, problems, regions } = pruning;
  const items = regions.flatMap((region) => region.items ?? []);
  const of = (fate: Fate) => items.filter((item) => item.fate === fate).length;
  const family = `${plural(items.length, 'copy', 'copies')} of ${show(order.rules.name)}`;
  const failed = failedRegions(pruning).map((region) => show(region));
  if (problems.length > 0) {
    const isTouched = of('deleted') + of('failed') > 0;
    const text = isTouched ? `Stopped: ${cutOff(pruning, of, family, show)}` : 'Nothing was deleted';
    return { icon: '❌', text, next: 'fix what is listed below, then run it again.' };
  }
  if (ended !== 'complete') {
    const how = ended === 'cancelled' ? 'Cancelled' : `Timeout of ${formatDuration(order.timeout / 1000)}`;
    return {
      icon: ended === 'cancelled' ? '🚫' : '⏰',
      text: `${how}: ${cutOff(pruning, of, family, show)}`,
      next: dryRun ? 'run it again.' : 'run it again: it deletes what is still there.',
    };
  }
  if (failed.length > 0) {
    const planned = items.filter(({ verdict }) => verdict === 'delete').length;
    const wanted = `${plural(planned, 'due copy', 'due copies')} of ${show(order.rules.name)}`;
    const known = dryRun ? `would delete ${of('due')} of ${family}` : `deleted ${of('deleted')} of ${wanted}`;
    const done = regions.every((region) => region.items === null) ? NO_LIST : known;
    const where = enumerate(failed, 4);
    return {
      icon: '❌',
      text: `${dryRun ? 'Dry run: ' : ''}${where} failed; ${[done, ...byOthers(of)].join('; ')}`,
      next: `do what is listed below for ${where}, then run it again: it ${dryRun ? 'plans for all regions' : 'deletes what is still there'}.`,
    };
  }
  if (items.length === 0)
    return { icon: '⚠️', text: `No copy of ${show(order.rules.name)} was found: nothing to delete`, next: '' };
  return completed(items, of, family, dryRun);
}

const NO_LIST = 'no list was read, and nothing was deleted';

/** What has become of the copies when the step ended early: of a region that was not read nothing is known. */
function cutOff({ regions, dryRun }: Pruning, of: Count, family: string, show: Show): string {
  const unread = regions.filter(({ items }) => items === null).map(({ region }) => show(region));
  if (unread.length === regions.length) return NO_LIST;
  const parts = [
    `${of('deleted')} deleted`,
    ...byOthers(of),
    ...(of('failed') > 0 ? [`${of('failed')} failed or not known`] : []),
    `${of('due')} still to delete`,
  ];
  return [
    ...(dryRun ? [`the dry run would delete ${of('due')} of ${family}`] : parts),
    ...(unread.length > 0 ? [`${enumerate(unread, 4)} not read`] : []),
  ].join(', ');
}

type Count = (fate: Fate) => number;

function byOthers(of: Count): string[] {
  return of('gone') > 0 ? [`somebody else deleted ${of('gone')}`] : [];
}

function completed(items: readonly Item[], of: Count, family: string, dryRun: boolean): Headline {
  const [deleted, due, kept] = [of('deleted'), of('due'), of('kept')];
  const planned = items.filter(({ verdict }) => verdict === 'delete').length;
  const stay = `${kept} ${kept === 1 ? 'stays' : 'stay'}`;
  if (dryRun && due > 0)
    return {
      icon: '📝',
      text: `Dry run: would delete ${due} of ${family}; ${kept} would stay`,
      next: 'check the table, protect what is in use, then set dry-run: false.',
    };
  if (!dryRun && deleted === 0 && planned > 0) {
    const changed = items.filter(({ verdict, fate }) => verdict === 'delete' && fate === 'kept').length;
    const why = [...byOthers(of), ...(changed > 0 ? [`${changed} changed since the plan`] : [])].join(', ');
    return { icon: '✅', text: `Deleted none of ${family}: ${why}; ${stay}`, next: '' };
  }
  const nothing = `${dryRun ? 'Dry run: nothing' : 'Nothing'} to delete: all ${family} stay`;
  if (deleted === 0)
    return {
      icon: '✅',
      text: items.length === 1 ? nothing.replace(/all 1 (.*) stay$/, 'the one $1 stays') : nothing,
      next: '',
    };
  const text = [`Deleted ${deleted} of ${family}`, ...byOthers(of), stay].join('; ');
  return { icon: '✅', text, next: '' };
}

/** What went wrong: first what stopped the whole. */
export function pruneFailures({ regions, problems }: Pruning): Failure[] {
  const all = [...problems, ...regions.flatMap((region) => region.problems)];
  return all.map((problem) => ({ regions: [], problem }));
}

const IN_USE =
  'The API does not tell which hosts or node pools use an image. Put the ids in use into protect, or the releases in use into protect-releases.';

/** The job summary. `bytes`: the page with every row is taken, or the longest that fits. */
export function renderPrune(
  pruning: Pruning,
  order: PruneOrder,
  warnings: readonly Problem[],
  now: number,
  bytes = PAGE_BYTES,
): string {
  let text = '';
  for (const rows of [Number.POSITIVE_INFINITY, 300, 60, 10]) {
    text = render(pruning, order, warnings, now, rows);
    if (Buffer.byteLength(text) <= bytes) break;
  }
  return text;
}

function render(
  pruning: Pruning,
  order: PruneOrder,
  warnings: readonly Problem[],
  now: number,
  rows: number,
): string {
  const { icon, text, next } = pruneHeadline(pruning, order, prose);
  const { rules, projectId } = order;
  const failures = pruneFailures(pruning);
  const all = pruning.regions.flatMap(({ region, items }) => (items ?? []).map((item) => ({ region, item })));
  const going = all.filter(({ item }) => item.fate !== 'kept');
  const kept = all.filter(({ item }) => item.fate === 'kept');
  const rule = `${prose(rules.name)} in project ${code(projectId)}: the newest ${rules.keep} in each region stay, and what is younger than ${formatAge(rules.minAge)}`;
  return `${[
    `## ${icon} ${text}`,
    ...(next ? [`**Next:** ${prose(next)}`] : []),
    ...(failures.length > 0 ? [bullets('❌', failures, 1000)] : []),
    ...(warnings.length > 0
      ? [
          bullets(
            '⚠️',
            warnings.map((problem) => ({ regions: [], problem })),
            1000,
          ),
        ]
      : []),
    ...(all.length > 0 ? [`${rule}.`] : []),
    ...(going.length > 0 ? [tableOf(going, pruning, now, rows), `> ${prose(IN_USE)}`] : []),
    ...(kept.length > 0
      ? [
          `<details>\n<summary>${plural(kept.length, 'copy stays', 'copies stay')}</summary>`,
          tableOf(kept, pruning, now, rows),
          '</details>',
        ]
      : []),
    ...(all.length > rows
      ? ["Some rows were left out to keep this page small. The step's outputs hold every id."]
      : []),
  ].join('\n\n')}\n`;
}

const SIGN: Record<Fate, string> = { kept: '✅', due: '⏳', deleted: '🗑️', gone: '🗑️', failed: '❌' };

/** The rule is why it was to go, and not why it could not. `isStopped`: a failure ended the region. */
function whatOf({ fate, verdict, why }: Item, dryRun: boolean, isStopped = false): string {
  if (fate === 'kept') return why;
  if (fate === 'deleted') return `deleted: ${why}`;
  if (fate === 'gone')
    return `somebody else deleted it${verdict === 'keep' ? ', which was to stay' : ''}: ${why}`;
  if (dryRun) return `would be deleted: ${why}`;
  if (fate === 'failed') return `due (${why}); see the failure above`;
  return `due (${why}); not tried, ${isStopped ? 'as the region failed: see above' : 'as the step ended before'}`;
}

function ageOf({ image }: Item, now: number): string {
  const created = createdAt(image, now);
  return created === null ? '' : formatAge(Math.max(0, now - created));
}

function tableOf(
  rows: readonly { region: string; item: Item }[],
  { dryRun, regions }: Pruning,
  now: number,
  most: number,
): string {
  const stopped = regions.filter(({ problems }) => problems.length > 0).map(({ region }) => region);
  return table(
    ['', 'Region', 'Image id', 'Name', 'Age', 'State', 'Why'],
    rows.map(({ region, item }) => [
      dryRun && item.fate === 'due' ? '📝' : SIGN[item.fate],
      code(region),
      code(item.image.ImageId),
      code(item.image.ImageName ?? ''),
      ageOf(item, now),
      code(item.image.State ?? ''),
      prose(whatOf(item, dryRun, stopped.includes(region))),
    ]),
    most,
  );
}

/** One line for each image: in the plan, which is folded, and when it is gone. */
export function log({ info, startGroup, endGroup }: Sink, event: PruneEvent, now: number): void {
  const write = (text: string, indent = '') => {
    for (const line of logLines(text, indent)) info(line);
  };
  if (event.type === 'plan') {
    for (const region of event.regions) {
      startGroup(logLines(titleOf(region, event.dryRun))[0] ?? '');
      for (const line of planOf(region, now)) write(line, '         ');
      endGroup();
    }
  } else if (event.type === 'fate') {
    const { region, item, problem } = event;
    const sign = { kept: '·', due: '✗', deleted: '✓', gone: '·', failed: '✗' }[item.fate];
    const image = `${short(region).padEnd(8)} ${short(item.image.ImageId)}`;
    write(
      `${sign} ${problem ? oneLine(problem.message) : `${image}  ${oneLine(whatOf(item, false))}`}`,
      '    ',
    );
  } else if (event.type === 'notice') write(oneLine(event.message), '  ');
  else write(`! ${oneLine(event.problem.message)}`, '  ');
}

function short(text: string): string {
  return oneLine(text, 120);
}

function titleOf({ region, items, listed }: RegionReport, dryRun: boolean): string {
  if (items === null) return `${region}: not read, so nothing is deleted there`;
  const due = items.filter(({ verdict }) => verdict === 'delete').length;
  const found = `${plural(listed.length, 'custom image')}, ${plural(items.length, 'copy', 'copies')} of the family`;
  return `Plan for ${region}: ${dryRun ? 'would delete' : 'delete'} ${due}, keep ${items.length - due} (${found})`;
}

function planOf({ items }: RegionReport, now: number): string[] {
  return (items ?? []).map((item) => {
    const { ImageId, ImageName = '', State = '' } = item.image;
    const about = [ImageName, ageOf(item, now), State].filter((part) => part !== '').map(short);
    return `${item.verdict.padEnd(6)} ${short(ImageId)}  ${about.join(', ')}: ${short(item.why)}`;
  });
}
