/**
 * `npm run bench`: the action beside what users would take instead, and beside the floor, in one run on one emulator.
 * Prints Markdown for the README and draws docs/notice.svg. `-- --scale` simulates a large matrix instead and writes
 * docs/scale.md and docs/scale.svg.
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
import { type Comparison, compare, quantile } from './notice.ts';
import { PACKER, play, SCHEDULES, submitInSequence } from './peers.ts';

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
        run: 'bench',
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

async function measureSubmit(emulator: Emulator): Promise<void> {
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
      let oursCalls = '';
      let packerCalls = '';
      for (let run = 0; run < RUNS; run++) {
        sweep(emulator);
        ours.push(await submitOurs(emulator, regions));
        oursCalls = calls();
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
      const wanted = count === 8 ? 4 : 12;
      bar(
        `${count} regions in 1 CopyCustomImage call, in at most 1/${wanted} of the time of one call after another (${LATENCY} ms)`,
        `1/${ratio.toFixed(1)}, calls ${oursCalls}`,
        ratio >= wanted && oursCalls.startsWith('1 +'),
      );
    }
  }
  emulator.settings.latencyMs = 0;
}

async function measureNotice(): Promise<void> {
  const told = ({ late, polls }: Comparison, took: number) =>
    `${seconds(late)} (${percent(late / took)}), ${polls} polls`;
  for (const [name, took, wanted] of [
    ['30 s', 30, false],
    ['5 min', 300, true],
    ['40 min', 2_400, true],
  ] as const) {
    for (const regions of [1, 8]) {
      const { ours, peers } = await compare(took, { regions, fastest: 0.7 }, SCHEDULES);
      rows.push({
        what: `notice the end, ${name}, ${regions === 1 ? '1 region' : '8 regions'}: late by, polls`,
        ours: told(ours, took),
        peers: SCHEDULES.map((schedule, index) => {
          const peer = peers[index] as Comparison;
          return schedule.limit < took ? `gives up at ${schedule.limit / 60} min` : told(peer, took);
        }),
        floor: `0 s, ${regions} poll${regions > 1 ? 's' : ''}`,
      });
      const packer = peers[SCHEDULES.indexOf(PACKER)] as Comparison;
      if (!wanted) continue;
      bar(
        `${name}, ${regions === 1 ? '1 region' : '8 regions'}: noticed at most 3 % late, with fewer polls than the Packer plugin`,
        `${percent(ours.late / took)} (90th percentile ${percent(ours.late90 / took)}), ${ours.polls} polls against ${packer.polls}`,
        ours.late / took <= 0.03 && ours.polls < packer.polls,
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
  bar(
    'The process ends within 300 ms of its last answer',
    `${median(end).toFixed(0)} ms`,
    median(end) <= 300,
  );
  rows.push({
    what: 'peak memory of that run, against bare Node',
    ours: `${median(peak).toFixed(0)} MB (${times(median(peak) / median(bare))})`,
    peers: NONE,
    floor: `${median(bare).toFixed(0)} MB`,
  });
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
    'Cold start at most 3.0 × bare Node (goal 2.5)',
    `${ratios[0].toFixed(2)} × to the end with wrong inputs; ${ratios[1].toFixed(2)} × to the first request (${(median(first) / median(bare)).toFixed(2)} × an empty program)`,
    Math.max(...ratios) <= 3,
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
  bar('Bundle at most 1.2 MB (goal 0.9)', `${(size / MEGABYTE).toFixed(2)} MB`, size <= 1.2 * MEGABYTE);
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

  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}, ${process.platform}`;
  console.log(`Measured by \`npm run bench\` on ${machine}. Medians of ${RUNS} runs or more.\n`);
  console.log(`| | this action | ${SCHEDULES.map(({ name }) => name).join(' | ')} | floor |`);
  console.log(`|:--|${':--|'.repeat(SCHEDULES.length + 2)}`);
  for (const { what, ours, peers, floor } of rows) {
    console.log(`| ${what} | **${ours}** | ${peers.join(' | ')} | ${floor} |`);
  }
  console.log('\n| bar | reached | holds |\n|:--|:--|:--|');
  for (const { what, reached, holds } of bars)
    console.log(`| ${what} | ${reached} | ${holds ? 'yes' : '**no**'} |`);
  console.error(`\n${((performance.now() - started) / 1000).toFixed(0)} s. docs/notice.svg is drawn.`);
}

if (process.argv.includes('--scale')) {
  const { scale } = await import('./scale.ts');
  await scale(join(root, 'docs'));
} else {
  await bench();
}
