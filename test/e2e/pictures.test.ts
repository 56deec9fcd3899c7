/**
 * The pictures of the README are made by hand (`npm run preview`), each from the text that is kept beside it. A line of
 * it that a run does not print any more means: make them anew.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { demoRun, withoutChance } from '../../scripts/preview/run.ts';

test('each line in docs/log.png and docs/summary.png is printed today', async () => {
  const run = await demoRun();
  for (const [name, printed] of [
    ['log', run.log],
    ['summary', run.summary],
  ] as const) {
    const text = readFileSync(new URL(`../../docs/${name}.txt`, import.meta.url), 'utf8');
    const lines = (all: string) =>
      withoutChance(all)
        .split('\n')
        .filter((line) => line !== '');
    expect(lines(text).length).toBeGreaterThan(10);
    for (const line of lines(text)) expect(lines(printed), `docs/${name}.txt`).toContain(line);
  }
});
