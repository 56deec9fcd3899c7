import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { anyCharacter } from '../any-character.ts';
import { Clock } from './clock.ts';
import { Lines } from './commands.ts';
import { parsePairs } from './files.ts';
import { evaluateCondition } from './manifest.ts';
import { Masks } from './masks.ts';
import { type Options, runAction, startAction } from './runner.ts';

const root = mkdtempSync(join(tmpdir(), 'runner-test-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Fixture {
  inputs?: string;
  post?: string;
  postIf?: string;
  using?: string;
}

/** An action whose main and post are the given code; `write(NAME, text)` appends to a command file. */
function action(main: string, fixture: Fixture = {}): string {
  const path = mkdtempSync(join(root, 'action-'));
  const head = "import { appendFileSync } from 'node:fs';\n";
  const helper = 'const write = (name, text) => appendFileSync(process.env[name], text);\n';
  writeFileSync(join(path, 'main.mjs'), head + helper + main);
  if (fixture.post !== undefined) writeFileSync(join(path, 'post.mjs'), head + helper + fixture.post);
  const lines = [
    'name: fixture',
    fixture.inputs ?? '',
    'runs:',
    `  using: ${fixture.using ?? 'node24'}`,
    '  main: main.mjs',
    fixture.post === undefined ? '' : '  post: post.mjs',
    fixture.postIf === undefined ? '' : `  post-if: ${fixture.postIf}`,
  ];
  writeFileSync(join(path, 'action.yml'), lines.join('\n'));
  return path;
}

const run = (main: string, options: Options = {}, fixture: Fixture = {}) =>
  runAction({ ...options, path: action(main, fixture) });
const expression = (text: string) => `$\{{ ${text} }}`;
const show = (text: string) => `process.stdout.write(${JSON.stringify(text)});`;

test('a step gets inputs, defaults and nothing from outside', async () => {
  vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:9');
  vi.stubEnv('NODE_OPTIONS', '--no-warnings');
  vi.stubEnv('RUNNER_DEBUG', '1');
  const path = action(
    "console.log(JSON.stringify(process.env)); write('GITHUB_OUTPUT', 'cwd=' + process.cwd());",
    {
      inputs: [
        'inputs:',
        '  source-image-id:',
        '    required: true',
        '  two words: {default: 1.0}',
        '  wait: {default: true}',
        `  token: {default: "${expression('github.token')}"}`,
        '  bare:',
      ].join('\n'),
    },
  );
  const result = await runAction({
    path,
    inputs: { WAIT: 'false', typo: 'x' },
    env: { UCLOUD_REGION: 'hk' },
    githubToken: 'gh-t0ken',
  });
  vi.unstubAllEnvs();
  const env = JSON.parse(result.raw) as Record<string, string>;
  expect(env).toMatchObject({
    'INPUT_SOURCE-IMAGE-ID': '',
    INPUT_TWO_WORDS: '1.0',
    INPUT_WAIT: 'false',
    INPUT_TOKEN: 'gh-t0ken',
    INPUT_BARE: '',
    INPUT_TYPO: 'x',
    UCLOUD_REGION: 'hk',
    GITHUB_ACTIONS: 'true',
    CI: 'true',
  });
  expect(Object.keys(env)).not.toContain('HTTPS_PROXY');
  expect(Object.keys(env)).not.toContain('NODE_OPTIONS');
  expect(Object.keys(env)).not.toContain('RUNNER_DEBUG');
  expect(result.outputs.cwd).toBe(env.GITHUB_WORKSPACE);
  expect(result.annotations).toEqual([
    {
      level: 'warning',
      message:
        "Unexpected input(s) 'typo', valid inputs are ['source-image-id', 'two words', 'wait', 'token', 'bare']",
    },
  ]);
  expect(result).toMatchObject({ outcome: 'success', job: 'success', exitCode: 0, signal: null });
  expect(result.log).toContain('"INPUT_TOKEN":"***"');
});

test('what cannot be run is told before anything starts', () => {
  expect(() => startAction({ path: action('', { using: 'node20' }) })).toThrow(/runs.using is 'node20'/);
  const path = action('');
  rmSync(join(path, 'main.mjs'));
  expect(() => startAction({ path })).toThrow(/main\.mjs, which is not there. Build it first/);
  expect(() => startAction({ path: root })).toThrow(/No action.yml/);
  const other = action('', { inputs: `inputs: {a: {default: "${expression('github.sha')}"}}` });
  expect(() => startAction({ path: other })).toThrow(/github.sha/);
});

test('commands are done, and text that is none is shown', async () => {
  const lines = [
    '::group::The plan',
    'inside',
    '::endgroup::',
    '  ::error title=A%3A b%2C c %253A,line=3,junk::first%0Asecond %250A',
    '::warning::%2C stays',
    '::notice title=::no title',
    'then ##[error]in the middle;%5D',
    '::nonsense::text',
    'not ::error::at the start',
    '::ERROR::case',
    '::debug::hidden',
    '::stop-commands::tok',
    '::error::stopped',
    '::tok::',
    '::set-output name=old::1',
    'cr\r::warning::after a lone CR\r\nlast',
  ];
  const result = await run(`${show(lines.join('\n'))} process.stderr.write('::notice::from stderr\\n')`);
  expect(result.annotations.filter(({ message }) => message !== 'from stderr')).toEqual([
    { level: 'error', message: 'first\nsecond %0A', title: 'A: b, c %3A', line: '3' },
    { level: 'warning', message: '%2C stays' },
    { level: 'notice', message: 'no title' },
    { level: 'error', message: 'in the middle;]' },
    { level: 'error', message: 'case' },
    { level: 'warning', message: expect.stringContaining('set-output') },
    { level: 'warning', message: 'after a lone CR' },
  ]);
  expect(result.annotations).toContainEqual({ level: 'notice', message: 'from stderr' });
  const log = result.log.split('\n').filter((line) => line !== 'Notice: from stderr');
  expect(log.slice(0, 6)).toEqual([
    '▸ The plan',
    'inside',
    'Error: first',
    'second %0A',
    'Warning: %2C stays',
    'Notice: no title',
  ]);
  for (const line of ['::nonsense::text', 'not ::error::at the start', '::error::stopped', 'cr', 'last']) {
    expect(log).toContain(line);
  }
  expect(log.join()).not.toContain('hidden');
  expect(result.lines.find(({ text }) => text === 'inside')).toEqual({
    text: 'inside',
    kind: 'output',
    grouped: true,
  });
  expect(result.deprecated).toEqual(['set-output']);
  expect(result.outputs).toEqual({ old: '1' });
  expect(result.outcome).toBe('success');
});

test('forbidden commands fail the step', async () => {
  const result = await run(show('::set-env name=A::1\n'));
  expect(result).toMatchObject({ outcome: 'failure', exitCode: 0, deprecated: ['set-env'] });
});

test('debug lines are shown on request, and lines come as they are printed', async () => {
  const seen: string[] = [];
  const main = `${show('::debug::a%0Ab\n')} console.log(process.env.RUNNER_DEBUG)`;
  const result = await run(main, { debug: true, onLine: (text) => seen.push(text) });
  expect(result.log).toBe('##[debug]a\n##[debug]b\n1');
  expect(seen).toEqual(result.log.split('\n'));
});

test('masked values vanish from log, annotations and summary, and drop job outputs', async () => {
  const result = await run(
    [
      show('before s3cret\n::add-mask::s3cret\n::add-mask::line1&x%0Aline2\n::add-mask::\n'),
      show(
        `a s3crets3cret ${Buffer.from('xs3cret').toString('base64')} line2 line1&x ${encodeURIComponent('line1&x')}\n`,
      ),
      show('::error title=s3cret::why s3cret\n'),
      "write('GITHUB_OUTPUT', 'clean=1\\nempty=\\nleak=has-s3cret-in-it\\n');",
      "write('GITHUB_STEP_SUMMARY', '# s3cret\\nok\\n');",
    ].join('\n'),
  );
  expect(result.masks).toEqual(['s3cret', 'line1&x\nline2']);
  expect(result.log).toContain('before s3cret');
  expect(result.log.split('\n').filter((line) => line.startsWith('a '))).toEqual([
    expect.stringMatching(/^a \*\*\* \S{0,4}\*\*\*\S{0,4} \*\*\* \*\*\* \*\*\*$/),
  ]);
  expect(result.annotations).toEqual([
    { level: 'warning', message: expect.stringContaining('empty string') },
    { level: 'error', message: 'why ***', title: '***' },
  ]);
  expect(result.summary).toBe('# ***\nok\n');
  expect(result.outputs).toEqual({ clean: '1', empty: '', leak: 'has-s3cret-in-it' });
  expect(result.jobOutputs).toEqual({ clean: '1' });
  expect(result.raw).toContain('why s3cret');
});

test('masking leaves no secret, and every other character', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.'), maxLength: 30 });
  fc.assert(
    fc.property(
      text,
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3 })),
      (line, secrets) => {
        const masks = new Masks();
        for (const secret of secrets) masks.add(secret);
        const hidden = new Set<number>();
        for (const secret of secrets) {
          for (let at = line.indexOf(secret); at >= 0; at = line.indexOf(secret, at + 1)) {
            for (let index = at; index < at + secret.length; index++) hidden.add(index);
          }
        }
        const kept = [...line].map((char, index) => (hidden.has(index) ? '*' : char)).join('');
        expect(masks.apply(line)).toBe(kept.replace(/\*+/g, '***'));
      },
    ),
    { numRuns: 300 },
  );
});

test('lines are cut alike however the chunks fall', () => {
  const text = fc.string({ unit: fc.constantFrom('\r', '\n', 'x'), maxLength: 12 });
  fc.assert(
    fc.property(text, fc.array(fc.nat(12)), (whole, cuts) => {
      const lines: string[] = [];
      const cutter = new Lines((line) => lines.push(line));
      let start = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), whole.length]) {
        cutter.push(whole.slice(start, Math.max(start, cut)));
        start = Math.max(start, cut);
      }
      cutter.end();
      const expected = whole.split(/\r\n|\n|\r/);
      if (expected.at(-1) === '') expected.pop();
      expect(lines).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

test('command files give outputs and state, of many lines too', async () => {
  const result = await run(
    [
      "write('GITHUB_OUTPUT', 'a=1=2<<3\\n\\nb<<EOF\\nx\\n\\ny=<<\\nEOF\\nempty<<EOF\\nEOF\\na=last');",
      "write('GITHUB_STATE', 'ids<<D\\n{\"hk\":1}\\nD\\n');",
      "write('GITHUB_ENV', 'SEEN=yes\\n'); write('GITHUB_PATH', '/first\\n/second\\n');",
      "write('GITHUB_STEP_SUMMARY', 'main');",
    ].join('\n'),
    {},
    {
      post: "console.log(process.env.STATE_ids, process.env.SEEN, process.env.PATH.slice(0, 14)); write('GITHUB_STEP_SUMMARY', 'post');",
    },
  );
  expect(result.outputs).toEqual({ a: 'last', b: 'x\n\ny=<<', empty: '' });
  expect(result.state).toEqual({ ids: '{"hk":1}' });
  expect(result.summary).toBe('main');
  const separator = process.platform === 'win32' ? ';' : ':';
  expect(result.post).toMatchObject({
    ran: true,
    log: `{"hk":1} yes /second${separator}/first`,
    summary: 'post',
  });
});

test.each([
  ['nonsense', "Invalid format 'nonsense'"],
  ['=1', 'Name must not be empty'],
  ['<<EOF\nEOF\n', 'delimiter must not be empty'],
  ['c<<EOF\nx\n', "Matching delimiter not found 'EOF'"],
  ['c<<EOF\nx', 'EOF marker missing new line'],
])('a command file with %j fails the step and keeps what stands before', async (bad, message) => {
  const result = await run(`write('GITHUB_OUTPUT', 'a=1\\n' + ${JSON.stringify(bad)});`);
  expect(result).toMatchObject({ outcome: 'failure', exitCode: 0, outputs: { a: '1' } });
  expect(result.annotations.map((annotation) => annotation.message)).toEqual([
    "Unable to process file command 'output' successfully.",
    expect.stringContaining(message),
  ]);
});

test('whatever is written as a block comes back', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.stringMatching(/^[a-z-]{1,5}$/), fc.string({ unit: anyCharacter })), {
        maxLength: 4,
      }),
      (pairs) => {
        const text = pairs
          .map(([name, value]) => `${name}<<ghadelimiter_1\n${value}\nghadelimiter_1\n`)
          .join('');
        expect([...parsePairs(text, false)]).toEqual(pairs);
      },
    ),
  );
  expect([...parsePairs('a=1\r\n', false)]).toEqual([['a', '1\r']]);
  expect([...parsePairs('a<<E\r\nx\r\ny\r\nE\r\nb=2\r\n', true)]).toEqual([
    ['a', 'x\r\ny'],
    ['b', '2'],
  ]);
});

test('a summary over 1 MiB is dropped whole, with an error that fails nothing', async () => {
  const fits = await run("write('GITHUB_STEP_SUMMARY', 'x'.repeat(1024 * 1024));");
  expect(fits.summary).toHaveLength(1024 * 1024);
  const result = await run("write('GITHUB_STEP_SUMMARY', 'x'.repeat(1024 * 1024 + 1));");
  expect(result).toMatchObject({ outcome: 'success', summary: '' });
  expect(result.annotations).toEqual([{ level: 'error', message: expect.stringContaining('1024k') }]);
});

const onUnix = test.skipIf(process.platform === 'win32');
const stubborn =
  "for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => console.log(name)); setInterval(() => {}, 1000); console.log('up');";

onUnix('a cancel is SIGINT, then SIGTERM, then the end', async () => {
  const running = startAction({ path: action(stubborn), cancelWaits: { sigint: 300, sigterm: 400 } });
  await running.waitFor(/up/);
  const start = performance.now();
  running.signal('cancel');
  running.signal('cancel');
  await running.waitFor((text) => text.includes('SIGTERM'));
  const result = await running.done;
  expect(performance.now() - start).toBeGreaterThan(690);
  expect(result).toMatchObject({ outcome: 'cancelled', job: 'cancelled', exitCode: null, signal: 'SIGKILL' });
  expect(result.log).toBe('up\nSIGINT\nSIGTERM');
});

onUnix('a cancelled step is cancelled however it ends', async () => {
  const main = "process.on('SIGINT', () => process.exit(0)); setInterval(() => {}, 1000); console.log('up');";
  const running = startAction({ path: action(main) });
  await running.waitFor(/up/);
  running.signal('cancel');
  expect(await running.done).toMatchObject({ outcome: 'cancelled', exitCode: 0, signal: null });
});

onUnix('state reaches the post step after a kill', async () => {
  const path = action(
    "write('GITHUB_STATE', 'id=uimage-1\\n'); write('GITHUB_OUTPUT', 'id=1\\n'); console.log('up'); setInterval(() => {}, 1000);",
    {
      post: 'console.log(process.env.STATE_id)',
      postIf: 'failure() || cancelled()',
    },
  );
  const running = startAction({ path });
  await running.waitFor(/up/);
  running.kill();
  const result = await running.done;
  expect(result).toMatchObject({
    outcome: 'failure',
    job: 'failure',
    signal: 'SIGKILL',
    outputs: { id: '1' },
  });
  expect(result.post).toMatchObject({ ran: true, outcome: 'success', log: 'uimage-1' });
});

test.each<[string, Options, boolean]>([
  ['', {}, false],
  ['process.exitCode = 1', {}, true],
  ['', { laterStepFails: true }, true],
  ['', { jobCancelledLater: true }, true],
])('post-if sees the job (%j, %j)', async (main, options, ran) => {
  const path = action(main, { post: 'process.exitCode = 3', postIf: 'failure() || cancelled()' });
  const result = await runAction({ ...options, path });
  expect(result.post).toMatchObject(ran ? { ran, exitCode: 3, outcome: 'failure' } : { ran });
  expect(result.outcome).toBe(main === '' ? 'success' : 'failure');
});

test('a failing post step makes a job fail whose steps succeeded; without post-if it always runs', async () => {
  const failing = action('process.exitCode = 1', { post: '' });
  expect(await runAction({ path: failing })).toMatchObject({ job: 'failure', post: { ran: true } });
  const path = action('', { post: 'process.exitCode = 1' });
  expect(await runAction({ path })).toMatchObject({
    outcome: 'success',
    job: 'failure',
    post: { ran: true },
  });
  expect(await runAction({ path, post: false })).not.toHaveProperty('post');
});

test('conditions', () => {
  const truths = (condition: string) =>
    (['success', 'failure', 'cancelled'] as const).map((status) => evaluateCondition(condition, status));
  expect(truths('always()')).toEqual([true, true, true]);
  expect(truths('failure() || cancelled()')).toEqual([false, true, true]);
  expect(truths(expression('!cancelled()'))).toEqual([true, true, false]);
  expect(truths('Success() || failure() && cancelled()')).toEqual([true, false, false]);
  expect(truths('(success() || failure()) && !failure( )')).toEqual([true, false, false]);
  expect(truths('!(success() && always())')).toEqual([false, true, true]);
  for (const bad of ['', 'failure', 'failure() ||', 'other()', '(always()', "always() == 'x'", 'always())']) {
    expect(() => truths(bad), bad).toThrow(/not one that this runner can evaluate/);
  }
});

test('waiting for what never comes ends with the step, or in time', async () => {
  const running = startAction({ path: action("console.log('bye')") });
  await expect(running.waitFor(/never/)).rejects.toThrow(/ended before \/never\/ came.*bye/s);
  await running.done;
  const slow = startAction({
    path: action("console.log('up'); setTimeout(() => {}, 60_000)"),
    timeoutMs: 600,
  });
  await expect(slow.waitFor(/never/, 20)).rejects.toThrow(/did not come within 20 ms/);
  await expect(slow.done).rejects.toThrow(/took longer than 600 ms/);
});

describe('a clock', () => {
  test('of its own jumps while a step sleeps, and every timer agrees with it', async () => {
    const main = `
    import { setTimeout as wait, scheduler } from 'node:timers/promises';
    import { setTimeout as later } from 'node:timers';
    import { promisify } from 'node:util';
    import { performance as perf } from 'node:perf_hooks';
    const report = async (name, ms, action) => {
      const [date, now, ticks] = [Date.now(), perf.now(), process.hrtime.bigint()];
      const value = await action();
      write('GITHUB_OUTPUT', name + '=' + JSON.stringify({ ms, value, date: new Date() - date, now: perf.now() - now, ticks: Number(process.hrtime.bigint() - ticks) / 1e6 }) + '\\n');
    };
    const first = Date.now();
    await Promise.all([
      report('promises', 60_000, () => wait(60_000, 'value')),
      report('global', 50_000, () => new Promise((done) => setTimeout(done, 50_000, 'value'))),
      report('module', 40_000, () => new Promise((done) => later(done, 40_000, 'value'))),
      report('promisified', 30_000, () => promisify(setTimeout)(30_000, 'value')),
      report('scheduler', 20_000, () => scheduler.wait(20_000)),
      report('signal', 10_000, () => new Promise((done) => AbortSignal.timeout(10_000).addEventListener('abort', (event) => done(event.target.reason.name)))),
      report('refreshed', 45_000, () => new Promise((done) => { const timer = setTimeout(done, 30_000, 'value'); setTimeout(() => timer.refresh(), 15_000); })),
      report('interval', 60_000, () => new Promise((done) => { let n = 0; const timer = setInterval(() => { if (++n === 3) { clearInterval(timer); done('value'); } }, 20_000); })),
      report('aborted', 0, () => wait(600_000, 'value', { signal: AbortSignal.abort() }).catch((error) => error.name)),
    ]);
    setTimeout(() => console.log('never'), 3_600_000).unref();
    clearTimeout(setTimeout(() => console.log('never'), 1000));
    AbortSignal.timeout(3_600_000);
    write('GITHUB_OUTPUT', 'dates=' + JSON.stringify([first, new Date(0).toISOString(), new Date() instanceof Date, new Date().constructor === Date, typeof Date(), Date.UTC(2026, 0)]));
  `;
    const clock = new Clock();
    const result = await run(main, { clock });
    expect(result).toMatchObject({ outcome: 'success', log: '' });
    const { dates, ...reports } = Object.fromEntries(
      Object.entries(result.outputs).map(([name, text]) => [name, JSON.parse(text)]),
    );
    expect(Object.keys(reports)).toHaveLength(9);
    for (const [name, { ms, date, now, ticks }] of Object.entries(reports)) {
      for (const time of [date, now, ticks]) {
        expect(time, name).toBeGreaterThanOrEqual(ms - 2);
        // Real time runs on beside the jumps.
        expect(time, name).toBeLessThan(ms + 5000);
      }
    }
    for (const name of ['promises', 'global', 'module', 'promisified', 'refreshed', 'interval'])
      expect(reports[name].value, name).toBe('value');
    expect(reports.signal.value).toBe('TimeoutError');
    expect(reports.aborted.value).toBe('AbortError');
    expect(dates.slice(1)).toEqual(['1970-01-01T00:00:00.000Z', true, true, 'string', Date.UTC(2026, 0)]);
    expect(dates[0]).toBeGreaterThanOrEqual(Math.floor(result.startedAt));
    // The next step goes on where this one ended.
    expect(clock.now() - Date.now()).toBeGreaterThan(40_000);
    const next = await run("write('GITHUB_OUTPUT', 'now=' + Date.now())", { clock });
    expect(Number(next.outputs.now)).toBeGreaterThan(dates[0] + 60_000);
  });

  test('stands by while anybody waits for an answer, unless none will come', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/slow') setTimeout(() => response.end(), 300);
      else clock.unanswered = new Set([request.socket.remotePort ?? 0]);
    });
    const clock = new Clock();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const main = (path: string) => `
      import http from 'node:http';
      const start = Date.now();
      const request = http.get('http://127.0.0.1:${(server.address() as AddressInfo).port}${path}');
      request.on('error', () => {});
      const timer = setTimeout(() => { console.log('timeout'); request.destroy(); }, 30_000);
      request.on('response', (response) => { clearTimeout(timer); console.log(Date.now() - start < 10_000); });
    `;
    // One that sleeps all the while does not make the other's time run.
    const sleeper = run("setTimeout(() => console.log('up'), 3_600_000);", { clock });
    expect((await run(main('/slow'), { clock })).log).toBe('true');
    expect((await run(main('/never'), { clock })).log).toBe('timeout');
    expect((await sleeper).log).toBe('up');
    server.closeAllConnections();
    server.close();
  });
});
