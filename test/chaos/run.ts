import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { play } from './play.ts';
import { type Found, search, tell } from './search.ts';

/**
 * node test/chaos/run.ts [--runs 10000] [--seed N] [--shrinking ms] [--schedule JSON]
 * Exit code 1 when a promise is broken.
 */

function inWorker(seed: number, runs: number, shrinking: number): Promise<Found> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { seed, runs, shrinking } });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function command(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '10000' },
      seed: { type: 'string' },
      shrinking: { type: 'string', default: '20000' },
      schedule: { type: 'string' },
    },
  });
  if (values.schedule) {
    const { log, violations } = await play(JSON.parse(values.schedule));
    console.log(log.join('\n'));
    process.exitCode = violations.length > 0 ? 1 : 0;
    return;
  }
  const runs = Number(values.runs);
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : Number(values.seed);
  const workers = Math.min(availableParallelism(), Math.ceil(runs / 100));
  const began = Date.now();
  console.log(`Playing ${runs} schedules, seed ${seed}, on ${workers} threads.`);
  const found = await Promise.all(
    Array.from({ length: workers }, (_, index) =>
      inWorker(seed + index, Math.ceil((runs - index) / workers), Number(values.shrinking)),
    ),
  );
  const struck = new Map<string, number>();
  for (const one of found)
    for (const [kind, count] of one.struck) struck.set(kind, (struck.get(kind) ?? 0) + count);
  console.log('Schedules in which it really happened:');
  for (const [kind, count] of [...struck].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${String(count).padStart(7)}  ${kind}`);
  const broken = found.filter(({ failure }) => failure);
  for (const one of broken) console.log(`\n${tell(one)}`);
  const played = found.reduce((sum, one) => sum + one.runs, 0);
  console.log(
    `\n${played} schedules played in ${Math.round((Date.now() - began) / 1000)} s, seed ${seed}, violations: ${broken.length}`,
  );
  process.exitCode = broken.length > 0 ? 1 : 0;
}

if (isMainThread) await command();
else {
  const { seed, runs, shrinking } = workerData as { seed: number; runs: number; shrinking: number };
  parentPort?.postMessage(await search(seed, runs, shrinking));
}
