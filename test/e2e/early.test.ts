/** A step that is ended in its first moments, as by a sibling that fails in a matrix: the post step never promotes. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { COPY, test } from './support.ts';

const POINTS = Array.from({ length: 60 }, (_, index) => (index + 1) * 5);

test.concurrent.for(POINTS)('%i ms after its start', async (ms, { stage }) => {
  for (const rollback of ['never', 'step', 'job']) {
    const it = await stage({ copySeconds: Number.POSITIVE_INFINITY });
    const { running, done } = it.start({ regions: ['hk', 'sg'], inputs: { rollback } });
    await delay(ms);
    if (ms % 10 === 0) running.kill();
    else running.signal('cancel');
    const { post } = await done;
    if (!post?.ran) throw new Error('The post step did not run.');
    // Counted by what it says too: a request of main may arrive when main has ended.
    expect(post.log).not.toMatch(/^▸ Plan/m);
    expect(it.sent(COPY).length).toBeLessThanOrEqual(1);
    if (rollback === 'never') expect(post.log.trim()).toBe('');
    else expect(it.copies).toEqual([]);
  }
});
