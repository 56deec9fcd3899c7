import * as fc from 'fast-check';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import mermaid from 'mermaid';
import { gfm } from 'micromark-extension-gfm';
import { describe, expect, it } from 'vitest';
import { headlineOfRollback } from '../../src/headline.ts';
import { OUTPUT_BYTES } from '../../src/markdown.ts';
import { nextOf } from '../../src/next.ts';
import { needsReader, tookOf } from '../../src/outcome.ts';
import type { Copy, Problem, Promotion, Undone } from '../../src/promotion/model.ts';
import { renderRollback, renderSummary } from '../../src/summary.ts';
import { ganttTask, oneLine } from '../../src/text.ts';
import { HOSTILE } from './hostile.ts';
import {
  aCopy,
  anOrder,
  aPromotion,
  hostileEverywhere,
  manyCopies,
  problems,
  promotions,
  T0,
  texts,
} from './promotions.ts';

// It learns the kinds of diagrams with the first.
await mermaid.parse('gantt');

interface Node {
  type: string;
  value?: string;
  lang?: string | null;
  children?: Node[];
}

const NOW = T0 + 3_600_000;

function summaryOf(promotion: Promotion, warnings: Problem[] = [], region = 'cn-bj2'): string {
  const order = anOrder({ source: { region, projectId: 'org-build' } });
  return renderSummary(promotion, { order, warnings, now: NOW });
}

function parse(markdown: string): Node {
  return fromMarkdown(markdown, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] }) as Node;
}

function all(node: Node, type?: string): Node[] {
  return [node, ...(node.children ?? []).flatMap((child) => all(child))].filter(
    (one) => !type || one.type === type,
  );
}

function textOf(node: Node): string {
  return node.value ?? (node.children ?? []).map(textOf).join('');
}

function rowsOf(tree: Node): string[][] {
  return all(tree, 'tableRow').map((row) => (row.children ?? []).map(textOf));
}

async function tasksOf(tree: Node): Promise<{ name: string; start: number; end: number }[]> {
  const texts = all(tree, 'code').filter(({ lang }) => lang === 'mermaid');
  if (texts.length === 0) return [];
  expect(texts).toHaveLength(1);
  const text = texts[0]?.value ?? '';
  const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
  const database = diagram.db as unknown as {
    getTasks(): { task: string; startTime: Date; endTime: Date; classes: string[] }[];
    getDiagramTitle(): string;
    getAccDescription(): string;
    getLinks(): Map<string, string> | Record<string, string>;
  };
  expect(database.getDiagramTitle()).toBe('');
  expect(database.getAccDescription()).toBe('');
  const links = database.getLinks();
  expect(links instanceof Map ? links.size : Object.keys(links).length).toBe(0);
  return database.getTasks().map(({ task, startTime, endTime }) => ({
    name: task.trim(),
    start: startTime.getTime(),
    end: endTime.getTime(),
  }));
}

/** Every kind of node that a summary is made of. Anything else came from outside. */
const OURS = new Set(
  'root heading paragraph text inlineCode strong list listItem table tableRow tableCell code html'.split(' '),
);
const FOLDED =
  /^<details>\n<summary>(Timeline|(Image|Task) ids \(JSON\)|\d+ (ready cop(y|ies)|other regions?))<\/summary>$/;
const CODE = new Set(['mermaid', 'json']);
/** What GitHub turns into a link, a mention, a reference, an emoji or math after parsing. */
const LINKED = /@[\w-]|#\d|https?:\/\/|www\.|\bGH-\d|\b[0-9a-f]{40}\b|:\w[\w+-]*:|\$/i;

/** Every target has its row, where it belongs, and every copy that took time its bar. */
async function check(promotion: Promotion, markdown: string): Promise<void> {
  const tree = parse(markdown);
  for (const node of all(tree)) {
    expect(OURS, `${node.type}: ${textOf(node).slice(0, 80)}`).toContain(node.type);
    if (node.type === 'html' && node.value !== '</details>') expect(node.value).toMatch(FOLDED);
    if (node.type === 'strong') expect(textOf(node)).toBe('Next:');
    if (node.type === 'code') expect(CODE).toContain(node.lang);
    if (node.type === 'text') expect(node.value).not.toMatch(LINKED);
    if (node.type !== 'code' && node.type !== 'html')
      expect(node.value ?? '').not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
  }
  expect(all(tree, 'heading')).toHaveLength(1);

  const { copies, status } = promotion;
  const urgent = copies.filter((copy) =>
    status === 'planned' ? copy.problem : needsReader(copy, promotion),
  );
  const quiet = copies.filter((copy) => !urgent.includes(copy));
  const rows = rowsOf(tree).filter((row) => !row.includes('Region'));
  const region = (at: number) => (status === 'planned' && at >= urgent.length ? 0 : 1);
  expect(rows.map((row, at) => [row[region(at)], row[2]])).toEqual(
    [...urgent, ...quiet].map((copy) => [shown(copy.region), shown(copy.imageId)]),
  );

  const timed = status === 'planned' || status === 'copying' ? [] : copies;
  const bars = timed
    .filter((copy) => tookOf(copy, NOW) !== null)
    .map(({ region, startedAt, finishedAt }) => ({
      name: ganttTask('', region).trim(),
      start: startedAt ?? 0,
      end: finishedAt ?? NOW,
    }));
  const tasks = (await tasksOf(tree)).map(({ name, ...times }) => ({ name: name.slice(1).trim(), ...times }));
  expect(tasks.map(({ end }) => end)).toEqual(tasks.map(({ end }) => end).sort((a, b) => a - b));
  const inOrder = (some: typeof bars) => some.map((bar) => JSON.stringify(bar)).sort();
  expect(inOrder(tasks)).toEqual(inOrder(bars));
}

function shown(text: string | null): string {
  // A pipe after a backslash cannot be written in a cell of GFM: see `cell`.
  return oneLine(text ?? '', 200).replace(/\\(?=\|)/g, '＼') || '–';
}

describe('a summary of hostile texts', () => {
  it('is the same rows, the same bars and no markup, for any promotion', async () => {
    await fc.assert(
      fc.asyncProperty(
        promotions,
        fc.array(problems, { maxLength: 3 }),
        texts,
        async (promotion, warnings, region) => {
          await check(promotion, summaryOf(promotion, warnings, region));
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(HOSTILE.map((text, index) => [index, text]))(
    'holds the corpus as text: %i',
    async (_index, text) => {
      const promotion = hostileEverywhere(text);
      const warnings = [{ message: text, advice: text }];
      await check(promotion, summaryOf(promotion, warnings, text));
      const planned: Promotion = { ...promotion, status: 'planned' };
      await check(planned, summaryOf(planned, warnings, text));
    },
  );

  it('keeps the ids in the blocks for pasting, byte for byte', () => {
    for (const text of HOSTILE.filter((one) => one !== '' && one.length < 100)) {
      const promotion = aPromotion({ copies: [aCopy({ region: text, imageId: text })] });
      const block = all(parse(summaryOf(promotion)), 'code').find(({ lang }) => lang === 'json');
      expect(JSON.parse(block?.value ?? '')).toEqual(Object.fromEntries([[text, text]]));
    }
  });
});

const unavailable = (region: string, some: Partial<Copy> = {}): Partial<Copy> => ({
  region,
  imageId: `uimage-${region}`,
  state: 'Unavailable',
  outcome: 'failed',
  problem: {
    message: `${region}: the copy uimage-${region} ended Unavailable.`,
    advice: 'Delete it, then re-run the job.',
  },
  ...some,
});
const still = (region: string, advice = 'Re-run the job: it picks the copy up.'): Partial<Copy> => ({
  region,
  imageId: `uimage-${region}`,
  state: 'Copying',
  outcome: 'failed',
  pending: true,
  finishedAt: null,
  problem: { message: `${region}: uimage-${region} was still Copying after 10m.`, advice },
});
const existing = (region: string): Partial<Copy> => ({
  region,
  plan: 'adopt',
  outcome: 'adopted',
  created: false,
  imageId: `uimage-${region}`,
  finishedAt: T0,
});
const planned: Partial<Copy> = {
  imageId: null,
  state: null,
  outcome: 'planned',
  startedAt: null,
  finishedAt: null,
};
const gone = (region: string): Partial<Copy> => ({
  region,
  imageId: `uimage-${region}`,
  state: 'Deleted',
  outcome: 'failed',
  problem: { message: `${region}: the rollback deleted uimage-${region}, because sg failed.`, advice: '' },
});
const full = (region: string, some: Partial<Copy> = {}): Partial<Copy> => ({
  region,
  imageId: null,
  state: null,
  outcome: 'failed',
  problem: { message: `${region}: not copied.`, advice: 'Raise the quota.' },
  ...some,
});
const images = (...regions: string[]) =>
  regions.map((region) => ({ region, projectId: 'org-prod', imageId: `uimage-${region}` }));
const undone = (some: { because?: string[]; deleted?: string[]; left?: string[] }): Undone => ({
  by: 'step',
  because: some.because ?? ['sg'],
  deleted: images(...(some.deleted ?? [])),
  left: images(...(some.left ?? [])),
});
const three = (...each: Partial<Copy>[]) => each.map((one) => aCopy(one));

/** The first lines of a page: the outcome, and what to do. */
const headOf = (promotion: Promotion) => {
  const [heading, next = ''] = summaryOf(promotion).split('\n\n');
  return [heading?.slice(3), next.startsWith('**Next:** ') ? next.slice(10) : ''];
};

describe('the heading of a summary', () => {
  const done = three({}, { region: 'sg' }, { region: 'us-ca' });
  const cases: [string, string, Partial<Promotion>][] = [
    ['✅ web-1.4.2 is ready in all 3 regions (10m 28s)', '', { copies: done, seconds: 628 }],
    ['✅ web-1.4.2 is ready in hk (10m 28s)', '', { seconds: 628 }],
    [
      '✅ web-1.4.2 was already in all 3 regions: nothing copied',
      '',
      { copies: three(existing('hk'), existing('sg'), existing('us-ca')) },
    ],
    [
      '📝 Dry run: would copy to sg, us-ca; hk has it already',
      'run it without dry-run to copy.',
      {
        status: 'planned',
        copies: three(
          { ...planned, region: 'hk', plan: 'adopt' },
          { ...planned, region: 'sg' },
          { ...planned, region: 'us-ca' },
        ),
      },
    ],
    [
      '📝 Dry run: would copy to sg; hk still copying',
      'run it without dry-run to copy.',
      {
        status: 'planned',
        copies: three(
          { ...planned, region: 'hk', plan: 'adopt', state: 'Copying' },
          { ...planned, region: 'sg' },
        ),
      },
    ],
    [
      '📝 Dry run: nothing to copy; hk has it already',
      '',
      { status: 'planned', copies: three({ ...planned, plan: 'adopt' }) },
    ],
    [
      '❌ Nothing was copied: 2 problems to fix first',
      'fix them, then run again; nothing was changed.',
      {
        status: 'failed',
        ended: 'stopped',
        copies: [],
        problems: [
          { message: 'a', advice: '' },
          { message: 'b', advice: '' },
        ],
      },
    ],
    [
      '🚫 Cancelled: 2 of 3 ready, us-ca still copying (uimage-us-ca); a re-run picks it up',
      're-run the failed job: it keeps the 2 ready copies and picks up the copy under way.',
      { status: 'partial', ended: 'cancelled', copies: three({}, { region: 'sg' }, still('us-ca')) },
    ],
    [
      '🚫 Cancelled: 2 of 3 ready, us-ca still copying (uimage-us-ca); the Post step deletes what this run created',
      'nothing to delete by hand: the "Post" step of this job will delete the copies created by this run. A re-run copies again.',
      {
        status: 'partial',
        ended: 'cancelled',
        rollback: { by: 'post' },
        copies: three({}, { region: 'sg' }, still('us-ca')),
      },
    ],
    [
      '🚫 Cancelled: nothing was copied',
      're-run the job; nothing was changed.',
      {
        status: 'failed',
        ended: 'cancelled',
        copies: [],
        problems: [{ message: 'Cancelled before anything was copied.', advice: '' }],
      },
    ],
    [
      '⏰ Timeout of 10m: 2 of 3 ready, us-ca still copying (uimage-us-ca); a re-run picks it up',
      're-run the failed job: it keeps the 2 ready copies and picks up the copy under way. If 10m is often too short, raise timeout in the workflow.',
      { status: 'partial', ended: 'timeout', copies: three({}, { region: 'sg' }, still('us-ca')) },
    ],
    [
      '⏰ Timeout of 10m: 1 of 4 ready, us-ca not listed, kr perhaps copying, sg failed',
      'delete uimage-sg (sg), look in the console for uimage-us-ca (us-ca), wait 2 minutes, then re-run the failed job: it keeps the ready copy, reuses the copies that exist by then and copies only the failed region again. If 10m is often too short, raise timeout in the workflow.',
      {
        status: 'partial',
        ended: 'timeout',
        copies: three(
          {},
          unavailable('sg'),
          { ...still('us-ca'), state: null, listed: false },
          { ...still('kr'), imageId: null, unclear: true },
        ),
      },
    ],
    [
      '⚠️ web-1.4.2: ready in 1 of 2 regions, sg failed',
      // What somebody has deleted is not to be deleted again.
      'Find out who it was, then re-run the failed job: it keeps the ready copy and copies only the failed region again.',
      {
        status: 'partial',
        copies: three(
          {},
          unavailable('sg', {
            listed: false,
            problem: { message: 'sg: gone.', advice: 'Find out who it was, then re-run the job.' },
          }),
        ),
      },
    ],
    [
      '❌ sg failed, so all 3 copies were rolled back',
      're-run the job: it copies again. The deleted ids are void.',
      {
        status: 'failed',
        rollback: undone({ deleted: ['hk', 'sg', 'us-ca'] }),
        copies: three(
          { state: 'Deleted', outcome: 'failed', problem: { message: 'x', advice: '' } },
          { ...unavailable('sg'), state: 'Deleted' },
          { region: 'us-ca', state: 'Deleted', outcome: 'failed', problem: { message: 'x', advice: '' } },
        ),
      },
    ],
    [
      '❌ web-1.4.2: ready in 0 of 2 regions, both regions still copying',
      'Renew the keys. Then re-run the failed job: it picks up the 2 copies under way.',
      {
        status: 'failed',
        copies: three(still('hk', 'Renew the keys.'), { ...still('sg', 'Renew the keys.'), state: null }),
      },
    ],
    [
      '⏰ Timeout of 10m: us-ca was not ready, so all 2 copies were rolled back',
      'raise timeout in the workflow and run it again: it copies again. The deleted ids are void.',
      {
        status: 'failed',
        ended: 'timeout',
        rollback: undone({ because: ['us-ca'], deleted: ['hk', 'us-ca'] }),
        copies: three(gone('hk'), { ...still('us-ca'), state: 'Deleted' }),
      },
    ],
    [
      '❌ sg failed, so the copy in hk was rolled back',
      'Raise the quota. Then re-run the job: it copies again. The deleted ids are void.',
      {
        status: 'failed',
        rollback: undone({ deleted: ['hk'] }),
        copies: three(gone('hk'), full('sg')),
      },
    ],
    [
      '❌ sg failed, so the copy in hk was rolled back',
      'Raise the quota, then re-run the job: it copies again. The deleted ids are void.',
      {
        status: 'failed',
        rollback: undone({ deleted: ['hk'] }),
        copies: three(
          gone('hk'),
          full('sg', { problem: { message: 'sg: full.', advice: 'Raise the quota, then re-run the job.' } }),
        ),
      },
    ],
    [
      '❌ sg failed; the rollback deleted 2 of 3 copies, but not uimage-hk in hk',
      'delete uimage-hk (hk), or keep it: a re-run reuses it. Then re-run the job: it copies what is missing. The deleted ids are void.',
      {
        status: 'partial',
        rollback: undone({ deleted: ['sg', 'us-ca'], left: ['hk'] }),
        copies: three({ imageId: 'uimage-hk' }, { ...unavailable('sg'), state: 'Deleted' }, gone('us-ca')),
      },
    ],
    [
      '❌ sg failed; the rollback deleted 1 of 2 copies, but not uimage-hk in hk',
      'follow the advice for uimage-hk (hk). Then re-run the job: it copies again. The deleted ids are void.',
      {
        status: 'partial',
        rollback: {
          ...undone({ deleted: ['sg'] }),
          left: images('hk').map((image) => ({ ...image, unusable: true as const })),
        },
        copies: [aCopy({ imageId: 'uimage-hk' }), aCopy({ ...unavailable('sg'), state: 'Deleted' })],
      },
    ],
    [
      '❌ sg failed, and the rollback could not delete 3 copies',
      'delete uimage-sg (sg). uimage-hk (hk), uimage-us-ca (us-ca) are sound: delete them too, or keep them: a re-run reuses them. Then re-run the job: it copies what is missing.',
      {
        status: 'partial',
        rollback: undone({ left: ['hk', 'sg', 'us-ca'] }),
        copies: three({ imageId: 'uimage-hk' }, unavailable('sg'), {
          region: 'us-ca',
          imageId: 'uimage-us-ca',
        }),
      },
    ],
    [
      '⏰ Timeout of 10m: 1 of 2 ready, sg in an unknown state (uimage-sg)',
      'Re-run it later. A re-run keeps the ready copy and picks up the copy under way.',
      {
        status: 'partial',
        ended: 'timeout',
        copies: three({}, { ...still('sg', 'Re-run it later.'), unread: true }),
      },
    ],
    [
      '🚫 Cancelled: it is not known whether copies exist in both regions',
      'wait 2 minutes, then re-run the failed job: it reuses the copies that exist by then.',
      {
        status: 'failed',
        ended: 'cancelled',
        copies: three(
          { ...still('hk'), imageId: null, unclear: true },
          { ...still('sg'), imageId: null, unclear: true },
        ),
      },
    ],
    [
      '⚠️ web-1.4.2: ready in 1 of 2 regions, optional sg failed',
      'this step passed; if you need sg: Raise the quota. Then run the workflow again: it keeps the ready copy and copies only the failed region.',
      { copies: three({}, full('sg', { optional: true })) },
    ],
    [
      '⚠️ web-1.4.2: ready in 1 of 3 regions, 2 failed',
      'delete uimage-sg (sg), follow the advice for kr, then re-run the failed job: it keeps the ready copy and copies only the failed regions again.',
      { status: 'partial', copies: three({}, unavailable('sg'), full('kr')) },
    ],
    [
      '🚫 Cancelled: 0 of 2 ready, both regions still copying',
      're-run the failed job: it picks up the 2 copies under way.',
      {
        status: 'failed',
        ended: 'cancelled',
        copies: ['hk', 'sg'].map((region) => aCopy({ ...still(region), state: null })),
      },
    ],
    [
      '⏳ web-1.4.2: copying to all 3 regions; this step does not wait',
      'these ids cannot be used yet. A later run with the same inputs, but wait: true, waits for them.',
      { status: 'copying', copies: done.map((copy) => ({ ...copy, state: 'Copying', finishedAt: null })) },
    ],
    [
      '⚠️ web-1.4.2: ready in 1 of 3 regions, 2 failed',
      'delete uimage-sg (sg), uimage-us-ca (us-ca), then re-run the failed job: it keeps the ready copy and copies only the failed regions again.',
      { status: 'partial', copies: three({}, unavailable('sg'), unavailable('us-ca')) },
    ],
    [
      '⚠️ web-1.4.2: ready in 31 of 36 regions, 5 failed',
      'delete the 5 images named below, then re-run the failed job: it keeps the 31 ready copies and copies only the failed regions again.',
      {
        status: 'partial',
        copies: manyCopies(36, (index) => (index < 5 ? unavailable(`region-${index}`) : {})),
      },
    ],
    [
      '⚠️ web-1.4.2: ready in 1 of 2 regions, optional sg failed',
      'this step passed; if you need sg: delete uimage-sg (sg), then run the workflow again: it keeps the ready copy and copies only the failed region again.',
      { copies: three({}, unavailable('sg', { optional: true })) },
    ],
    [
      '❌ web-1.4.2 is not ready in either region',
      'Raise the quota. Then re-run the failed job.',
      { status: 'failed', copies: three(full('hk'), full('sg')) },
    ],
    [
      '⚠️ web-1.4.2: ready in 1 of 2 regions, sg failed',
      'Correct zone in the workflow. Then re-run the failed job, or run the workflow anew if you changed it: it keeps the ready copy and copies only the failed region.',
      {
        status: 'partial',
        copies: three(
          {},
          full('sg', { problem: { message: 'sg: no.', advice: 'Correct zone in the workflow.' } }),
        ),
      },
    ],
  ];
  it.each(cases)('%s', async (heading, next, some) => {
    const promotion = aPromotion(some);
    expect(headOf(promotion)).toEqual([heading, next]);
    await check(promotion, summaryOf(promotion));
  });

  it('calls a timeout too short for a copy that is', () => {
    const promotion = aPromotion({ status: 'partial', ended: 'timeout', copies: three({}, still('sg')) });
    const { next } = nextOf(promotion, anOrder({ timeout: 2_000 }));
    expect(next).toBe(
      'raise timeout in the workflow (2s is too short for a copy), then run the workflow anew: it keeps the ready copy and picks up the copy under way.',
    );
  });

  it('sends to the source first where all copies differ from it alike', () => {
    const differs = (region: string, size: number) =>
      full(region, {
        imageId: `uimage-${region}`,
        problem: {
          message: `${region}: uimage-${region} does not match the source: ${size} GB instead of 40 GB.`,
          advice: 'Delete it.',
        },
      });
    const nextFor = (...copies: Partial<Copy>[]) =>
      nextOf(aPromotion({ status: 'failed', copies: three(...copies) }), anOrder()).next;
    expect(nextFor(differs('hk', 20), differs('sg', 20))).toMatch(
      /^compare the source .*alike, delete uimage-hk/,
    );
    expect(nextFor(differs('hk', 20), differs('sg', 30))).toMatch(/^delete uimage-hk/);
  });

  it('does not promise that a re-run keeps what it would copy again', () => {
    const order = anOrder({ ifExists: 'copy' });
    const promotion = aPromotion({ status: 'partial', copies: three({}, unavailable('sg')) });
    expect(renderSummary(promotion, { order, warnings: [], now: NOW })).toContain(
      'then set if-exists: adopt and run the workflow again, or it copies everything again.',
    );
  });
});

describe('a summary', () => {
  it('of a success is from where to where, a row a region, and the ids', async () => {
    const copies = three(
      {},
      { ...existing('sg'), taskId: null },
      {
        region: 'cn-bj2',
        imageId: 'uimage-abc123',
        taskId: null,
        plan: 'source',
        outcome: 'source',
        startedAt: null,
      },
    );
    const markdown = summaryOf(aPromotion({ copies, seconds: 250 }));
    expect(rowsOf(parse(markdown))).toEqual([
      ['', 'Region', 'Image id', 'What happened', 'Time'],
      ['✅', 'hk', 'uimage-hk1', 'copied', '4m 10s'],
      ['✅', 'sg', 'uimage-sg', 'reused', '–'],
      ['✅', 'cn-bj2', 'uimage-abc123', 'same image', '–'],
    ]);
    expect(await tasksOf(parse(markdown))).toEqual([{ name: '✓ hk', start: T0, end: T0 + 250_000 }]);
    const [ids, tasks] = all(parse(markdown), 'code').filter(({ lang }) => lang === 'json');
    expect(JSON.parse(ids?.value ?? '')).toEqual({
      hk: 'uimage-hk1',
      sg: 'uimage-sg',
      'cn-bj2': 'uimage-abc123',
    });
    expect(JSON.parse(tasks?.value ?? '')).toEqual({ hk: 'task-hk1' });
    expect(markdown).toContain(
      'From `uimage-abc123` (web-1.4.2, 40 GB, Ubuntu 24.04) in `cn-bj2`/`org-build` to `org-prod` · 4m 10s',
    );
  });

  it('of a failure has what failed and what to do above what went well, and facts once', async () => {
    const promotion = aPromotion({ status: 'partial', copies: three({}, unavailable('sg'), still('kr')) });
    const warning = { message: 'hk: Only the system disk is copied.', advice: 'Mind the data disks.' };
    const markdown = summaryOf(promotion, [
      warning,
      { ...warning, message: 'sg: Only the system disk is copied.' },
    ]);
    expect(rowsOf(parse(markdown))).toEqual([
      ['', 'Region', 'Image id', 'What happened', 'What to do'],
      ['❌', 'sg', 'uimage-sg', 'ended Unavailable', 'Delete it, then re-run the job.'],
      ['⏳', 'kr', 'uimage-kr', 'was still Copying after 10m', 'Re-run the job: it picks the copy up.'],
      ['', 'Region', 'Image id', 'What happened', 'Time'],
      ['✅', 'hk', 'uimage-hk1', 'copied', '4m 10s'],
    ]);
    expect(markdown).toContain('- ⚠️ `hk`, `sg`: Only the system disk is copied. Mind the data disks.');
    // The broken one's id is none to use.
    expect(markdown).not.toContain('"sg": "uimage-sg"');
    expect(markdown).toContain('"kr": "uimage-kr"');
  });

  it('of many regions folds what went well, and tells one reason once', () => {
    const advice = 'Delete images there.';
    const copies = manyCopies(33, (index) =>
      index < 12
        ? {
            imageId: null,
            outcome: 'failed',
            state: null,
            problem: { message: `region-${index}: quota (RetCode 8095, request id id-${index}).`, advice },
          }
        : {},
    );
    const markdown = summaryOf(aPromotion({ status: 'partial', copies }));
    const [head, row, ...rest] = rowsOf(parse(markdown));
    expect(head?.[1]).toBe('Region');
    expect(row?.[1]?.split(', ')).toHaveLength(12);
    expect(row?.[3]).toBe('quota (RetCode 8095, request id of region-0: id-0)');
    expect(markdown).toContain('<summary>Request ids (JSON)</summary>');
    expect(markdown).toContain('"region-11": "id-11"');
    expect(rest).toHaveLength(1 + 21);
    expect(markdown).toContain('<summary>21 ready copies</summary>');
    expect(markdown).toContain('<summary>Timeline</summary>');
  });

  it('of a dry run is the plan, and of many regions one row a reason', () => {
    const copies = three(
      { ...planned, why: 'not there yet' },
      { ...planned, region: 'sg', plan: 'adopt', imageId: 'uimage-sg1', why: 'already Available' },
    );
    const rows = rowsOf(parse(summaryOf(aPromotion({ status: 'planned', copies }))));
    expect(rows).toEqual([
      ['Region', 'Would', 'Image id', 'Why'],
      ['hk', 'copy', '–', 'not there yet'],
      ['sg', 'reuse', 'uimage-sg1', 'already Available'],
    ]);
    const many = manyCopies(33, () => ({ ...planned, why: 'not there yet' }));
    expect(rowsOf(parse(summaryOf(aPromotion({ status: 'planned', copies: many }))))).toHaveLength(2);
  });

  it('has no timeline without a wait, nor when nothing took time', () => {
    const copies = [aCopy({ state: 'Copying', finishedAt: null })];
    expect(summaryOf(aPromotion({ status: 'copying', copies }))).not.toContain('gantt');
    expect(summaryOf(aPromotion({ copies: three(existing('hk')) }))).not.toContain('gantt');
  });

  it('of a dry run that would fail says so, and is a plan all the same', async () => {
    const copies = three({ ...unavailable('hk'), plan: 'adopt' }, { ...planned, region: 'sg' });
    const order = anOrder({ dryRun: true });
    const markdown = renderSummary(aPromotion({ status: 'partial', copies }), {
      order,
      warnings: [],
      now: NOW,
    });
    expect(markdown.split('\n\n').slice(0, 2)).toEqual([
      '## ⚠️ Dry run: would copy to sg; hk would fail (uimage-hk)',
      '**Next:** delete uimage-hk (hk), or a promotion fails there.',
    ]);
    expect(rowsOf(parse(markdown)).map((row) => row.slice(0, 2))).toEqual([
      ['', 'Region'],
      ['❌', 'hk'],
      ['Region', 'Would'],
      ['sg', 'copy'],
    ]);
    expect(markdown).not.toContain('copying');
  });

  it('says what a rollback left beside what it deleted, and no advice twice', () => {
    const copies = three({ imageId: 'uimage-hk' }, { ...unavailable('sg'), state: 'Deleted' }, gone('us-ca'));
    const rollback = undone({ deleted: ['sg', 'us-ca'], left: ['hk'] });
    const rows = rowsOf(parse(summaryOf(aPromotion({ status: 'partial', copies, rollback }))));
    expect(rows.slice(3).map(([sign, region, , what]) => [sign, region, what])).toEqual([
      ['⚠️', 'hk', 'Available, not deleted'],
      ['🗑️', 'us-ca', 'rolled back: the id is void'],
    ]);
    // Red is what failed, not what was deleted for it.
    const page = summaryOf(aPromotion({ status: 'partial', copies, rollback }));
    expect(page).toContain('✗ sg :crit, ');
    expect(page).toContain('– us-ca :done, ');
    const quota = summaryOf(aPromotion({ status: 'partial', copies: three({}, full('sg')) }));
    expect(quota.match(/Raise the quota/g)).toHaveLength(1);
    expect(rowsOf(parse(quota))[0]).toEqual(['', 'Region', 'Image id', 'What happened']);
  });

  it('whose ids a later step can void says so', () => {
    const page = (provisional: boolean) =>
      renderSummary(aPromotion(), { order: anOrder(), warnings: [], now: NOW, provisional });
    expect(page(true).split('\n\n')[1]).toMatch(
      /^If a later step of the job fails .* the "Post" step deletes these copies/,
    );
    expect(page(false)).not.toContain('rollback');
  });

  it('that a rollback comes after is told why, what to do, which ids are void and what is left', () => {
    const problem = { message: 'uimage-kr in kr was not deleted: locked.', advice: 'Delete it.' };
    const page = (deleted: string[], left: string[], again = false) => {
      const result = { deleted: images(...deleted), left: images(...left) };
      const headline = headlineOfRollback(result, { because: 'this step was killed', fix: again, again });
      return renderRollback(headline, result.deleted, left.length > 0 ? [problem] : []).split('\n\n');
    };
    expect(page(['hk', 'sg'], [])).toEqual([
      '### 🗑️ Rolled back, because this step was killed: 2 images deleted',
      '**Next:** re-run the job: it copies again.',
      'These ids are void: `hk` `uimage-hk`, `sg` `uimage-sg`.\n',
    ]);
    expect(page(['hk'], ['kr'])).toEqual([
      '### ⚠️ Rolled back in part, because this step was killed: 1 image deleted, 1 image still exists and is billed',
      '**Next:** delete uimage-kr (kr) in the console; one that is Available may stay: a re-run reuses it. Then re-run the job.',
      'These ids are void: `hk` `uimage-hk`.',
      '- ⚠️ uimage-kr in kr was not deleted: locked. Delete it.\n',
    ]);
    expect(page([], ['hk', 'kr'])[0]).toBe(
      '### ⚠️ This step was killed, and the rollback failed: 2 images still exist and are billed',
    );
    expect(page([], ['kr'], true)[0]).toBe(
      '### ⚠️ This step was killed, and the rollback failed again: 1 image still exists and is billed',
    );
    expect(page([], [])[0]).toMatch(/^### ⚠️ The rollback could not search every region/);
    for (const text of HOSTILE) {
      const image = [{ region: text, projectId: text, imageId: text }];
      const headline = headlineOfRollback(
        { deleted: image, left: image },
        { because: text, fix: true, again: false },
      );
      const tree = parse(renderRollback(headline, image, [{ message: text, advice: text }]));
      for (const node of all(tree)) expect(OURS).toContain(node.type);
      expect(all(tree, 'html')).toEqual([]);
      expect(all(tree, 'heading')).toHaveLength(1);
    }
  });
});

describe('the size of a summary', () => {
  const kinds: [string, string][] = [
    ['letters', 'x'],
    ['backticks', '` '],
    ['tags', '<b>'],
    ['four-byte characters', '🚀'],
    ['pipes', '\\|'],
  ];
  it.each(kinds)(
    'stays under 256 KiB for 40 regions with endless %s, and no row is lost',
    async (_name, unit) => {
      const long = unit.repeat(5_000);
      const promotion = aPromotion({
        status: 'partial',
        copies: manyCopies(40, (index) => ({
          region: `region-${index} ${long}`,
          name: long,
          imageId: `uimage-${index}${long}`,
          taskId: long,
          state: long,
          outcome: index % 2 ? 'failed' : 'copied',
          problem: { message: `${index} ${long}`, advice: `${index} ${long}` },
        })),
        problems: [{ message: long, advice: long }],
      });
      const markdown = summaryOf(promotion, [{ message: long, advice: long }], long);
      expect(Buffer.byteLength(markdown)).toBeLessThan(256 * 1024);
      // A row for each that went well; the others may share theirs.
      expect(markdown).toMatch(/^\|[^|]*\|\W+region-38 /m);
      expect(markdown).toContain("The step's outputs hold every id in full.");
      expect(
        Buffer.byteLength(
          renderSummary(promotion, { order: anOrder(), warnings: [], now: NOW }, OUTPUT_BYTES),
        ),
      ).toBeLessThan(OUTPUT_BYTES);
    },
  );

  it('drops nothing for 40 ordinary regions, in the output neither', async () => {
    const promotion = aPromotion({ copies: manyCopies(40) });
    const markdown = renderSummary(promotion, { order: anOrder(), warnings: [], now: NOW }, OUTPUT_BYTES);
    await check(promotion, markdown);
    expect(markdown).toContain('"region-39": "uimage-39"');
    expect(markdown).not.toContain('left out');
  });

  it('names how many rows are missing when a page of 1000 regions would be too long', () => {
    const long = '🚀'.repeat(100);
    const promotion = aPromotion({
      copies: manyCopies(1000, () => ({ name: long, imageId: long, state: long, taskId: long })),
    });
    const markdown = renderSummary(promotion, { order: anOrder(), warnings: [], now: NOW }, OUTPUT_BYTES);
    expect(Buffer.byteLength(markdown)).toBeLessThan(OUTPUT_BYTES);
    expect(rowsOf(parse(markdown)).at(-1)).toContain('900 more');
  });
});
