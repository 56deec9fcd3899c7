import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Mark, readMark, withMark } from '../../src/promotion/mark.ts';

const ours: Mark = { region: 'cn-bj2', imageId: 'uimage-abc123', run: '8123456789-1-k3f9za' };
const theirs: Mark = { region: 'hk', imageId: 'uimage-old', run: '1-1-aaaaaa' };

const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,20}$/);
const marks = fc.record({ region: word, imageId: word, run: word });
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
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

  it('leaves the text before it as it was, unicode included', () => {
    expect(withMark('夜间构建 🚀, «nginx»', ours)).toBe(
      '夜间构建 🚀, «nginx» [copy of cn-bj2/uimage-abc123 by 8123456789-1-k3f9za]',
    );
    fc.assert(
      fc.property(texts, marks, (text, mark) => {
        if (readMark(text) === null) expect(withMark(text, mark).startsWith(text.trim())).toBe(true);
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
    expect(marked).toBe('moved to the front and back [copy of cn-bj2/uimage-abc123 by new]');
  });

  it('is not read from a description that the site has cut, at whatever length', () => {
    const whole = withMark('web server', ours);
    for (let length = 0; length < whole.length; length++) expect(readMark(whole.slice(0, length))).toBeNull();
    expect(readMark(whole)).toEqual(ours);
  });

  it('counts when words were put behind it, the last one of several', () => {
    expect(readMark(`${withMark('a', theirs)} ${withMark('b', ours)} - do not delete`)).toEqual(ours);
  });

  it.each([
    undefined,
    '',
    'a copy of cn-bj2/uimage-abc123 by hand',
    '[copy of cn-bj2 by run]',
    '[copy of /uimage-abc123 by run]',
    '[copy of cn-bj2/ by run]',
    '[copy of cn-bj2/uimage-abc123 by ]',
    '[copy of cn-bj2/uimage-abc123]',
    '[copy of cn-bj2/uimage abc123 by run]',
    '[copy of cn-bj2/a/b by run]',
    '[Copy of cn-bj2/uimage-abc123 by run]',
    '(copy of cn-bj2/uimage-abc123 by run)',
  ])('is not seen in %j', (description) => {
    expect(readMark(description)).toBeNull();
  });

  it('is short', () => {
    expect(withMark('', ours).length).toBeLessThan(80);
  });
});
