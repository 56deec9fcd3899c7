import { expect, test } from 'vitest';
import { search, tell } from './chaos.ts';

/** `npm run chaos:prune` plays as many as it is told. */
const RUNS = 100;

test(`${RUNS} random worlds: nothing is deleted that must stay, and what must go is gone`, async () => {
  const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 1e9));
  console.log(`CHAOS_SEED=${seed}`);
  const found = await search(seed, RUNS);
  expect(tell(found)).toBe('');
  expect(found.runs).toBe(RUNS);
  // The search would prove nothing if its faults did not strike.
  for (const kind of [
    'deleted',
    'delete: code',
    'delete: lost',
    'read: http',
    'list changed between pages',
    'somebody: rename',
    'somebody: delete',
    'kill',
    'cancel',
    'run without failure',
  ]) {
    expect(found.struck.get(kind) ?? 0, kind).toBeGreaterThan(0);
  }
});
