import { isPublishable } from './github/notes.ts';
import { failuresOf, headline, isUsable } from './log.ts';
import { formatDuration } from './promotion/duration.ts';
import type { Copy, Problem, Promotion, Status } from './promotion/model.ts';
import { cell, code, fenced, ganttTask, hcl, json, prose } from './text.ts';

export interface SummaryContext {
  /** The source image's; no project is the account's default one. */
  region: string;
  projectId: string | undefined;
  /** In the order in which they were told. */
  warnings: readonly Problem[];
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
}

/** A summary over 1 MiB is dropped whole; past a quarter of it nobody reads. */
const BYTES = 250 * 1024;

/** The first that fits is taken. Every target keeps its row in all of them. */
const DETAILS: readonly Detail[] = [
  { cell: 200, text: 1000, gantt: true, ids: true },
  { cell: 100, text: 300, gantt: true, ids: true },
  { cell: 60, text: 100, gantt: true, ids: false },
  { cell: 40, text: 40, gantt: false, ids: false },
  { cell: 20, text: 0, gantt: false, ids: false },
];

/** The job summary, in GitHub's Markdown. */
export function renderSummary(promotion: Promotion, context: SummaryContext): string {
  let text = '';
  for (const detail of DETAILS) {
    text = render(promotion, context, detail);
    if (Buffer.byteLength(text) <= BYTES) break;
  }
  return text;
}

const ICON: Record<Status, string> = {
  available: '✅',
  copying: '⏳',
  planned: '📝',
  partial: '⚠️',
  failed: '❌',
};

function render(promotion: Promotion, context: SummaryContext, detail: Detail): string {
  const { status, copies } = promotion;
  const show = (text: string) => prose(text, detail.cell);
  const told = detail.text > 0;
  return `${[
    `## ${ICON[status]} ${headline(promotion, show)}`,
    ...about(promotion, context, detail),
    ...(copies.length > 0
      ? [status === 'planned' ? planTable(copies, detail) : resultTable(copies, context.now, detail)]
      : []),
    ...(detail.gantt ? gantt(copies, context.now) : []),
    ...(told
      ? section(
          'What went wrong',
          failuresOf(promotion).map(({ regions, problem }) => item(regions, problem, detail)),
        )
      : []),
    ...(told
      ? section(
          'Warnings',
          distinct(context.warnings).map((problem) => item([], problem, detail)),
        )
      : []),
    ...(detail.ids ? idBlocks(copies) : []),
    ...(detail === DETAILS[0]
      ? []
      : ["Some detail was left out to keep this page small. The step's outputs hold every id in full."]),
  ].join('\n\n')}\n`;
}

function about(
  { source, copies }: Promotion,
  { region, projectId }: SummaryContext,
  detail: Detail,
): string[] {
  if (!source) return [];
  const facts = [
    source.ImageName,
    source.ImageSize === undefined ? '' : `${source.ImageSize} GB`,
    source.OsName,
  ];
  const known = facts.flatMap((fact) => (fact ? [prose(fact, detail.cell)] : [])).join(', ');
  const from = `Source: ${code(source.ImageId, detail.cell)}${known ? ` (${known})` : ''} in ${code(region, detail.cell)}`;
  const project = projectId ? `, project ${code(projectId, detail.cell)}` : '';
  const target = copies[0] ? `. Target: project ${code(copies[0].projectId, detail.cell)}` : '';
  return [`${from}${project}${target}.`];
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) =>
    `| ${cells.map((text) => (text === '' ? '–' : cell(text))).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function sign(copy: Copy): string {
  if (copy.outcome === 'failed') return '❌';
  if (copy.outcome === 'planned') return '📝';
  if (copy.state === 'Deleted') return '🗑️';
  return isUsable(copy) ? '✅' : '⏳';
}

function resultTable(copies: readonly Copy[], now: number, { cell: most }: Detail): string {
  return table(
    ['Region', 'Image id', 'State', 'Outcome', 'Time', 'Task id'],
    copies.map((copy) => [
      code(copy.region, most),
      code(copy.imageId ?? '', most),
      prose(copy.state ?? '', most),
      `${sign(copy)} ${copy.outcome}`,
      took(copy, now),
      code(copy.taskId ?? '', most),
    ]),
  );
}

function took(copy: Copy, now: number): string {
  if (copy.startedAt === null) return '';
  const time = formatDuration(((copy.finishedAt ?? now) - copy.startedAt) / 1000);
  return kindOf(copy) === 'Under way' ? `${time} so far` : time;
}

const WOULD: Record<Copy['plan'], string> = { copy: 'copy', adopt: 'adopt', source: 'nothing' };

function planTable(copies: readonly Copy[], { cell: most, text }: Detail): string {
  return table(
    ['Region', 'Would', 'Why', 'Name', 'Image id'],
    copies.map((copy) => [
      code(copy.region, most),
      WOULD[copy.plan],
      prose(copy.why, Math.max(most, text)),
      code(copy.name, most),
      code(copy.imageId ?? '', most),
    ]),
  );
}

type Kind = 'Copied' | 'Adopted' | 'Under way' | 'Deleted' | 'Failed';

/** Section, sign and colour of a bar: what this run copied is in colour, what it found is grey. */
const KINDS: readonly { kind: Kind; sign: string; tag: string }[] = [
  { kind: 'Copied', sign: '✓', tag: '' },
  { kind: 'Adopted', sign: '✓', tag: 'done, ' },
  { kind: 'Under way', sign: '…', tag: 'active, ' },
  { kind: 'Deleted', sign: '✗', tag: 'crit, ' },
  { kind: 'Failed', sign: '✗', tag: 'crit, ' },
];

function kindOf(copy: Copy): Kind {
  if (copy.outcome === 'failed') return 'Failed';
  if (copy.state === 'Deleted') return 'Deleted';
  if (copy.finishedAt === null) return 'Under way';
  return copy.outcome === 'adopted' ? 'Adopted' : 'Copied';
}

/** Mermaid refuses texts over 50,000 characters; a bar more than these makes nothing clearer. */
const BARS = 150;

function gantt(copies: readonly Copy[], now: number): string[] {
  const bars = copies.flatMap((copy) => (copy.startedAt === null ? [] : [{ copy, start: copy.startedAt }]));
  if (bars.length === 0 || bars.length > BARS) return [];
  const lines = KINDS.flatMap(({ kind, sign, tag }) => {
    const some = bars.filter(({ copy }) => kindOf(copy) === kind);
    return some.length === 0
      ? []
      : [
          `  section ${kind}`,
          ...some.map(({ copy, start }) => {
            const end = Math.max(start, copy.finishedAt ?? now);
            return `  ${ganttTask(sign, `${copy.region} ${copy.name}`)} :${tag}${Math.round(start)}, ${Math.round(end)}`;
          }),
        ];
  });
  // The marker would stand for the reader's own time.
  const head = ['gantt', '  dateFormat x', '  axisFormat %H:%M:%S', '  todayMarker off'];
  return [fenced('mermaid', [...head, ...lines].join('\n'))];
}

function section(title: string, items: string[]): string[] {
  return items.length === 0 ? [] : [`### ${title}`, items.join('\n')];
}

function item(
  regions: readonly string[],
  { message, advice }: Problem,
  { cell: most, text }: Detail,
): string {
  const where = regions.length > 0 ? `${regions.map((region) => code(region, most)).join(', ')}: ` : '';
  const remedy = prose(advice, text);
  return `- ${where}${prose(message, text)}${remedy ? `\n  - **What to do:** ${remedy}` : ''}`;
}

function distinct(problems: readonly Problem[]): Problem[] {
  return [
    ...new Map(
      problems.map((problem) => [JSON.stringify([problem.message, problem.advice]), problem]),
    ).values(),
  ];
}

function idBlocks(copies: readonly Copy[]): string[] {
  const ids = copies.filter(isPublishable).map(({ region, imageId }) => [region, imageId] as const);
  if (ids.length === 0) return [];
  const variables = ids.map(([region, imageId]) => `  ${hcl(region)} = ${hcl(imageId)}`);
  return [
    '<details>\n<summary>Image ids as JSON and as a Terraform variable</summary>',
    fenced('json', json(Object.fromEntries(ids))),
    fenced('hcl', ['image_ids = {', ...variables, '}'].join('\n')),
    '</details>',
  ];
}
