import { expect, it } from 'vitest';
import type { Condition } from '../../src/verify/judge.ts';
import { verifyHeadline } from '../../src/verify/page.ts';
import type { Target, Verification } from '../../src/verify/verify.ts';

/** `broken` is to be deleted, `broken!` is the source itself. */
function target(word: string, index: number): Target {
  const condition = word.replace('!', '') as Condition;
  return {
    region: `r${index}`,
    projectId: 'org-1',
    name: 'web',
    optional: false,
    imageId: `uimage-${index}`,
    state: null,
    condition,
    problem: null,
    warnings: [],
    isUseless: /^(broken|different)$/.test(word),
  };
}

it.each([
  ['available', ''],
  ['available missing', 'run the promotion of this source: it keeps what is sound and copies the rest.'],
  [
    'available copying',
    'wait for the copies under way, then run it again; or run the promotion, which waits for them.',
  ],
  ['missing copying', 'run the promotion of this source: it keeps what is sound and copies the rest.'],
  ['available unread', 'run it again in a few minutes.'],
  ['broken!', 'do what is said below.'],
  [
    'broken missing different',
    'delete uimage-0 (r0), uimage-2 (r2), then run the promotion of this source: it keeps what is sound and copies the rest.',
  ],
  [
    'broken broken broken broken broken',
    'delete uimage-0 (r0), uimage-1 (r1), uimage-2 (r2) and 2 more, then run the promotion of this source: it keeps what is sound and copies the rest.',
  ],
])('of %s the next step is as the rows say', (words, next) => {
  const targets = words.split(' ').map(target);
  const verification: Verification = {
    status: 'incomplete',
    source: null,
    targets,
    extra: [],
    ended: 'complete',
    problems: [],
  };
  expect(verifyHeadline(verification, String).next).toBe(next);
});
