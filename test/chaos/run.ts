import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { play } from './play.ts';
import { type Found, type Kind, schedules, search, shortened, survey, tell } from './search.ts';
import { story } from './story.ts';

/**
 * node test/chaos/run.ts [--schedules 10000] [--seed N] [--shrinking ms]
 * With --survey it goes on after a broken promise and counts each kind; --seed N --nth K, or --schedule JSON, plays one
 * schedule and tells its story. Exit code 1 when a promise is broken.
 */

interface Job {
  seed: number;
  runs: number;
  shrinking: number;
  survey: boolean;
  /** The number of the schedule that is being played. */
  at: SharedArrayBuffer;
}

type Surveyed = [string, Kind][];

/** Milliseconds that one schedule may take. */
const STUCK = 60_000;

function inWorker<T extends Found | Surveyed>(job: Omit<Job, 'at'>): Promise<T> {
  const at = new SharedArrayBuffer(4);
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { ...job, at } });
    let last = -1;
    // A loop that never sleeps stops the thread, so it is watched from outside.
    const watch = setInterval(() => {
      const now = Atomics.load(new Int32Array(at), 0);
      if (now === last) {
        void worker.terminate();
        reject(new Error(`Seed ${job.seed}: schedule ${now} does not end.`));
      }
      last = now;
    }, STUCK + job.shrinking);
    worker.once('exit', () => clearInterval(watch));
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function command(): Promise<void> {
  const { values } = parseArgs({
    options: {
      schedules: { type: 'string', default: '10000' },
      seed: { type: 'string' },
      shrinking: { type: 'string', default: '20000' },
      schedule: { type: 'string' },
      nth: { type: 'string' },
      survey: { type: 'boolean', default: false },
    },
  });
  if (values.schedule || values.nth) {
    const one = values.schedule
      ? JSON.parse(values.schedule)
      : schedules(Number(values.seed), Number(values.nth)).at(-1);
    const { log, violations } = await play(one);
    console.log([story(one), ...shortened(log)].join('\n'));
    process.exitCode = violations.length > 0 ? 1 : 0;
    return;
  }
  const runs = Number(values.schedules);
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : Number(values.seed);
  if (values.survey) {
    const job = { seed, runs, shrinking: 0, survey: true };
    const broken = await inWorker<Surveyed>(job);
    console.log(
      `${runs} schedules, seed ${seed}. Broken promises: in how many, the first of them, one in words:`,
    );
    for (const [kind, { at, example }] of broken.sort(([, a], [, b]) => b.at.length - a.at.length))
      console.log(
        `${String(at.length).padStart(7)}  ${kind}  [${at.slice(0, 6).join(', ')}]\n         ${example.slice(0, 300)}`,
      );
    process.exitCode = broken.length > 0 ? 1 : 0;
    return;
  }
  const workers = Math.min(availableParallelism(), Math.ceil(runs / 100));
  const began = Date.now();
  console.log(`Playing ${runs} schedules, seed ${seed}, on ${workers} threads.`);
  const found = await Promise.all(
    Array.from({ length: workers }, (_, index) =>
      inWorker<Found>({
        seed: seed + index,
        runs: Math.ceil((runs - index) / workers),
        shrinking: Number(values.shrinking),
        survey: false,
      }),
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
  const job = workerData as Job;
  const at = new Int32Array(job.at);
  const count = () => Atomics.add(at, 0, 1);
  const done = job.survey
    ? [...(await survey(job.seed, job.runs, count))]
    : await search(job.seed, job.runs, job.shrinking, count);
  parentPort?.postMessage(done);
}
