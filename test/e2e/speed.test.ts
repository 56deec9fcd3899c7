/** No time that is waited for nothing. How long a step takes, `npm run bench` measures. */
import { expect } from 'vitest';
import { COPY, test } from './support.ts';

const EIGHT = ['hk', 'sg', 'jpn-tky', 'kr-seoul', 'us-ca', 'ge-fra', 'uk-london', 'uae-dubai'];
const LATENCY = 2000;

test.concurrent('the first copy is sent after one round trip, in which everything is checked', async ({
  stage,
}) => {
  const it = await stage({ latencyMs: LATENCY });
  const run = await it.run({ regions: EIGHT, inputs: { wait: 'false' } });
  expect(run.outcome).toBe('success');
  const [copy, ...others] = it.sent(COPY);
  expect(others).toEqual([]);
  const answered = (it.cloud.requests[0]?.time ?? 0) + LATENCY;
  expect(copy?.time).toBeGreaterThanOrEqual(answered);
  const before = it.cloud.requests.slice(
    0,
    it.cloud.requests.findIndex(({ action }) => action === COPY),
  );
  for (const { action, time } of before) expect(time, action).toBeLessThan(answered);
});

test.concurrent('a step that need not wait does not sleep, nor does its post step, and neither stays', async ({
  stage,
}) => {
  const it = await stage();
  const inputs = { rollback: 'job', wait: 'false' };
  const run = await it.run({ regions: EIGHT, inputs, laterStepFails: true });
  expect(it.copies).toEqual([]);
  expect(run.post).toMatchObject({ ran: true, outcome: 'success' });
  expect(it.clock.ahead).toBeLessThan(1000);
  // What stays, stays for an idle connection: 4 s and more.
  const post = run.post?.ran ? run.post : run;
  expect(post.startedAt + post.durationMs - (it.cloud.requests.at(-1)?.time ?? 0)).toBeLessThan(3500);
});
