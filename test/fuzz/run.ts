/**
 * `node test/fuzz/run.ts [count] [seed]`: so many changed answers and so many sets of inputs through the action; any crash,
 * stack or hang fails it. Tells how much of src/cloud and src/inputs they reached. Exit code 0 or 1.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { alone, anyAnswers, anyInputs, anyTraffic, type Case, everyField } from './cases.ts';
import { Stage } from './play.ts';

const root = join(import.meta.dirname, '../..');
const HTTP_RUNS = 300;
/** Real milliseconds. */
const STUCK_AFTER = 30_000;

/** What the playing process tells the watching one. */
type News = { part: string; index: number } | { part: string; told: string; failed: boolean };

async function play(count: number, seed: number): Promise<void> {
  const stage = new Stage();
  const tell = (news: News) => new Promise((resolve) => process.send?.(news, resolve));
  const strays: unknown[] = [];
  for (const event of ['unhandledRejection', 'uncaughtException'])
    process.on(event, (error) => strays.push(error));

  async function part(name: string, cases: Iterable<Case>): Promise<void> {
    let index = 0;
    let failures = 0;
    let red = 0;
    let changed = 0;
    let slowest = 0;
    const wrongs: string[] = [];
    for (const given of cases) {
      void tell({ part: name, index });
      const played = await stage.play(given);
      slowest = Math.max(slowest, played.took);
      changed += played.changed;
      if (played.failed) red++;
      const wrong = [
        ...played.wrong,
        ...strays.splice(0).map((error) => `nobody caught: ${error instanceof Error ? error.stack : error}`),
      ];
      if (wrong.length > 0 && ++failures <= 5) {
        wrongs.push(`case ${index}: ${wrong.join('\n  ')}\n  ${JSON.stringify(given)}`.slice(0, 4_000));
      }
      index++;
    }
    const about = `${name}: ${index} runs (${red} red), ${changed} changed answers, slowest ${Math.round(slowest)} ms of computing, ${failures} wrong`;
    await tell({ part: name, told: [about, ...wrongs].join('\n'), failed: failures > 0 });
  }

  const sample = (cases: fc.Arbitrary<Case>, numRuns: number) => fc.sample(cases, { seed, numRuns });
  const fields = everyField().map(alone).slice(0, count);
  await part('every field of every answer', fields);
  await part('answers', sample(anyAnswers, Math.max(0, count - fields.length)));
  await part('answers over HTTP', sample(anyTraffic, Math.min(HTTP_RUNS, count)));
  await part('inputs', sample(anyInputs, count));
  await stage.close();
  process.disconnect?.();
}

/** A loop that never ends can only be seen from outside. */
function watch(count: number, seed: number): void {
  const coverage = mkdtempSync(join(tmpdir(), 'fuzz-coverage-'));
  console.log(`seed ${seed}: node test/fuzz/run.ts ${count} ${seed} plays the same again`);
  const child = fork(fileURLToPath(import.meta.url), [String(count), String(seed)], {
    env: { ...process.env, NODE_V8_COVERAGE: coverage },
  });
  let at = 'nothing';
  let failed = false;
  let timer: NodeJS.Timeout | undefined;
  const rewind = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      console.log(`HANG: no end after ${STUCK_AFTER / 1_000} s in ${at}`);
      child.kill('SIGKILL');
    }, STUCK_AFTER);
  };
  rewind();
  child.on('message', (news: News) => {
    rewind();
    if ('index' in news) at = `case ${news.index} of ${news.part}`;
    else {
      failed ||= news.failed;
      console.log(news.told);
    }
  });
  child.on('exit', (code) => {
    clearTimeout(timer);
    if (code !== 0) console.log(`the playing process ended with ${code} in ${at}`);
    else for (const line of reached(coverage)) console.log(line);
    rmSync(coverage, { recursive: true, force: true });
    process.exitCode = failed || code !== 0 ? 1 : 0;
  });
}

interface Script {
  url: string;
  functions: { ranges: { startOffset: number; endOffset: number; count: number }[] }[];
}

/** Lines of code that ran. Node takes types out without moving anything, so offsets are those of the source. */
function reached(folder: string): string[] {
  const scripts = readdirSync(folder).flatMap(
    (file) => (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { result: Script[] }).result,
  );
  const rows: { name: string; ran: number; all: number }[] = [];
  for (const { url, functions } of scripts) {
    if (!url.startsWith('file:')) continue;
    const name = relative(root, fileURLToPath(url)).replaceAll('\\', '/');
    if (!/^src\/(cloud|inputs)\/.*\.ts$/.test(name)) continue;
    const source = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'));
    const idle = new Uint8Array(source.length);
    // The outer ranges come first, and those inside them say it more exactly.
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges)
        idle.fill(count === 0 ? 1 : 0, startOffset, endOffset);
    }
    let at = 0;
    const row = { name, ran: 0, all: 0 };
    for (const line of source.split('\n')) {
      const isCode = /[A-Za-z0-9]/.test(line) && !/^\s*(\/\/|\/?\*|import |export \{)/.test(line);
      const start = at + (/\S/.exec(line)?.index ?? 0);
      if (isCode) {
        row.all++;
        if (!idle.subarray(start, at + line.length).every((mark) => mark === 1)) row.ran++;
      }
      at += line.length + 1;
    }
    rows.push(row);
  }
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  const sum = (key: 'ran' | 'all', some = rows) => some.reduce((total, row) => total + row[key], 0);
  const line = (name: string, ran: number, all: number) =>
    `${((100 * ran) / all).toFixed(1).padStart(6)} % ${name} (${ran} of ${all} lines)`;
  return [
    'Lines reached:',
    ...rows.map(({ name, ran, all }) => line(name, ran, all)),
    line('in all', sum('ran'), sum('all')),
  ];
}

const count = Number(process.argv[2] ?? 5_000);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
if (process.send) await play(count, seed);
else watch(count, seed);
