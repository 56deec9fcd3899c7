import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const files = globSync(
  [
    'src/**/*.ts',
    '*.md',
    'docs/*.md',
    '*action.yml',
    '{verify,prune}/action.yml',
    '.github/workflows/promote*.yml',
  ],
  { cwd: root },
).filter((file) => file !== 'CHANGELOG.md');

/** Sentences that once were said, each with what is better about the one that took its place. */
const LEFT_BEHIND: [RegExp, string][] = [
  [/nothing was sent/i, 'name the actor: no request was sent'],
  [/what is no (?:region|id)/i, 'say what it is not: "…" is not a region id'],
  [/exclude each other/i, 'say what to set'],
  [/copy of (?:the|this) source is there/i, 'reuse, exists, not there yet'],
  [/is Available but is not its source/i, 'does not match the source'],
  [/these keys see no/i, 'does not exist, or these keys may not see it'],
  [/keeps? no mark in/i, 'this API endpoint drops image descriptions'],
  [/\bmend what failed/i, 'fix the failed region'],
  [/post step of this action rolls back/i, 'the "Post" step of this job will delete'],
];

it.each(LEFT_BEHIND)('nobody says %s any more: %s', (words) => {
  const said = files.filter((file) => words.test(readFileSync(resolve(root, file), 'utf8')));
  expect(files.length).toBeGreaterThan(50);
  expect(said).toEqual([]);
});
