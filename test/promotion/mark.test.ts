import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Mark, readMark, withMark } from '../../src/promotion/mark.ts';
import { anyCharacter } from '../any-character.ts';

const ours: Mark = { region: 'cn-bj2', imageId: 'uimage-abc123', run: '8123456789-1-k3f9za' };
const theirs: Mark = { region: 'hk', imageId: 'uimage-old', run: '1-1-aaaaaa' };

const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,20}$/);
const runs = fc.stringMatching(/^([0-9]{1,12}-[0-9]{1,3}|local)-[a-z0-9]{6}$/);
const marks = fc.record({ region: word, imageId: word, run: runs });
const texts = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 60 }),
  fc.string({ unit: fc.constantFrom(...'[]/ copyfb\n字🚀'), maxLength: 40 }),
);

describe('the mark', () => {
  it('is read back from any description it was put on', () => {
    fc.assert(
      fc.property(texts, marks, (text, mark) => {
        expect(readMark(withMark(text, mark))).toEqual(mark);
      }),
    );
  });

  it('comes first and leaves the text as it was, unicode included', () => {
    expect(withMark('夜间构建 🚀, «nginx»', ours)).toBe(
      '[copy of cn-bj2/uimage-abc123 by 8123456789-1-k3f9za] 夜间构建 🚀, «nginx»',
    );
    fc.assert(
      fc.property(texts, marks, (text, mark) => {
        if (readMark(text) === null) expect(withMark(text, mark).endsWith(text.trim())).toBe(true);
      }),
    );
  });

  it('stands alone where there is no description', () => {
    const alone = '[copy of cn-bj2/uimage-abc123 by 8123456789-1-k3f9za]';
    expect(withMark(undefined, ours)).toBe(alone);
    expect(withMark('  \n', ours)).toBe(alone);
  });

  it('is never doubled when a copy is itself copied', () => {
    const copied = withMark('web server', theirs);
    expect(withMark(copied, ours)).toBe(withMark('web server', ours));
    fc.assert(
      fc.property(texts, marks, marks, (text, first, second) => {
        const twice = withMark(withMark(text, first), second);
        if (readMark(text) === null) expect(twice).toBe(withMark(text, second));
        expect(readMark(twice)).toEqual(second);
      }),
    );
  });

  it('replaces every older mark, wherever somebody moved it', () => {
    const text = `${withMark('', theirs)} moved to the front ${withMark('', ours)} and back`;
    const marked = withMark(text, { ...ours, run: 'new' });
    expect(marked).toMatch(/^\[copy of cn-bj2\/uimage-abc123 by new\] moved to the front +and back$/);
  });

  it('outlives a cut of the description, unless that is shorter than the mark itself', () => {
    const whole = withMark('web server', ours);
    const { length } = withMark('', ours);
    expect(length).toBeLessThan(80);
    for (let cut = 0; cut < length; cut++) expect(readMark(whole.slice(0, cut))).toBeNull();
    for (let cut = length; cut <= whole.length; cut++) expect(readMark(whole.slice(0, cut))).toEqual(ours);
  });

  it('counts at the start alone, where the action writes it: the first one of several', () => {
    expect(readMark(` \n${withMark('a', theirs)} ${withMark('b', ours)}`)).toEqual(theirs);
    expect(readMark(`golden, do not delete ${withMark('a', theirs)}`)).toBeNull();
  });

  it('leaves 250 characters in all: the text is cut, between letters, and says so', () => {
    const fits = 250 - withMark('', ours).length - 1;
    expect(withMark('x'.repeat(fits), ours)).toHaveLength(250);
    expect(withMark('x'.repeat(fits), ours)).not.toContain('…');
    const cut = withMark('🚀'.repeat(fits + 1), ours);
    expect(Array.from(cut)).toHaveLength(250);
    expect(cut.endsWith(`${'🚀'.repeat(fits - 1)}…`)).toBe(true);
  });

  it.each([' ', '[', '[copy of ', '[copy of a/b by '])(
    'is looked for in a text of 300,000 %j in no time',
    (text) => {
      const long = text.repeat(300_000 / text.length);
      expect(readMark(long)).toBeNull();
      expect(readMark(withMark(long, ours))).toEqual(ours);
    },
  );

  it.each([
    undefined,
    '',
    'a copy of cn-bj2/uimage-abc123 by hand',
    '[copy of cn-bj2 by 77-1-abcdef]',
    '[copy of /uimage-abc123 by 77-1-abcdef]',
    '[copy of cn-bj2/ by 77-1-abcdef]',
    '[copy of cn-bj2/uimage-abc123 by ]',
    '[copy of cn-bj2/uimage-abc123]',
    '[copy of cn-bj2/uimage-abc123 by hand]',
    '[copy of cn-bj2/uimage-abc123 by Alice-2024-backup]',
    '[copy of cn-bj2/uimage-abc123 by 77-1-abcde]',
    '[copy of cn-bj2/uimage-abc123 by 77-1-ABCDEF]',
    '[copy of cn-bj2/uimage-abc123 by local-1-abcdef]',
    '[copy of cn-bj2/uimage abc123 by 77-1-abcdef]',
    '[copy of cn-bj2/a/b by 77-1-abcdef]',
    '[Copy of cn-bj2/uimage-abc123 by 77-1-abcdef]',
    '(copy of cn-bj2/uimage-abc123 by 77-1-abcdef)',
  ])('is not seen in %j', (description) => {
    expect(readMark(description)).toBeNull();
  });
});

describe('a signed mark', () => {
  const signer = { secret: 'hush', projectId: 'org-prod' };
  const signed = withMark('web', ours, signer);

  it('counts for the same secret and project, and for who asks for no signature', () => {
    expect(signed).toMatch(/^\[copy of cn-bj2\/uimage-abc123 by 8123456789-1-k3f9za sig [\w-]{16}\] web$/);
    expect([readMark(signed, signer), readMark(signed)]).toEqual([ours, ours]);
    expect(withMark(signed, { ...ours, run: 'new' }, signer).match(/copy of/g)).toHaveLength(1);
  });

  it.each([
    ['no signature', withMark('web', ours)],
    ['that of another secret', withMark('web', ours, { ...signer, secret: 'hushed' })],
    ['that of another project', withMark('web', ours, { ...signer, projectId: 'org-build' })],
    ['that of another image', signed.replace('abc123', 'abc124')],
    ['that of another region', signed.replace('cn-bj2', 'hk')],
    ['that of another run', signed.replace('k3f9za', 'k3f9zb')],
    [
      'one that is cut',
      signed
        .replace(/\] web/, '')
        .slice(0, -1)
        .concat('] web'),
    ],
  ])('does not count with %s', (_, description) => {
    expect(readMark(description)).not.toBeNull();
    expect(readMark(description, signer)).toBeNull();
  });
});
