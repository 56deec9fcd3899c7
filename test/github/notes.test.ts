import fc from 'fast-check';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { gfm } from 'micromark-extension-gfm';
import { describe, expect, it } from 'vitest';
import { renderSection, withSection } from '../../src/github/notes.ts';
import type { Copy } from '../../src/promotion/model.ts';
import { anyCharacter } from '../any-character.ts';
import { HOSTILE } from '../words/hostile.ts';
import { promotion } from './promotion.ts';

const BEGIN = '<!-- copy-custom-image:begin -->';
const END = '<!-- copy-custom-image:end -->';
const section = renderSection(promotion({ hk: 'uimage-1', sg: 'uimage-2' }));
const other = renderSection(promotion({ hk: 'uimage-3' }));
const hostile = fc.oneof(
  fc.constantFrom(...HOSTILE, END, `\n${BEGIN}\n`, `\n${END}\n`),
  fc.string({ unit: anyCharacter, maxLength: 20 }),
);

describe('withSection', () => {
  it.each([
    ['', section],
    ['Notes', `Notes\n\n${section}`],
    ['Notes\n', `Notes\n\n${section}`],
    ['Notes\n\n', `Notes\n\n${section}`],
    ['Notes\r\n', `Notes\r\n\r\n${section.replaceAll('\n', '\r\n')}`],
    ['Notes\r\n\r\nmore', `Notes\r\n\r\nmore\r\n\r\n${section.replaceAll('\n', '\r\n')}`],
  ])('puts the section at the end of %j', (notes, expected) => {
    expect(withSection(notes, section)).toBe(expected);
  });

  it('replaces the section where it is, byte for byte around it', () => {
    const around = ['# v1 \t\n\nabove\n\n', '  \n\n\nbelow  '] as const;
    expect(withSection(around.join(section), other)).toBe(around.join(other));
  });

  it('takes over the line ends that an editor on the web gave to the notes', () => {
    const edited = `above\n\n${section}\n\nbelow\n`.replaceAll('\n', '\r\n');
    expect(withSection(edited, other)).toBe(`above\n\n${other}\n\nbelow\n`.replaceAll('\n', '\r\n'));
  });

  it.each([
    ['a begin without end', `above\n${BEGIN}\nkeep me\n`],
    ['an end without begin', `keep me\n${END}\nbelow`],
    ['an end before a begin', `keep me\n${END}\nand me\n${BEGIN}\nand me`],
    ['two begins', `${BEGIN}\n${BEGIN}\nkeep me`],
    ['markers inside a line', `write ${BEGIN} and then ${END} around it`],
    ['markers in code', `\`${BEGIN}\`\nkeep me\n\`${END}\``],
    ['markers that begin a line of prose', `${BEGIN} and\nkeep me\n${END} too`],
    ['an indented pair', `    ${BEGIN}\n    keep me\n    ${END}`],
    ['another tool’s markers', '<!-- begin -->\nkeep me\n<!-- end -->'],
  ])('eats nothing for %s', (_, notes) => {
    const once = withSection(notes, section);
    expect(once.startsWith(notes)).toBe(true);
    expect(once.endsWith(section)).toBe(true);
    expect(withSection(once, other)).toBe(once.replace(section, () => other));
  });

  it('keeps the text between a begin that lost its end and the section', () => {
    expect(withSection(`${BEGIN}\nkeep me\n\n${section}\nand me`, other)).toBe(
      `${BEGIN}\nkeep me\n\n${other}\nand me`,
    );
  });

  it('renews every section, so that a doubled one does not go stale', () => {
    const twice = withSection(`a\n${section}\nb\n${section}\nc`, other);
    expect(twice).toBe(`a\n${other}\nb\n${other}\nc`);
  });

  it('takes a section with $ signs as it is', () => {
    const dollars = section.replace('hk', () => "$& $1 $$ $' $`");
    expect(withSection(withSection('notes', section), dollars)).toBe(`notes\n\n${dollars}`);
  });

  const text = (...markers: string[]) =>
    fc
      .array(
        fc.oneof(
          fc.constantFrom('\n', '\r\n', '\r', ' ', '\t', '```', '$&', '\u2028', '<!--', '-->', ...markers),
          fc.string({ unit: anyCharacter, maxLength: 12 }),
        ),
        { maxLength: 12 },
      )
      .map((pieces) => pieces.join(''));
  const begins = [BEGIN, `\n${BEGIN}\n`];
  const ends = [END, `\n${END}\n`];
  const lf = (text: string) => text.replaceAll('\r\n', '\n');

  it('is idempotent and holds the section, whatever the notes', () => {
    const whatever = text(...begins, ...ends, section, `\n${other}\n`);
    fc.assert(
      fc.property(whatever, (notes) => {
        const once = withSection(notes, section);
        expect(lf(once)).toContain(section);
        expect(withSection(once, section)).toBe(once);
      }),
      { numRuns: 500 },
    );
  });

  it('replaces a section and leaves the rest byte for byte, whatever is around', () => {
    const before = fc.tuple(text(...begins), fc.constantFrom('\n', '\r\n')).map((parts) => parts.join(''));
    const after = fc
      .tuple(fc.constantFrom('\n', '\r\n', ' \t\n'), text(...ends))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        before,
        after,
        fc.constantFrom(section, section.replaceAll('\n', '\r\n')),
        (above, below, old) => {
          const result = withSection(above + old + below, other);
          expect(result.startsWith(above)).toBe(true);
          expect(result.endsWith(below)).toBe(true);
          expect(lf(result.slice(above.length, result.length - below.length))).toBe(other);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('adds a section behind the rest, byte for byte, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(text(...begins), text(...ends)), (notes) => {
        const result = withSection(notes, section);
        expect(result.startsWith(notes)).toBe(true);
        expect(lf(result.slice(notes.length)).trimStart()).toBe(section);
      }),
      { numRuns: 500 },
    );
  });
});

describe('renderSection', () => {
  const parse = (markdown: string) =>
    fromMarkdown(markdown, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
  type Node = { type: string; value?: string; children?: Node[] };
  const all = (node: Node, type: string): Node[] => [
    ...(node.type === type ? [node] : []),
    ...(node.children ?? []).flatMap((child) => all(child, type)),
  ];
  const words = (node: Node): string => node.value ?? (node.children ?? []).map(words).join('');

  it('is a table of the ids', () => {
    expect(section).toMatchInlineSnapshot(`
      "<!-- copy-custom-image:begin -->

      ### Custom images

      The ids of this release's images, made from \`uimage-source\`:

      | Region | Project | Image | Id | State |
      | --- | --- | --- | --- | --- |
      | \`hk\` | \`org-prod\` | web-1.4.2 | \`uimage-1\` | Available |
      | \`sg\` | \`org-prod\` | web-1.4.2 | \`uimage-2\` | Available |

      <!-- copy-custom-image:end -->"
    `);
  });

  it('names the regions without an image, and lists no id that a rollback deleted', () => {
    const { copies, ...rest } = promotion({ hk: 'uimage-1', sg: 'uimage-2', 'us-ca': 'uimage-3' });
    const [hk, sg, us] = copies as [Copy, Copy, Copy];
    const text = renderSection({
      ...rest,
      copies: [hk, { ...sg, outcome: 'failed' }, { ...us, state: 'Deleted' }],
    });
    expect(text).toContain('No image in `sg`, `us-ca`.');
    expect(text).not.toMatch(/uimage-[23]/);
  });

  function expectHarmless(rows: [string, string, string, string][]) {
    const [first] = promotion({ hk: 'uimage-1' }).copies as [Copy];
    const copies = rows.flatMap(([region, projectId, name, id]): Copy[] => {
      const copy = { ...first, region, projectId, name, imageId: `i${id}`, state: name };
      return [copy, { ...copy, outcome: 'failed' }];
    });
    const source = { ImageId: rows[0]?.[0] ?? '' };
    const notes = withSection(
      'above',
      renderSection({ ...promotion({}), status: 'partial', source, copies }),
    );
    const tree = parse(notes) as Node;
    const types = [
      'link',
      'image',
      'linkReference',
      'imageReference',
      'code',
      'blockquote',
      'list',
      'delete',
    ];
    for (const type of [...types, 'footnoteReference', 'footnoteDefinition', 'definition', 'thematicBreak']) {
      expect(all(tree, type)).toEqual([]);
    }
    expect(all(tree, 'html').map(words)).toEqual([BEGIN, END]);
    expect(all(tree, 'heading').map(words)).toEqual(['Custom images']);
    expect(all(tree, 'table')).toHaveLength(1);
    expect(all(tree, 'tableRow').map((row) => row.children?.length)).toEqual([5, ...rows.map(() => 5)]);
    expect(withSection(notes, section)).toBe(`above\n\n${section}`);
  }

  it('keeps hostile text in its cell: the corpus, in every field', () => {
    expectHarmless(HOSTILE.map((text) => [text, text, text, text]));
  });

  it('keeps hostile text in its cell, whatever it is', () => {
    const row = fc.tuple(hostile, hostile, hostile, hostile);
    fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), expectHarmless), { numRuns: 100 });
  });
});
