/**
 * `npm run bench`: the action beside what users would take instead, and beside the floor, in one run on one emulator.
 * Writes docs/benchmarks.md, docs/notice.svg and docs/pace.svg, and prints what holds. `-- --scale` simulates a large
 * matrix instead and writes docs/scale.md and docs/scale.svg.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/cloud/clock.ts';
import { createCloud } from '../../src/cloud/index.ts';
import { promote } from '../../src/promotion/promote.ts';
import { type Emulator, startEmulator } from '../emulator/emulator.ts';
import { REGIONS } from '../emulator/regions.ts';
import { runAction } from '../runner/runner.ts';
import { chart } from './chart.ts';
import { type Comparison, compare, quantile, TRIP } from './notice.ts';
import { play, SCHEDULES, submitInSequence } from './peers.ts';

const RUNS = 5;
const STARTS = 41;
const LATENCY = 200;
const MEGABYTE = 1_000_000;

const root = join(import.meta.dirname, '../..');
const dist = join(root, 'dist');
const median = (values: readonly number[]) => quantile(values, 0.5);
const started = performance.now();

interface Row {
  what: string;
  ours: string;
  /** In the order of SCHEDULES. */
  peers: string[];
  floor: string;
}

const rows: Row[] = [];
const bars: { what: string; reached: string; holds: boolean }[] = [];

const NONE = SCHEDULES.map(() => '–');
const seconds = (value: number) => `${value.toFixed(value < 10 ? 2 : 1)} s`;
const times = (value: number) => `${value.toFixed(1)} ×`;
const percent = (part: number) => `${(100 * part).toFixed(1)} %`;

function bar(what: string, reached: string, holds: boolean): void {
  bars.push({ what, reached, holds });
}

/** Everything that earlier runs made, so that each run finds an empty target. */
function sweep(emulator: Emulator): void {
  for (const { imageId } of emulator.images(undefined, emulator.projects.target))
    emulator.deleteImage(imageId);
  emulator.requests.length = 0;
}

function targets(emulator: Emulator, count: number): string[] {
  return [...REGIONS.keys()].filter((region) => region !== emulator.region).slice(0, count);
}

async function submitOurs(emulator: Emulator, regions: string[]): Promise<number> {
  const { url, keys, region, sourceImageId, projects } = emulator;
  const cloud = createCloud({ url, ...keys, clock: systemClock, env: {}, userAgent: 'bench', onSecret() {} });
  try {
    const start = performance.now();
    const promotion = await promote({
      order: {
        source: { region, projectId: projects.source, imageId: sourceImageId },
        target: { projectId: projects.target, regions },
        extraParameters: {},
        ifExists: 'adopt',
        wait: false,
        timeout: 600_000,
        dryRun: false,
        run: '1-1-bench0',
      },
      cloud,
      clock: systemClock,
      report: () => undefined,
      signal: new AbortController().signal,
    });
    const took = (performance.now() - start) / 1000;
    if (promotion.status !== 'copying') throw new Error(`The submit ended as ${promotion.status}.`);
    return took;
  } finally {
    await cloud.close();
  }
}

/** Round trips from the first request to the first copy, and the most requests under way at once. */
function traffic({ requests }: Emulator): { trips: number; abreast: number } {
  const times = requests.map(({ time }) => time);
  const copy = requests.find(({ action }) => action === 'CopyCustomImage')?.time ?? Number.NaN;
  const under = (at: number) => times.filter((time) => time <= at && time > at - 0.9 * LATENCY).length;
  return { trips: (copy - Math.min(...times)) / LATENCY, abreast: Math.max(...times.map(under)) };
}

async function measureSubmit(emulator: Emulator): Promise<void> {
  const { copySeconds } = emulator.settings;
  emulator.settings.copySeconds = 600;
  for (const count of [1, 8, 33]) {
    for (const latency of [0, LATENCY]) {
      emulator.settings.latencyMs = latency;
      const regions = targets(emulator, count);
      const ours: number[] = [];
      const packer: number[] = [];
      const cli: number[] = [];
      const calls = () => {
        const copies = emulator.requests.filter(({ action }) => action === 'CopyCustomImage').length;
        return `${copies} + ${emulator.requests.length - copies}`;
      };
      const seen: ReturnType<typeof traffic>[] = [];
      let oursCalls = '';
      let packerCalls = '';
      for (let run = 0; run < RUNS; run++) {
        sweep(emulator);
        ours.push(await submitOurs(emulator, regions));
        oursCalls = calls();
        seen.push(traffic(emulator));
        sweep(emulator);
        const { reads, copies } = await submitInSequence(emulator, regions);
        packerCalls = calls();
        packer.push(reads + copies);
        cli.push(copies);
      }
      const ratio = median(packer) / median(ours);
      rows.push({
        what: `submit to ${count} region${count > 1 ? 's' : ''}, ${latency} ms: copy + read calls, time`,
        ours: `${oursCalls}, ${seconds(median(ours))}`,
        peers: [
          `${packerCalls}, ${seconds(median(packer))} (${times(ratio)})`,
          `${count} + 0, ${seconds(median(cli))} (${times(median(cli) / median(ours))})`,
          '–',
          '–',
        ],
        floor: `1 + 0, ${seconds(latency / 1000)}`,
      });
      if (latency === 0 || count === 1) continue;
      const trips = median(seen.map((one) => one.trips));
      const abreast = Math.max(...seen.map((one) => one.abreast));
      const most = count === 8 ? 1.6 : 4;
      bar(
        `${count} regions: the copy, one call, arrives at most ${most} round trips after the first request, with at most 12 under way`,
        `${trips.toFixed(2)}, ${abreast} under way, calls ${oursCalls}; one after another takes ${times(ratio)}`,
        trips <= most && abreast <= 12 && oursCalls.startsWith('1 +'),
      );
    }
  }
  Object.assign(emulator.settings, { latencyMs: 0, copySeconds });
}

async function measureNotice(): Promise<void> {
  const told = ({ late, polls }: Comparison, took: number) =>
    `${seconds(late)} (${percent(late / took)}), ${polls} polls`;
  for (const [name, took] of [
    ['30 s', 30],
    ['5 min', 300],
    ['40 min', 2_400],
  ] as const) {
    for (const count of [1, 8, 33]) {
      const regions = `${count} region${count > 1 ? 's' : ''}`;
      const runs = count === 33 ? 51 : 301;
      const { ours, peers } = await compare(took, { regions: count, fastest: 0.7, runs }, SCHEDULES);
      const alive = SCHEDULES.map(({ limit }) => limit >= took);
      rows.push({
        what: `notice the end, ${name}, ${regions}: late by, polls`,
        ours: told(ours, took),
        peers: SCHEDULES.map(({ limit }, index) =>
          alive[index] ? told(peers[index] as Comparison, took) : `gives up at ${limit / 60} min`,
        ),
        floor: `0 s, ${count} poll${count > 1 ? 's' : ''}`,
      });
      const [packer, cli] = peers as [Comparison, Comparison];
      const reads = ours.polls / took;
      if (count === 33) {
        bar(
          `${name}, ${regions}: noticed less than 10 s late, with at most 2.2 reads a second`,
          `${seconds(ours.late)}, ${reads.toFixed(2)} a second`,
          ours.late < 10 && reads <= 2.2,
        );
        continue;
      }
      const least = Math.min(packer.late, alive[1] ? cli.late : Number.POSITIVE_INFINITY);
      bar(
        `${name}, ${regions}: noticed sooner than by the Packer plugin and the CLI, with at most 1.5 times the plugin's polls`,
        `${seconds(ours.late)} against ${seconds(least)}; ${(ours.polls / packer.polls).toFixed(2)} times the polls`,
        ours.late < least && ours.polls <= 1.5 * packer.polls,
      );
    }
  }
}

/** Peak memory of a process, written at its exit; as a module in a URL, so that loading it costs next to nothing. */
function usage(file: string): string {
  const code = `import{writeFileSync as w}from'node:fs';process.on('exit',()=>w(${JSON.stringify(file)},String(process.resourceUsage().maxRSS)))`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

async function measureRun(emulator: Emulator): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const file = join(folder, 'usage');
  const memory = () => (Number(readFileSync(file, 'utf8')) * 1024) / MEGABYTE;
  const regions = targets(emulator, 8);
  const copySeconds = regions.map((_, index) => 5 + (3 * index) / 7);
  emulator.settings.byRegion = Object.fromEntries(
    regions.map((region, index) => [region, { copySeconds: copySeconds[index] as number }]),
  );
  const over: number[] = [];
  const end: number[] = [];
  const peak: number[] = [];
  const bare: number[] = [];
  try {
    for (let run = 0; run < RUNS; run++) {
      sweep(emulator);
      const result = await runAction({
        env: { ...emulator.env, NODE_OPTIONS: usage(file) },
        inputs: {
          'source-image-id': emulator.sourceImageId,
          'target-project-id': emulator.projects.target,
          'target-regions': regions.join(','),
        },
      });
      if (result.outcome !== 'success') throw new Error(`dist/ failed:\n${result.log}`);
      const submitted =
        emulator.requests.find(({ action }) => action === 'CopyCustomImage')?.time ?? Number.NaN;
      const ended = result.startedAt + result.durationMs;
      over.push((ended - submitted) / 1000 - Math.max(...copySeconds));
      end.push(ended - (emulator.requests.at(-1)?.time ?? Number.NaN));
      peak.push(memory());
      await spawned(join(import.meta.dirname, 'bare.js'), { NODE_OPTIONS: usage(file) });
      bare.push(memory());
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    emulator.settings.byRegion = {};
  }
  const longest = Math.max(...copySeconds);
  rows.push({
    what: `a whole run of dist/, 8 regions, copies of 5 to 8 s: time after the slowest copy`,
    ours: seconds(median(over)),
    peers: SCHEDULES.map((schedule) => seconds(play(schedule, copySeconds, 0).late)),
    floor: '0 s',
  });
  bar(
    `dist/ on 8 regions with copies of 5 to 8 s ends at most 1.2 s after the slowest (${longest} s)`,
    `${seconds(median(over))}, at worst ${seconds(Math.max(...over))}`,
    median(over) <= 1.2,
  );
  rows.push({
    what: 'end of the process after its last answer',
    ours: `${median(end).toFixed(0)} ms`,
    peers: NONE,
    floor: '0 ms',
  });
  bar('The process ends within 25 ms of its last answer', `${median(end).toFixed(0)} ms`, median(end) <= 25);
  rows.push({
    what: 'peak memory of that run, against bare Node',
    ours: `${median(peak).toFixed(0)} MB (${times(median(peak) / median(bare))})`,
    peers: NONE,
    floor: `${median(bare).toFixed(0)} MB`,
  });
  bar('Peak memory at most 80 MB', `${median(peak).toFixed(0)} MB`, median(peak) <= 80);
}

/** Runs a script to its end. Milliseconds from before it is started. */
async function spawned(script: string, env: Record<string, string>): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [script], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await once(child, 'exit');
  return performance.now() - start;
}

async function measureStart(emulator: Emulator): Promise<void> {
  const bare: number[] = [];
  const bareFirst: number[] = [];
  const wrong: number[] = [];
  const first: number[] = [];
  const node = join(import.meta.dirname, 'bare.js');
  const action = join(dist, 'index.js');
  const env = {
    ...emulator.env,
    'INPUT_SOURCE-IMAGE-ID': emulator.sourceImageId,
    'INPUT_TARGET-PROJECT-ID': emulator.projects.target,
    'INPUT_TARGET-REGIONS': 'hk',
    'INPUT_DRY-RUN': 'true',
  };
  const untilFirst = async (script: string, env: Record<string, string>) => {
    sweep(emulator);
    const start = Date.now();
    await spawned(script, env);
    return (emulator.requests[0]?.time ?? Number.NaN) - start;
  };
  for (let run = 0; run < STARTS; run++) {
    bare.push(await spawned(node, {}));
    wrong.push(await spawned(action, { INPUT_TIMEOUT: 'soon' }));
    bareFirst.push(await untilFirst(node, { BENCH_URL: emulator.url }));
    first.push(await untilFirst(action, env));
  }
  const ratios = [median(wrong) / median(bare), median(first) / median(bareFirst)] as const;
  const milliseconds = (values: number[]) => `${median(values).toFixed(0)} ms`;
  rows.push({
    what: 'cold start of dist/: read the inputs, find them wrong, end',
    ours: `${milliseconds(wrong)} (${ratios[0].toFixed(2)} ×)`,
    peers: NONE,
    floor: `${milliseconds(bare)} (Node, an empty program)`,
  });
  rows.push({
    what: 'cold start of dist/: until its first request arrives',
    ours: `${milliseconds(first)} (${ratios[1].toFixed(2)} ×)`,
    peers: NONE,
    floor: `${milliseconds(bareFirst)} (Node, a program that sends one)`,
  });
  bar(
    'The first request arrives within 1.8 times the time of a Node program that sends one',
    `${ratios[1].toFixed(2)} ×; with wrong inputs the end comes in ${ratios[0].toFixed(2)} × an empty program`,
    ratios[1] <= 1.8,
  );

  const size = readdirSync(dist)
    .filter((name) => name !== 'licenses.txt')
    .reduce((sum, name) => sum + statSync(join(dist, name)).size, 0);
  const entry = statSync(join(dist, 'bundle.js')).size;
  rows.push({
    what: 'dist/ without licences; its entry alone',
    ours: `${(size / MEGABYTE).toFixed(2)} MB; ${(entry / MEGABYTE).toFixed(2)} MB`,
    peers: NONE,
    floor: '–',
  });
  bar('Bundle at most 1.2 MB', `${(size / MEGABYTE).toFixed(2)} MB`, size <= 1.2 * MEGABYTE);
}

/** Lateness and polls over the time that a copy takes: the schedule beside its peers'. */
async function drawNotice(): Promise<void> {
  const lengths = Array.from({ length: 25 }, (_, index) => 10 * 720 ** (index / 24));
  const found: Awaited<ReturnType<typeof compare>>[] = [];
  for (const length of lengths) found.push(await compare(length, { runs: 41 }, SCHEDULES));
  const names = ['this action', ...SCHEDULES.map(({ name }) => name)];
  const lines = (pick: (one: Comparison, length: number) => number) =>
    names.map((name, line) => ({
      name,
      points: lengths.flatMap((length, index): [number, number][] => {
        const { ours, peers } = found[index] as (typeof found)[number];
        if (line > 0 && (SCHEDULES[line - 1]?.limit ?? 0) < length) return [];
        return [[length, pick((line === 0 ? ours : peers[line - 1]) as Comparison, length)]];
      }),
    }));
  const ticks = {
    10: '10 s',
    30: '30 s',
    60: '1 min',
    300: '5 min',
    1200: '20 min',
    3600: '1 h',
    7200: '2 h',
  };
  const x = { label: 'time that the copy takes', ticks, log: true };
  const svg = chart('When the end of a copy is noticed, and how many polls that takes', [
    {
      title: 'late by, in % of the copy (median)',
      x,
      y: { ticks: { 0.03: '0.03', 0.1: '0.1', 0.3: '0.3', 1: '1', 3: '3', 10: '10', 30: '30' }, log: true },
      lines: lines(({ late }, length) => (100 * late) / length),
    },
    {
      title: 'polls (median)',
      x,
      y: {
        ticks: { 1: '1', 3: '3', 10: '10', 30: '30', 100: '100', 300: '300', 1000: '1,000', 3000: '3,000' },
        log: true,
      },
      lines: lines(({ polls }) => polls),
    },
  ]);
  writeFileSync(join(root, 'docs/notice.svg'), svg);
}

async function bench(): Promise<void> {
  const emulator = await startEmulator();
  try {
    await measureStart(emulator);
    await measureSubmit(emulator);
    await measureRun(emulator);
  } finally {
    await emulator.close();
  }
  await measureNotice();
  await drawNotice();

  writeFileSync(join(root, 'docs/pace.svg'), await drawPace());
  writeFileSync(join(root, 'docs/benchmarks.md'), page());
  for (const { what, reached, holds } of bars) console.log(`${holds ? 'yes' : 'NO '}  ${what}: ${reached}`);
  console.error(`\n${((performance.now() - started) / 1000).toFixed(0)} s. docs/benchmarks.md is written.`);
}

function page(): string {
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}, ${process.platform}`;
  const table = rows.map(
    ({ what, ours, peers, floor }) => `| ${what} | **${ours}** | ${peers.join(' | ')} | ${floor} |`,
  );
  return `# Benchmarks

The cloud's copy time is the floor. What the action adds to it, beside what you would use instead. In brackets: the ratio
to this action, in its own column to the floor; for what is noticed late, the share of the copy time. This page is
written by \`npm run bench\`, here on ${machine}. Medians of ${RUNS} runs or more.

| | this action | ${SCHEDULES.map(({ name }) => name).join(' | ')} | floor |
|:--|${':--|'.repeat(SCHEDULES.length + 2)}
${table.join('\n')}

## When the end of a copy is noticed

![When the end of a copy is noticed, and how many polls that takes](notice.svg)

A poll is one small read. What an account may not be sent is too many a second, so the action has a budget of 2 reads a
second for the step, and asks for a copy at least every 10 s, or every 16 s with 33 regions. The line is what one or
another fixed delay would
cost: with a shorter one the end is noticed sooner, for more reads.

![Seconds late against reads a second, for 1 and for 8 regions](pace.svg)

## Many images on one account

[How time and calls grow with regions, images and jobs](scale.md) on one account that is throttled:

![Time and calls of a matrix of images, each to 33 regions](scale.svg)
`;
}

/** What is noticed how late for how many reads a second, when a copy takes 5 minutes. */
async function drawPace(): Promise<string> {
  const took = 300;
  const names = ['this action', ...SCHEDULES.map(({ name }) => name)];
  const panel = async (count: number, most: number, step: number) => {
    const { ours, peers } = await compare(took, { regions: count, fastest: 0.7, runs: 101 }, SCHEDULES);
    const dots = [2, 3, 4, 6, 8, 10, 12, 15, 20].map((delay) => {
      const every = {
        name: '',
        delay: (poll: number) => (poll === 0 ? 0 : delay),
        limit: Infinity,
        sequential: false,
      };
      const copies = Array.from({ length: count }, (_, index) => took * (0.7 + (0.3 * (index + 1)) / count));
      const { polls } = play(every, copies, TRIP);
      return [polls / took, delay / 2 + TRIP] as [number, number];
    });
    const ticks = (end: number, by: number) =>
      Object.fromEntries(
        Array.from({ length: end / by + 1 }, (_, index) => [index * by, String(+(index * by).toFixed(2))]),
      );
    return {
      title: `seconds late (median), ${count} region${count > 1 ? 's' : ''}, 5 minutes`,
      x: { label: 'reads a second', ticks: ticks(most, step) },
      y: { ticks: ticks(12, 2) },
      lines: [
        ...names.map((name, index) => {
          const { late, polls } = (index === 0 ? ours : peers[index - 1]) as Comparison;
          const [x, y] = [polls / took, late];
          return { name, points: cross(x, y, most / 60) };
        }),
        { name: 'a fixed delay', points: dots.filter(([x]) => x <= most) },
      ],
    };
  };
  return chart('Seconds late against reads a second', [await panel(1, 0.3, 0.05), await panel(8, 2, 0.5)]);
}

/** A point that a line chart can show. */
function cross(x: number, y: number, size: number): [number, number][] {
  const tall = size * 40;
  return [
    [x - size, y],
    [x + size, y],
    [x, y],
    [x, y + tall / 4],
    [x, y - tall / 4],
  ];
}

if (process.argv.includes('--scale')) {
  const { scale } = await import('./scale.ts');
  await scale(join(root, 'docs'));
} else {
  await bench();
}
