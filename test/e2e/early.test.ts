/**
 * A step that is ended in its first moments, as by a sibling that fails in a matrix: the post step never promotes.
 * EARLY=all plays every moment with every kind of rollback, else they take turns.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { COPY, test } from './support.ts';

const ROLLBACKS = ['never', 'step', 'job'];
const POINTS = Array.from({ length: 60 }, (_, index) => {
  const rollbacks = process.env.EARLY === 'all' ? ROLLBACKS : [ROLLBACKS[(index >> 1) % 3] as string];
  return rollbacks.map((rollback) => ({ ms: (index + 1) * 5, rollback, kill: index % 2 === 1 }));
}).flat();

test.concurrent.for(POINTS)('$ms ms after its start, rollback: $rollback', async (point, { stage }) => {
  const { ms, rollback, kill } = point;
  const it = await stage({ copySeconds: Number.POSITIVE_INFINITY });
  const { running, done } = it.start({ regions: ['hk', 'sg'], inputs: { rollback } });
  await delay(ms);
  if (kill) running.kill();
  else running.signal('cancel');
  const { post } = await done;
  if (!post?.ran) throw new Error('The post step did not run.');
  // Counted by what it says too: a request of main may arrive when main has ended.
  expect(post.log).not.toMatch(/^▸ Plan/m);
  expect(it.sent(COPY).length).toBeLessThanOrEqual(1);
  // Without a rollback it says at most that copies may exist.
  if (rollback === 'never') expect(post.log.trim()).toMatch(/^$|^Warning: This step was killed/);
  else expect(it.copies).toEqual([]);
});
