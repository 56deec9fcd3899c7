import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cell, code, fenced, ganttTask, json, logLine, logLines, oneLine, prose } from '../../src/text.ts';
import { HOSTILE } from './hostile.ts';
import { texts } from './promotions.ts';

describe('oneLine', () => {
  it.each([
    ['镜像 ubuntu-24.04[x]:1', '镜像 ubuntu-24.04[x]:1'],
    ['a\r\n\tb\u2028c', 'a b c'],
    ['\u001b[31mred', '␛[31mred'],
    ['a\u0000b\u007f', 'a␀b␡'],
    ['gnp\u202egpj', 'gnp�gpj'],
    ['we\u200bb', 'we�b'],
    ['\ud800', '�'],
    ['✔️', '✔️'],
    ['  ', ''],
  ])('shows %j as %j', (text, line) => {
    expect(oneLine(text)).toBe(line);
  });

  it('has at most the characters asked for, none hidden, and changes nothing the second time', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 50 }), (text, max) => {
        const line = oneLine(text, max);
        expect(Array.from(line).length).toBeLessThanOrEqual(max);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        expect(oneLine(line, max)).toBe(line);
      }),
    );
  });

  it('says that it cut', () => {
    expect(oneLine('abcdef', 4)).toBe('abc…');
    expect(oneLine(`${' '.repeat(10_000)}x`, 10)).toBe('…');
    expect(oneLine('🚀🚀🚀', 2)).toBe('🚀…');
  });
});

describe('logLine', () => {
  it.each([
    ['::error::x', ': :error: :x'],
    ['no connection to [::1]:443', 'no connection to [::1]:443'],
    [':::::', ': : : : :'],
    ['a ##[group]b', 'a # #[group]b'],
    ['###[x]', '# # #[x]'],
    ['region:hk https://a.b/#c', 'region:hk https://a.b/#c'],
  ])('defuses %j', (text, line) => {
    expect(logLine(text)).toBe(line);
  });
});

describe('prose', () => {
  it.each([
    ['hk: no copy is there (yet), 40 GB - "soon"!', 'hk: no copy is there (yet), 40 GB - "soon"!'],
    ['See https://a.b/c_d.', 'See `https://a.b/c_d`.'],
    ['ask @octocat, #12 or www.a.b', 'ask `@octocat`, `#12` or `www.a.b`'],
    ['- 1. > #', '`-` 1. `>` `#`'],
    ['2. two', '`2.` two'],
    ['=== a', '`===` a'],
    ['(id d2f0b8c6-1234)', '(id `d2f0b8c6-1234`)'],
    ['a`b', '``a`b``'],
    [':+1: 镜像', '`:+1`: 镜像'],
  ])('writes %j as %j', (text, markdown) => {
    expect(prose(text)).toBe(markdown);
  });
});

describe('code', () => {
  it.each([
    ['', ''],
    ['uimage-1', '`uimage-1`'],
    ['`', '`` ` ``'],
    ['a``b', '```a``b```'],
  ])('writes %j as %j', (text, markdown) => {
    expect(code(text)).toBe(markdown);
  });

  it('escapes pipes in a cell, also behind backslashes', () => {
    expect(cell(code('a|b'))).toBe('`a\\|b`');
    expect(cell(code('a\\|b\\'))).toBe('`a＼\\|b\\`');
  });
});

describe('ganttTask', () => {
  it('keeps a name readable and free of syntax', () => {
    expect(ganttTask('✓', 'hk web:1;#2%%{<b>},x')).toBe('✓ hk web：1；＃2％％｛＜b＞｝,x');
  });
});

describe('fenced', () => {
  it('has a fence longer than any in the body, however long', () => {
    expect(fenced('json', 'a')).toBe('```json\na\n```');
    expect(fenced('', '```` x')).toBe('`````\n```` x\n`````');
    expect(fenced('', '` '.repeat(500_000))).toMatch(/^```\n/);
  });
});

describe('json', () => {
  it('is the value, with nothing hidden in it', () => {
    fc.assert(
      fc.property(fc.dictionary(texts, texts), (value) => {
        const text = json(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
    expect(json(['\u202e', '\u{e0041}'])).toBe('[\n  "\\u202e",\n  "\\udb40\\udc41"\n]');
  });
});

describe('logLines', () => {
  it('keeps columns, wraps at words behind an indent, and cuts only a word that fills a line', () => {
    expect(logLines('hk   uimage-1', '  ')).toEqual(['hk   uimage-1']);
    const [first, second, ...more] = logLines(`✗ ${'word '.repeat(60)}`, '    ');
    expect([first?.length, second?.slice(0, 9), more]).toEqual([186, '    word ', []]);
    expect(logLines('x'.repeat(450)).map((line) => line.length)).toEqual([190, 190, 70]);
    expect(logLines('🚀'.repeat(150)).join('')).toBe('🚀'.repeat(150));
  });

  it('is lines of at most 190 characters without a command or a hidden character', () => {
    fc.assert(
      fc.property(texts, texts, (one, two) => {
        for (const line of logLines(`${one}  ${two.repeat(20)}`, '  ')) {
          expect(line.length).toBeLessThanOrEqual(190);
          expect(line).not.toMatch(/::|##|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        }
      }),
    );
  });
});

describe('every function', () => {
  it('is total, and quick on long texts', () => {
    for (const text of [...HOSTILE, 'x\n'.repeat(500_000), '"'.repeat(1_000_000), '('.repeat(1_000_000)]) {
      const before = process.cpuUsage();
      for (const make of [oneLine, logLine, prose, code, json, (one: string) => ganttTask('✓', one)]) {
        expect(make(text)).toBeTypeOf('string');
      }
      // Of the processor: others may keep it busy.
      expect(process.cpuUsage(before).user).toBeLessThan(3_000_000);
    }
  });
});
