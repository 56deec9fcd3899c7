import { expect, it } from 'vitest';
import { boolean, compact, id, number, record, records, text, texts } from '../../src/cloud/parse.ts';

const LONG = '123456789012345';

it.each<[unknown, number | undefined]>([
  [0, 0],
  [-1.5, -1.5],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  ['0', 0],
  ['-42', -42],
  ['1.25', 1.25],
  [LONG, 123_456_789_012_345],
  [`${LONG}6`, undefined],
  [`0.${LONG}`, 0.123456789012345],
  [`0.${LONG}6`, undefined],
  ['', undefined],
  ['.5', undefined],
  ['5.', undefined],
  ['1.x', undefined],
  ['1e3', undefined],
  ['a1', undefined],
  ['1a', undefined],
  [' 1', undefined],
  ['1\n', undefined],
  [true, undefined],
  [null, undefined],
  [['5'], undefined],
  [{}, undefined],
])('reads %j as the number %j', (value, expected) => {
  expect(number(value)).toBe(expected);
});

it.each<[unknown, string | undefined]>([
  ['a', 'a'],
  ['', undefined],
  [7, '7'],
  [0, '0'],
  [Number.NaN, undefined],
  [Number.NEGATIVE_INFINITY, undefined],
  [true, undefined],
  [null, undefined],
  [['a'], undefined],
])('reads %j as the text %j', (value, expected) => {
  expect(text(value)).toBe(expected);
});

it.each<[unknown, boolean | undefined]>([
  [true, true],
  ['true', true],
  [false, false],
  ['false', false],
  ['', undefined],
  ['TRUE', undefined],
  [1, undefined],
  [0, undefined],
  [null, undefined],
])('reads %j as the truth value %j', (value, expected) => {
  expect(boolean(value)).toBe(expected);
});

it('reads objects and lists, and nothing else as one', () => {
  expect(record({ a: 1 })).toEqual({ a: 1 });
  for (const other of [null, undefined, [], 'a', 1]) expect(record(other)).toBeUndefined();
  expect(texts(['a', 1, '', null, {}])).toEqual(['a', '1']);
  expect(records([{ a: 1 }, [], null, 'a', {}])).toEqual([{ a: 1 }, {}]);
  for (const other of [null, undefined, {}, 'ab', { length: 1 }]) {
    expect(texts(other)).toBeUndefined();
    expect(records(other)).toBeUndefined();
  }
});

it('cuts what is longer than anything of the API, and is quick with it', () => {
  expect(text('x'.repeat(2_000))).toHaveLength(2_000);
  expect(text(` ${'x'.repeat(1e6)}`)).toBe(` ${'x'.repeat(1_999)}`);
  expect(text('\ud83d\ude00'.repeat(1_001))).toHaveLength(2_000);
  expect(id('x'.repeat(1e6))).toBeUndefined();
  expect(number('1'.repeat(1e6))).toBeUndefined();
  expect(texts(Array(1_000).fill('a'))).toHaveLength(100);
});

it('leaves out what is undefined, and only that', () => {
  const found = compact<{ a?: unknown; b?: unknown; c?: unknown; d?: unknown }>({
    a: undefined,
    b: null,
    c: '',
    d: 0,
  });
  expect(Object.keys(found)).toEqual(['b', 'c', 'd']);
});

it.each<[unknown, string | undefined]>([
  ['uimage-abc123', 'uimage-abc123'],
  ['Task_1.2-3', 'Task_1.2-3'],
  ['7f.x', '7f.x'],
  ['-rf', undefined],
  ['.hidden', undefined],
  ['_x', undefined],
  ['../../etc', undefined],
  ['::stop-commands::x', undefined],
  [42, '42'],
  ['x'.repeat(128), 'x'.repeat(128)],
  ['x'.repeat(129), undefined],
  ['', undefined],
  ['uimage-1\nuimage-2', undefined],
  ['uimage-1\n', undefined],
  ['$(reboot)', undefined],
  ['a;b', undefined],
  ['a b', undefined],
  ['`id`', undefined],
  [null, undefined],
])('the id %j is %j: it may reach a shell', (value, read) => {
  expect(id(value)).toBe(read);
});
