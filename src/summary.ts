import { factOf, failuresOf, requestIdsOf, together, warningsOf } from './facts.ts';
import { headlineOf } from './headline.ts';
import { bullets, PAGE_BYTES, table } from './markdown.ts';
import {
  type Fate,
  fateOf,
  groupBy,
  type Headline,
  isDryRun,
  isLeft,
  isUsable,
  needsReader,
  phraseOf,
  plural,
  STILL,
  tookOf,
} from './outcome.ts';
import { formatDuration } from './promotion/duration.ts';
import type { Copy, ImageRef, Order, Problem, Promotion } from './promotion/model.ts';
import { code, fenced, ganttTask, json, prose } from './text.ts';

export interface SummaryContext {
  order: Order;
  /** In the order in which they were told. */
  warnings: readonly Problem[];
  /** A step that fails later makes the post step delete what this run created. */
  provisional?: boolean;
  /** Unix milliseconds: where the bars of open copies end. */
  now: number;
}

/** How much is told. Sizes in characters. */
interface Detail {
  /** A cell of the table, a sentence. */
  cell: number;
  text: number;
  gantt: boolean;
  ids: boolean;
  /** At most so many rows of a table. */
  rows: number;
}

/** The first that fits is taken. Every target keeps its row in all but the last. */
const DETAILS: readonly Detail[] = [
  { cell: 200, text: 1000, gantt: true, ids: true, rows: Number.POSITIVE_INFINITY },
  { cell: 100, text: 300, gantt: true, ids: true, rows: Number.POSITIVE_INFINITY },
  { cell: 60, text: 100, gantt: true, ids: false, rows: Number.POSITIVE_INFINITY },
  { cell: 40, text: 40, gantt: false, ids: false, rows: Number.POSITIVE_INFINITY },
  { cell: 20, text: 20, gantt: false, ids: false, rows: 100 },
];

/** From here on what went well is folded, and failures for one reason share a row. */
const MANY = 8;

/** The job summary, in GitHub's Markdown: what needs the reader first, what went well last. */
export function renderSummary(promotion: Promotion, context: SummaryContext, bytes = PAGE_BYTES): string {
  let text = '';
  for (const detail of DETAILS) {
    text = render(promotion, context, detail);
    if (Buffer.byteLength(text) <= bytes) break;
  }
  return text;
}

/** What the post step appends: the ids on the page, if it was written, are void. */
export function renderRollback(
  { icon, text, next }: Headline,
  deleted: readonly ImageRef[],
  left: readonly Problem[],
  level = '###',
): string {
  const gone = deleted.map(({ region, imageId }) => `${code(region)} ${code(imageId)}`).join(', ');
  return `${[
    `${level} ${icon} ${prose(text)}`,
    ...(next ? [`**Next:** ${prose(next)}`] : []),
    ...(gone ? [`These ids are void: ${gone}.`] : []),
    ...(left.length > 0 ? [bullets('⚠️', warningsOf(left, []), 1000)] : []),
  ].join('\n\n')}\n`;
}

const PROVISIONAL =
  'If a later step of the job fails or the job is cancelled, the "Post" step deletes these copies (rollback: job), and the end of this page names the void ids.';

function render(promotion: Promotion, context: SummaryContext, detail: Detail): string {
  const { copies } = promotion;
  const { order, now } = context;
  const headline = headlineOf(promotion, order, (name) => prose(name, detail.cell));
  const { icon, text, next, said } = headline;
  const isPlan = isDryRun(promotion, order);
  const urgent = isPlan
    ? copies.filter(({ problem }) => problem)
    : copies.filter((copy) => needsReader(copy, promotion));
  const rest = copies.filter((copy) => !urgent.includes(copy));
  const whole = failuresOf(promotion).filter(({ regions }) => regions.length === 0);
  const isVoid = (copy: Copy) => promotion.rollback?.by === 'post' && copy.created;
  const ids = isPlan ? [] : copies.filter(isUsable).filter((copy) => !isVoid(copy));
  const fold = (title: string, body: string) =>
    copies.length > MANY ? [`<details>\n<summary>${title}</summary>`, body, '</details>'] : [body];
  return `${[
    `## ${icon} ${text}${context.provisional ? '; kept only if the whole job succeeds' : ''}`,
    ...(next ? [`**Next:** ${prose(next, detail.text + 500)}`] : []),
    ...(context.provisional ? [PROVISIONAL] : []),
    ...(whole.length > 0 ? [bullets('❌', whole, detail.text)] : []),
    ...(urgent.length > 0 ? [urgentTable(urgent, said, detail)] : []),
    ...(detail.ids && copies.length > MANY ? idBlock('Request ids', requestIdsOf(urgent)) : []),
    ...(context.warnings.length > 0 ? [bullets('⚠️', warningsOf(context.warnings, copies), detail.text)] : []),
    ...origin(promotion, order, detail),
    ...(isPlan && rest.length > 0 ? [planTable(rest, detail)] : []),
    ...(rest.length > 0 && !isPlan
      ? fold(
          headOf(rest),
          quietTable(rest, now, detail, (copy) => {
            if (isLeft(copy, promotion)) return ['⚠️', `${copy.state ?? 'state unknown'}, not deleted`];
            return isVoid(copy) ? ['🗑️', 'copied; the Post step deletes it'] : null;
          }),
        )
      : []),
    ...(detail.gantt && !isPlan && promotion.status !== 'copying'
      ? gantt(promotion, now).flatMap((body) => fold('Timeline', body))
      : []),
    ...(detail.ids && ids.length > 0 ? idBlocks(ids) : []),
    ...(detail === DETAILS[0]
      ? []
      : ["Some detail was left out to keep this page small. The step's outputs hold every id in full."]),
  ].join('\n\n')}\n`;
}

function headOf(rest: readonly Copy[]): string {
  const ready = rest.filter((copy) => fateOf(copy) === 'ready').length;
  return ready === rest.length
    ? plural(ready, 'ready copy', 'ready copies')
    : plural(rest.length, 'other region');
}

function origin({ source, copies, seconds }: Promotion, order: Order, detail: Detail): string[] {
  if (!source) return [];
  const { region, projectId } = order.source;
  const size = source.ImageSize === undefined ? '' : `${source.ImageSize} GB`;
  const known = [source.ImageName, size, source.OsName].flatMap((fact) =>
    fact ? [prose(fact, detail.cell)] : [],
  );
  const place = [region, ...(projectId ? [projectId] : [])].map((part) => code(part, detail.cell)).join('/');
  const took = seconds === undefined || seconds < 1 ? '' : ` · ${formatDuration(seconds)}`;
  const target = copies[0] ? ` to ${code(copies[0].projectId, detail.cell)}` : '';
  return [
    `From ${code(source.ImageId, detail.cell)}${known.length > 0 ? ` (${known.join(', ')})` : ''} in ${place}${target}${took}`,
  ];
}

const SIGN: Record<Fate, string> = {
  ready: '✅',
  copying: '⏳',
  unlisted: '❓',
  unread: '❓',
  unclear: '❓',
  planned: '📝',
  'rolled back': '🗑️',
  failed: '❌',
};

/** What went wrong or goes on without the step, each with what to do, but for what was `said` above. */
function urgentTable(
  copies: readonly Copy[],
  said: string | undefined,
  { cell: most, text, rows }: Detail,
): string {
  const fact = (copy: Copy) => ({ region: copy.region, message: phraseOf(copy) });
  const todo = ({ problem }: Copy) => (problem && problem.advice !== said ? problem.advice : '');
  const alike = alikeOf(copies, (copy) => [signOf(copy), factOf(phraseOf(copy), copy.region), todo(copy)]);
  const list = (words: readonly (string | null)[]) =>
    words.flatMap((word) => (word ? [code(word, most)] : [])).join(', ');
  const isLast = copies.some((copy) => todo(copy) !== '');
  return table(
    ['', 'Region', 'Image id', 'What happened', ...(isLast ? ['What to do'] : [])],
    alike.map((some) => [
      signOf(some[0]),
      list(some.map(({ region }) => region)),
      list(some.map(({ imageId }) => imageId)),
      prose(together([fact(some[0]), ...some.slice(1).map(fact)]), text),
      ...(isLast ? [prose(todo(some[0]), text)] : []),
    ]),
    rows,
  );
}

/** Of many regions those for one reason share a row. */
function alikeOf(copies: readonly Copy[], key: (copy: Copy) => unknown): [Copy, ...Copy[]][] {
  return copies.length > MANY ? groupBy(copies, key) : copies.map((copy) => [copy]);
}

function signOf(copy: Copy): string {
  return copy.state === 'Deleted' ? '❌' : SIGN[fateOf(copy)];
}

function quietTable(
  copies: readonly Copy[],
  now: number,
  { cell: most, rows }: Detail,
  after: (copy: Copy) => [sign: string, what: string] | null,
): string {
  return table(
    ['', 'Region', 'Image id', 'What happened', 'Time'],
    copies.map((copy) => [
      after(copy)?.[0] ?? SIGN[fateOf(copy)],
      code(copy.region, most),
      code(copy.imageId ?? '', most),
      after(copy)?.[1] ?? happened(copy),
      time(copy, now),
    ]),
    rows,
  );
}

function happened(copy: Copy): string {
  const fate = fateOf(copy);
  if (fate === 'rolled back') return 'rolled back: the id is void';
  if (fate === 'failed') return 'not copied';
  if (copy.outcome === 'source') return 'same image';
  const reused = copy.outcome === 'adopted';
  if (fate === 'ready') return reused ? 'reused' : 'copied';
  return reused ? `${STILL[fate]} since an earlier run` : copy.pending ? (STILL[fate] ?? '') : 'copying';
}

function time(copy: Copy, now: number): string {
  const took = tookOf(copy, fateOf(copy) === 'copying' ? now : undefined);
  if (took === null) return '';
  return `${formatDuration(took)}${copy.finishedAt === null ? ' so far' : ''}`;
}

const WOULD: Record<Copy['plan'], string> = { copy: 'copy', adopt: 'reuse', source: 'nothing' };

function planTable(copies: readonly Copy[], { cell: most, text, rows }: Detail): string {
  const alike = alikeOf(copies, ({ plan, why, imageId }) => [plan, why, imageId]);
  return table(
    ['Region', 'Would', 'Image id', 'Why'],
    alike.map((some) => [
      some.map(({ region }) => code(region, most)).join(', '),
      WOULD[some[0].plan],
      code(some[0].imageId ?? '', most),
      prose(some[0].why, text),
    ]),
    rows,
  );
}

/** Mermaid refuses texts over 50,000 characters; a bar more than these makes nothing clearer. */
const BARS = 150;

/** Sign and colour of a bar: what this run copied is in colour, what it reused or rolled back is grey, what failed is red. */
function barOf(copy: Copy, promotion: Promotion): { sign: string; tag: string } {
  const fate = fateOf(copy);
  if (fate === 'rolled back' && !needsReader(copy, promotion)) return { sign: '–', tag: 'done, ' };
  if (fate === 'failed' || fate === 'rolled back') return { sign: '✗', tag: 'crit, ' };
  if (fate !== 'ready') return { sign: '…', tag: 'active, ' };
  return { sign: '✓', tag: copy.outcome === 'adopted' ? 'done, ' : '' };
}

/** The copies that took time, by their end. */
function gantt(promotion: Promotion, now: number): string[] {
  const bars = promotion.copies
    .filter((copy) => tookOf(copy, now) !== null)
    .map((copy) => ({
      copy,
      start: Math.round(copy.startedAt ?? 0),
      end: Math.round(copy.finishedAt ?? now),
    }))
    .sort((a, b) => a.end - b.end);
  if (bars.length === 0 || bars.length > BARS) return [];
  const lines = bars.map(({ copy, start, end }) => {
    const { sign, tag } = barOf(copy, promotion);
    return `  ${ganttTask(sign, copy.region)} :${tag}${start}, ${end}`;
  });
  // The marker would stand for the reader's own time.
  const head = ['gantt', '  dateFormat x', '  axisFormat %H:%M:%S', '  todayMarker off'];
  return [fenced('mermaid', [...head, ...lines].join('\n'))];
}

function idBlock(title: string, ids: [string, string][]): string[] {
  if (ids.length === 0) return [];
  return [
    `<details>\n<summary>${title} (JSON)</summary>`,
    fenced('json', json(Object.fromEntries(ids))),
    '</details>',
  ];
}

function idBlocks(copies: readonly (Copy & { imageId: string })[]): string[] {
  const tasks = copies.flatMap(({ region, taskId }): [string, string][] =>
    taskId ? [[region, taskId]] : [],
  );
  return [
    ...idBlock(
      'Image ids',
      copies.map(({ region, imageId }) => [region, imageId]),
    ),
    ...idBlock('Task ids', tasks),
  ];
}
