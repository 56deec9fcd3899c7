import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alone, anyAnswers, anyInputs, anyTraffic, type Case, everyField, KEYS } from './cases.ts';
import { type Heard, judge, Stage } from './play.ts';
import type { Mutation } from './site.ts';

let stage: Stage;
beforeAll(() => {
  stage = new Stage();
});
afterAll(() => stage.close());

/** The same few each time; `npm run fuzz` plays as many as it is told. */
const SEED = 20_260_101;
const sample = (cases: fc.Arbitrary<Case>, numRuns: number) => fc.sample(cases, { seed: SEED, numRuns });

it.each([
  [
    'a field of an answer is of any other kind',
    everyField()
      .map(alone)
      .filter((_, index) => index % 58 === 0),
  ],
  ['answers are anything', sample(anyAnswers, 75)],
  ['answers are anything, over real HTTP', sample(anyTraffic, 15)],
  ['inputs are anything', sample(anyInputs, 100)],
])('stays in order when %s', async (_, cases) => {
  let red = 0;
  for (const given of cases) {
    const { wrong, failed } = await stage.play(given);
    expect(wrong, JSON.stringify(given).slice(0, 2_000)).toEqual([]);
    if (failed) red++;
  }
  // Some go well and some do not, or nothing was tried.
  expect(red).toBeGreaterThan(cases.length / 20);
  expect(red).toBeLessThan(cases.length);
});

describe('the judge', () => {
  let heard: Heard;
  beforeAll(async () => {
    const given = { ...sample(anyInputs, 1)[0], env: alone({} as Mutation).env } as Case;
    const played = await stage.play(given);
    expect(played).toMatchObject({ wrong: [], failed: false });
    heard = played.heard;
  });
  const stack = '    at play (file:///srv/site.ts:12:34)\n';

  it.each<[string, (heard: Heard) => Partial<Heard>, string]>([
    ['a stack', ({ out }) => ({ out: out + stack }), 'a stack in the printed text'],
    ['a stack inside a command', ({ out }) => ({ out: `${out}::error::x%0A${stack}` }), 'a stack in the log'],
    ['a stack in the summary', ({ summary }) => ({ summary: summary + stack }), 'a stack in the summary'],
    ['a defect', ({ out }) => ({ out: `${out}The action itself failed: x.\n` }), 'a defect in the log'],
    ['a foreign error', ({ out }) => ({ out: `${out}::error::owned\n` }), '0 errors were told'],
    ['a foreign mask', ({ out }) => ({ out: `${out}::add-mask::owned\n` }), 'masks that nobody meant'],
    [
      'an old command',
      ({ out }) => ({ out: `${out}::set-env name=PATH::x\n` }),
      'commands that nobody meant',
    ],
    ['a line too few', ({ out }) => ({ out: out.replace(/^[^:\r\n].*\r?\n/m, '') }), 'a runner sees'],
    ['a secret', ({ out }) => ({ out: `${out}${KEYS['INPUT_PRIVATE-KEY']}\n` }), 'a secret is told'],
    ['anything on stderr', () => ({ err: '(node:1) Warning' }), 'on stderr'],
    ['a huge summary', () => ({ summary: 'x'.repeat(2 ** 20 + 1) }), 'larger than a runner takes'],
    ['a broken output', ({ output }) => ({ output: `${output}a<<b\n` }), 'outputs that a runner cannot read'],
    ['a foreign output', ({ output }) => ({ output: `${output}evil=1\n` }), 'outputs: '],
  ])('tells %s', (_, spoil, word) => {
    expect(judge({ ...heard, ...spoil(heard) }).join('\n')).toContain(word);
  });
});
