import * as fc from 'fast-check';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import mermaid from 'mermaid';
import { gfm } from 'micromark-extension-gfm';
import { describe, expect, it } from 'vitest';
import type { Problem, Promotion } from '../../src/promotion/model.ts';
import { renderSummary } from '../../src/summary.ts';
import { ganttTask, oneLine } from '../../src/text.ts';
import { HOSTILE } from './hostile.ts';
import {
  aCopy,
  aPromotion,
  hostileEverywhere,
  manyCopies,
  problems,
  promotions,
  T0,
  texts,
} from './promotions.ts';

interface Node {
  type: string;
  value?: string;
  lang?: string | null;
  children?: Node[];
}

const NOW = T0 + 3_600_000;

function summaryOf(promotion: Promotion, warnings: Problem[] = [], region = 'cn-bj2'): string {
  return renderSummary(promotion, { region, projectId: undefined, warnings, now: NOW });
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

async function tasksOf(tree: Node): Promise<{ name: string; start: number; end: number; section: string }[]> {
  const texts = all(tree, 'code').filter(({ lang }) => lang === 'mermaid');
  if (texts.length === 0) return [];
  expect(texts).toHaveLength(1);
  const text = texts[0]?.value ?? '';
  await mermaid.parse(text);
  const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
  const database = diagram.db as unknown as {
    getTasks(): { task: string; startTime: Date; endTime: Date; section: string; classes: string[] }[];
    getDiagramTitle(): string;
    getAccDescription(): string;
    getLinks(): Map<string, string> | Record<string, string>;
  };
  expect(database.getDiagramTitle()).toBe('');
  expect(database.getAccDescription()).toBe('');
  const links = database.getLinks();
  expect(links instanceof Map ? links.size : Object.keys(links).length).toBe(0);
  return database.getTasks().map(({ task, startTime, endTime, section }) => ({
    name: task.trim(),
    start: startTime.getTime(),
    end: endTime.getTime(),
    section,
  }));
}

/** Every kind of node that a summary is made of. Anything else came from outside. */
const OURS = new Set(
  'root heading paragraph text inlineCode strong list listItem table tableRow tableCell code html'.split(' '),
);
const TITLES = new Set(['What went wrong', 'Warnings']);
const TAGS = new Set([
  '<details>\n<summary>Image ids as JSON and as a Terraform variable</summary>',
  '</details>',
]);
const CODE = new Set(['mermaid', 'json', 'hcl']);
/** What GitHub turns into a link, a mention, a reference, an emoji or math after parsing. */
const LINKED = /@[\w-]|#\d|https?:\/\/|www\.|\bGH-\d|\b[0-9a-f]{40}\b|:\w[\w+-]*:|\$/i;

/** Holds the Markdown against the promotion, as GitHub would read both. Returns its table and bars. */
async function check(promotion: Promotion, markdown: string): Promise<void> {
  const tree = parse(markdown);
  for (const node of all(tree)) {
    expect(OURS, `${node.type}: ${textOf(node).slice(0, 80)}`).toContain(node.type);
    if (node.type === 'html') expect(TAGS).toContain(node.value);
    if (node.type === 'strong') expect(textOf(node)).toBe('What to do:');
    if (node.type === 'code') expect(CODE).toContain(node.lang);
    if (node.type === 'text') expect(node.value).not.toMatch(LINKED);
    if (node.type !== 'code' && node.type !== 'html')
      expect(node.value ?? '').not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
  }
  expect(all(tree, 'code').map(({ lang }) => lang)).toEqual([
    ...new Set(all(tree, 'code').map(({ lang }) => lang)),
  ]);
  const [title, ...others] = all(tree, 'heading').map(textOf);
  expect(title).toBeTruthy();
  for (const other of others) expect(TITLES).toContain(other);

  expect(all(tree, 'table')).toHaveLength(promotion.copies.length > 0 ? 1 : 0);
  if (promotion.status !== 'planned') {
    expect(rowsOf(tree).slice(1)).toEqual(
      promotion.copies.map((copy) => [
        shown(copy.region),
        shown(copy.imageId),
        shown(copy.state),
        expect.stringMatching(new RegExp(`^\\S+ ${copy.outcome}$`)),
        expect.stringMatching(copy.startedAt === null ? /^–$/ : /^[\dhms ]+( so far)?$/),
        shown(copy.taskId),
      ]),
    );
  }

  const started = promotion.copies.filter(({ startedAt }) => startedAt !== null);
  const bars = started.map(({ region, name, startedAt, finishedAt }) => ({
    name: ganttTask('', `${region} ${name}`).trim(),
    start: startedAt ?? 0,
    end: Math.max(startedAt ?? 0, finishedAt ?? NOW),
  }));
  const tasks = (await tasksOf(tree)).map(({ name, start, end }) => ({
    name: name.slice(1).trim(),
    start,
    end,
  }));
  const inOrder = (some: typeof bars) => some.map((bar) => JSON.stringify(bar)).sort();
  expect(inOrder(tasks)).toEqual(inOrder(bars));
}

function shown(text: string | null): string {
  // A pipe after a backslash cannot be written in a cell of GFM: see `cell`.
  return oneLine(text ?? '', 200).replace(/\\(?=\|)/g, '＼') || '–';
}

describe('a summary of hostile texts', () => {
  it('is the same table, the same bars and no markup, for any promotion', async () => {
    await fc.assert(
      fc.asyncProperty(
        promotions,
        fc.array(problems, { maxLength: 3 }),
        texts,
        async (promotion, warnings, region) => {
          await check(promotion, summaryOf(promotion, warnings, region));
        },
      ),
      { numRuns: 250 },
    );
  }, 60_000);

  it.each(HOSTILE.map((text, index) => [index, text]))(
    'holds the corpus as text: %i',
    async (_index, text) => {
      const promotion = hostileEverywhere(text);
      const warnings = [{ message: text, advice: text }];
      await check(promotion, summaryOf(promotion, warnings, text));
      const planned: Promotion = { ...promotion, status: 'planned' };
      await check(planned, summaryOf(planned, warnings, text));
      const rows = rowsOf(parse(summaryOf(planned, warnings, text))).slice(1);
      expect(rows.map((row) => row.length)).toEqual([5, 5, 5]);
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

describe('a summary', () => {
  const copies = [
    aCopy(),
    aCopy({
      region: 'sg',
      imageId: 'uimage-sg1',
      taskId: null,
      plan: 'adopt',
      outcome: 'adopted',
      created: false,
      startedAt: T0,
      finishedAt: T0,
    }),
    aCopy({
      region: 'cn-bj2',
      imageId: 'uimage-abc123',
      taskId: null,
      plan: 'source',
      outcome: 'source',
      created: false,
      startedAt: null,
      finishedAt: null,
    }),
  ];

  it('of a success names the image, the regions and the ids', async () => {
    const promotion = aPromotion({ copies });
    const markdown = summaryOf(promotion);
    await check(promotion, markdown);
    expect(markdown).toMatch(/^## ✅ web-1\.4\.2 is Available in 3 regions\n/);
    expect(rowsOf(parse(markdown))).toEqual([
      ['Region', 'Image id', 'State', 'Outcome', 'Time', 'Task id'],
      ['hk', 'uimage-hk1', 'Available', '✅ copied', '4m 10s', 'task-hk1'],
      ['sg', 'uimage-sg1', 'Available', '✅ adopted', '0s', '–'],
      ['cn-bj2', 'uimage-abc123', 'Available', '✅ source', '–', '–'],
    ]);
    expect(await tasksOf(parse(markdown))).toEqual([
      { name: '✓ hk web-1.4.2', start: T0, end: T0 + 250_000, section: 'Copied' },
      { name: '✓ sg web-1.4.2', start: T0, end: T0, section: 'Adopted' },
    ]);
    const blocks = all(parse(markdown), 'code');
    expect(JSON.parse(blocks.find(({ lang }) => lang === 'json')?.value ?? '')).toEqual({
      hk: 'uimage-hk1',
      sg: 'uimage-sg1',
      'cn-bj2': 'uimage-abc123',
    });
    expect(blocks.find(({ lang }) => lang === 'hcl')?.value).toBe(
      'image_ids = {\n  "hk" = "uimage-hk1"\n  "sg" = "uimage-sg1"\n  "cn-bj2" = "uimage-abc123"\n}',
    );
    expect(markdown).toContain(
      'Source: `uimage-abc123` (web-1.4.2, 40 GB, Ubuntu 24.04) in `cn-bj2`. Target: project `org-prod`.',
    );
    expect(markdown).not.toContain('What went wrong');
  });

  it("names the source's project when the order does", () => {
    const context = { region: 'cn-bj2', projectId: 'org-build', warnings: [], now: NOW };
    expect(renderSummary(aPromotion(), context)).toContain(
      'in `cn-bj2`, project `org-build`. Target: project `org-prod`.',
    );
  });

  it('of a partial failure tells reasons and remedies, and warnings once', async () => {
    const problem = {
      message: 'sg: the copy uimage-sg1 ended Unavailable.',
      advice: 'Delete it and run again.',
    };
    const failed = aCopy({
      region: 'sg',
      imageId: 'uimage-sg1',
      state: 'Unavailable',
      outcome: 'failed',
      problem,
    });
    const promotion = aPromotion({ status: 'partial', copies: [aCopy(), failed] });
    const warning = { message: 'Only the system disk is copied.', advice: 'Mind the data disks.' };
    const markdown = summaryOf(promotion, [warning, { ...warning }]);
    await check(promotion, markdown);
    expect(markdown).toMatch(/^## ⚠️ web-1\.4\.2 is Available in 1 of 2 regions\n/);
    expect(markdown).toContain(
      '### What went wrong\n\n- sg: the copy uimage-sg1 ended Unavailable.\n  - **What to do:** Delete it and run again.',
    );
    expect(markdown.split('Only the system disk')).toHaveLength(2);
    expect((await tasksOf(parse(markdown))).map(({ section }) => section)).toEqual(['Copied', 'Failed']);
    const block = all(parse(markdown), 'code').find(({ lang }) => lang === 'json');
    expect(JSON.parse(block?.value ?? '')).toEqual({ hk: 'uimage-hk1' });
  });

  it('of a timeout or a cancel shows what is still under way, until now', async () => {
    const open = aCopy({ state: 'Copying', finishedAt: null });
    const problems = [
      { message: 'Cancelled while 1 copy was under way.', advice: 'Run again: it is adopted.' },
    ];
    const promotion = aPromotion({ status: 'failed', copies: [open], problems });
    const markdown = summaryOf(promotion);
    await check(promotion, markdown);
    expect(markdown).toMatch(/^## ❌ web-1\.4\.2 is not Available in hk\n/);
    expect(rowsOf(parse(markdown))[1]).toEqual([
      'hk',
      'uimage-hk1',
      'Copying',
      '⏳ copied',
      '1h 00m so far',
      'task-hk1',
    ]);
    expect(await tasksOf(parse(markdown))).toMatchObject([{ end: NOW, section: 'Under way' }]);
    expect(markdown).toContain('Run again: it is adopted.');
  });

  it('of a roll-back shows what was deleted', async () => {
    const gone = aCopy({ state: 'Deleted', finishedAt: null });
    const promotion = aPromotion({
      status: 'failed',
      copies: [gone],
      problems: [{ message: 'Cancelled.', advice: '' }],
    });
    const markdown = summaryOf(promotion);
    await check(promotion, markdown);
    expect(markdown).toMatch(/^## ❌ .* was deleted again\n/);
    expect(rowsOf(parse(markdown))[1]?.slice(2, 5)).toEqual(['Deleted', '🗑️ copied', '1h 00m']);
    expect(await tasksOf(parse(markdown))).toMatchObject([{ section: 'Deleted' }]);
    expect(markdown).not.toContain('Terraform');
    expect(markdown).not.toContain('What to do');
  });

  it('of a failed check lists the problems', async () => {
    const problems = [
      { message: 'target-regions: there is no region hkk.', advice: 'Did you mean hk?' },
      { message: 'target-project-id: there is no project org-x.', advice: 'There are org-a and org-b.' },
    ];
    const promotion = aPromotion({ status: 'failed', source: null, copies: [], problems });
    const markdown = summaryOf(promotion);
    await check(promotion, markdown);
    expect(markdown).toMatch(/^## ❌ The image was not copied\n/);
    for (const { message, advice } of problems) {
      expect(markdown).toContain(message);
      expect(markdown).toContain(advice);
    }
  });

  it('of a dry run is the plan, region by region', async () => {
    const planned = {
      state: null,
      outcome: 'planned',
      created: false,
      taskId: null,
      startedAt: null,
      finishedAt: null,
    } as const;
    const promotion = aPromotion({
      status: 'planned',
      copies: [
        aCopy({ ...planned, imageId: null }),
        aCopy({
          ...planned,
          region: 'sg',
          plan: 'adopt',
          imageId: 'uimage-sg1',
          why: 'this copy of the source is there, Available',
        }),
      ],
    });
    const markdown = summaryOf(promotion);
    await check(promotion, markdown);
    expect(markdown).toMatch(/^## 📝 Dry run: web-1\.4\.2 would be copied to hk and adopted in sg\n/);
    expect(rowsOf(parse(markdown))).toEqual([
      ['Region', 'Would', 'Why', 'Name', 'Image id'],
      ['hk', 'copy', 'no copy of this source is there', 'web-1.4.2', '–'],
      ['sg', 'adopt', 'this copy of the source is there, Available', 'web-1.4.2', 'uimage-sg1'],
    ]);
    expect(markdown).not.toContain('Terraform');
  });

  it('of copies that are not waited for says so', () => {
    const promotion = aPromotion({
      status: 'copying',
      copies: manyCopies(3, () => ({ state: 'Copying', finishedAt: null })),
    });
    expect(summaryOf(promotion)).toMatch(/^## ⏳ web-1\.4\.2 is being copied to 3 regions\n/);
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
      const long = unit.repeat(20_000);
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
      const rows = rowsOf(parse(markdown));
      expect(rows).toHaveLength(41);
      expect(new Set(rows.map((row) => row.length))).toEqual(new Set([6]));
      expect(rows[40]?.[0]).toMatch(/^region-39 /);
      expect(markdown).toContain("The step's outputs hold every id in full.");
    },
  );

  it('drops nothing for 40 ordinary regions', async () => {
    const promotion = aPromotion({ copies: manyCopies(40) });
    const markdown = summaryOf(promotion);
    await check(promotion, markdown);
    expect(markdown).toContain('"region-39" = "uimage-39"');
    expect(markdown).not.toContain('left out');
  });

  it('keeps every row of 1000 regions under 1 MiB', () => {
    const long = '🚀'.repeat(100);
    const promotion = aPromotion({
      copies: manyCopies(1000, () => ({ name: long, imageId: long, state: long, taskId: long })),
    });
    const markdown = summaryOf(promotion);
    expect(Buffer.byteLength(markdown)).toBeLessThan(1024 * 1024);
    expect(markdown.match(/^\| `region-/gm)).toHaveLength(1000);
  });
});
