/** Plays one case through the action itself, main and post, and says what no reader may ever see of it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as core from '@actions/core';
import { getProjects, getRegions } from '../../src/cloud/account.ts';
import { createClient } from '../../src/cloud/client.ts';
import { TransportError } from '../../src/cloud/explain.ts';
import { copyCustomImage, describeImages, terminateCustomImage } from '../../src/cloud/images.ts';
import type { CloudOptions } from '../../src/cloud/index.ts';
import { createTransport, type Transport } from '../../src/cloud/transport.ts';
import { readInputs } from '../../src/inputs/promote.ts';
import { main } from '../../src/main.ts';
// What main loads is there already: virtual time would run on meanwhile.
import '../../src/promote.ts';
import { post } from '../../src/post.ts';
import { Lines, StepConsole } from '../runner/commands.ts';
import { parsePairs } from '../runner/files.ts';
import { Masks } from '../runner/masks.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { type Case, INPUTS, KEYS, OUTPUTS } from './cases.ts';
import { type Reply, Site } from './site.ts';

const STACK = /^\s+at .*:\d+:\d+/m;
const DEFECT = 'The action itself failed';
const STATUSES = ['available', 'copying', 'planned', 'partial', 'failed'];
/** A runner drops a larger one. */
const LARGEST_SUMMARY = 2 ** 20;
/** Milliseconds of computing. */
const LONGEST = 5_000;

export interface Played {
  /** Nothing when all is well. */
  wrong: string[];
  heard: Heard;
  /** Answers that the case changed. */
  changed: number;
  /** The step was red. */
  failed: boolean;
  /** Milliseconds of computing. */
  took: number;
}

/** All that a step says. */
export interface Heard {
  out: string;
  err: string;
  summary: string;
  output: string;
  /** How often it meant to say something of each kind. */
  counts: { info: number; warning: number; notice: number; error: number; group: number };
  /** To be masked. */
  secrets: string[];
  /** To be told nowhere. */
  hidden: string[];
}

/** The files of a step, and a server. One at a time: core keeps to one process. */
export class Stage {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
  readonly #before = { ...process.env };
  #site: Site | undefined;
  #server: http.Server | undefined;

  constructor() {
    for (const [name, file] of Object.entries(this.#files)) process.env[name] = file;
  }

  get #files() {
    const file = (name: string) => join(this.#folder, name);
    return {
      GITHUB_OUTPUT: file('output'),
      GITHUB_STATE: file('state'),
      GITHUB_STEP_SUMMARY: file('summary'),
    };
  }

  async play(given: Case): Promise<Played> {
    const wrong: string[] = [];
    const began = process.cpuUsage();
    const clock = new VirtualClock();
    const site = new Site(() => clock.now(), given.mutations, given.held);
    this.#site = site;
    const server = await this.#listen();
    const env: Record<string, string> = {
      GITHUB_STATE: this.#files.GITHUB_STATE,
      ...given.env,
      GITHUB_API_URL: `${server}github`,
      // Where packer-manifest is looked for, and output-file is written.
      GITHUB_WORKSPACE: this.#folder,
    };
    if (given.http) env['INPUT_API-URL'] = server;
    for (const file of Object.values(this.#files)) writeFileSync(file, '');
    const { secrets, inputs, mistakes } = readInputs(env);

    let cancelled = new AbortController();
    const counts = { info: 0, warning: 0, notice: 0, error: 0, group: 0 };
    const count = <Args extends unknown[]>(kind: keyof typeof counts, tell: (...args: Args) => void) => {
      return (...args: Args): void => {
        counts[kind]++;
        tell(...args);
      };
    };
    const counted: typeof core = {
      ...core,
      info: count('info', core.info),
      warning: count('warning', core.warning),
      notice: count('notice', core.notice),
      setFailed: count('error', core.setFailed),
      startGroup: count('group', core.startGroup),
    };
    const printed = capture();
    const workflow = () => ({
      core: counted,
      env,
      clock,
      signal: cancelled.signal,
      createCloud: (options: CloudOptions) => cloudOn(options, this.#transport(site, clock, given.http)),
    });
    let failed = false;
    try {
      if (given.cancelAt !== null) clock.after(given.cancelAt, () => cancelled.abort(new Error('cancelled')));
      await clock.run(main(workflow()));
      failed = process.exitCode === 1;
      if (failed !== (counts.error === 1))
        wrong.push(`exit code ${process.exitCode}, ${counts.error} errors`);
      cancelled = new AbortController();
      const state = Object.fromEntries(parsePairs(readFileSync(this.#files.GITHUB_STATE, 'utf8')));
      process.env.STATE_promotion = state.promotion ?? '';
      await clock.run(post(workflow()));
    } catch (error) {
      wrong.push(`crash: ${error instanceof Error ? error.stack : String(error)}`);
    } finally {
      printed.end();
      process.exitCode = undefined;
      delete process.env.STATE_promotion;
    }

    const heard: Heard = {
      out: printed.out,
      err: printed.err,
      summary: readFileSync(this.#files.GITHUB_STEP_SUMMARY, 'utf8'),
      output: readFileSync(this.#files.GITHUB_OUTPUT, 'utf8'),
      counts,
      secrets,
      hidden: [...new Set(site.signatures)],
    };
    // Keys that a case has changed may be words that stand anywhere.
    if (env['INPUT_PRIVATE-KEY'] === KEYS['INPUT_PRIVATE-KEY']) heard.hidden.push(...Object.values(KEYS));
    wrong.push(...judge(heard));
    if (inputs === undefined) wrong.push(...mistakesOf(printed.out, mistakes, site));
    const { user, system } = process.cpuUsage(began);
    const took = (user + system) / 1_000;
    if (took > LONGEST) wrong.push(`it took ${Math.round(took)} ms`);
    return { wrong, heard, changed: site.changed, failed, took };
  }

  async close(): Promise<void> {
    for (const name of Object.keys(this.#files)) {
      if (this.#before[name] === undefined) delete process.env[name];
      else process.env[name] = this.#before[name];
    }
    rmSync(this.#folder, { recursive: true, force: true });
    this.#server?.closeAllConnections();
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(null)));
  }

  #transport(site: Site, clock: VirtualClock, real: boolean): Transport {
    if (real) {
      const transport = createTransport({ userAgent: 'fuzz', env: {} });
      return { ...transport, send: (request) => clock.outside(transport.send(request)) };
    }
    return {
      async send({ body, signal }) {
        await clock.sleep(100, signal);
        const { status, headers, body: bytes, drop } = site.reply(body);
        if (drop)
          throw new TransportError(
            { message: 'the line is dead', advice: 'Wait.', final: drop.final },
            drop.reached,
          );
        return { status, headers, body: new TextDecoder().decode(bytes) };
      },
      close: async () => {},
    };
  }

  async #listen(): Promise<string> {
    if (!this.#server) {
      const server = http.createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const reply = request.url === '/' && this.#site?.reply(Buffer.concat(chunks).toString());
          if (reply) write(response, reply);
          // There is no release.
          else response.writeHead(404).end();
        });
      });
      this.#server = server;
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }
}

function cloudOn(options: CloudOptions, transport: Transport) {
  const client = createClient({ ...options, transport });
  return {
    describeImages: describeImages.bind(null, client),
    copyCustomImage: copyCustomImage.bind(null, client),
    terminateCustomImage: terminateCustomImage.bind(null, client),
    getRegions: getRegions.bind(null, client),
    getProjects: getProjects.bind(null, client),
    close: () => transport.close(),
  };
}

function write(response: http.ServerResponse, { status, headers, body, drop, wire }: Reply): void {
  const { socket } = response;
  if (!socket || drop) return void socket?.destroy();
  const raw = (head: string, ...rest: (string | Buffer)[]) => {
    socket.write(`${head}\r\n\r\n`);
    for (const part of rest) socket.write(part);
    socket.end();
  };
  if (wire === 'reset') socket.resetAndDestroy();
  else if (wire === 'half') raw(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length + 9}`, body);
  else if (wire === 'garbage') raw('SSH-2.0-OpenSSH_9.6', Buffer.from([0, 255, 1, 254]));
  else if (wire === 'gzip')
    raw(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}`, body);
  else if (wire === 'long header')
    raw(`HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(100_000)}\r\nContent-Length: 2`, '{}');
  else if (wire === 'informational')
    raw(
      `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50)}HTTP/1.1 200 OK\r\nContent-Length: ${body.length}`,
      body,
    );
  else if (wire === 'bad chunk') raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', 'zz\r\n{}\r\n');
  else if (wire === 'huge') raw('HTTP/1.1 200 OK\r\nConnection: close', Buffer.alloc(9 * 2 ** 20, ' '));
  else if (wire === 'redirect')
    raw('HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0');
  else {
    for (const [name, value] of Object.entries(headers)) {
      for (const one of [value].flat()) response.appendHeader(name, one.replace(/[^\x20-\x7e]/g, '?'));
    }
    response.writeHead(Math.max(200, status)).end(body);
  }
}

/** What the process prints while it is captured. */
function capture() {
  const printed = {
    out: '',
    err: '',
    end: () => Object.assign(process.stdout, out) && Object.assign(process.stderr, err),
  };
  const out = { write: process.stdout.write };
  const err = { write: process.stderr.write };
  process.stdout.write = (chunk: string | Uint8Array) => {
    printed.out += chunk;
    return true;
  };
  process.stderr.write = (chunk: string | Uint8Array) => {
    printed.err += chunk;
    return true;
  };
  return printed;
}

export function judge({ out, err, summary, output, counts, secrets, hidden }: Heard): string[] {
  const wrong = outputsOf(output);
  if (err !== '') wrong.push(`on stderr: ${err}`);
  if (Buffer.byteLength(summary) > LARGEST_SUMMARY) wrong.push('the summary is larger than a runner takes');
  const masks = new Masks();
  const log = new StepConsole(masks, true, () => {});
  const lines = new Lines((line) => log.print(line));
  lines.push(out);
  lines.end();
  // What the outputs hold is data, never shown.
  for (const [what, text] of Object.entries({ log: log.log, 'printed text': out, summary })) {
    if (STACK.test(text)) wrong.push(`a stack in the ${what}: ${STACK.exec(text)?.[0]}`);
    const defect = text.indexOf(DEFECT);
    if (defect >= 0) wrong.push(`a defect in the ${what}: ${text.slice(defect, defect + 300)}`);
  }
  // A runner must see the commands that were meant, and no other.
  const seen = (test: (line: { kind: string }) => boolean) => log.lines.filter(test).length;
  const annotated = (level: string) =>
    log.annotations.filter((annotation) => annotation.level === level).length;
  for (const [what, told, found] of [
    ['errors', counts.error, annotated('error')],
    ['warnings', counts.warning, annotated('warning')],
    ['notices', counts.notice, annotated('notice')],
    ['lines', counts.info, seen(({ kind }) => kind === 'output')],
    ['groups', counts.group, seen(({ kind }) => kind === 'group')],
  ] as const) {
    if (told !== found) wrong.push(`${told} ${what} were told, a runner sees ${found}`);
  }
  if (log.failed || log.deprecated.length > 0) wrong.push(`commands that nobody meant: ${log.deprecated}`);
  const foreign = masks.values.filter((value) => !secrets.includes(value));
  if (foreign.length > 0) wrong.push(`masks that nobody meant: ${foreign}`);
  const open = out.replace(/^::add-mask::.*$/gm, '') + summary + output;
  for (const secret of hidden) if (open.includes(secret)) wrong.push(`a secret is told: ${secret}`);
  return wrong;
}

function outputsOf(file: string): string[] {
  let outputs: Record<string, string>;
  try {
    outputs = Object.fromEntries(parsePairs(file));
    for (const name of ['images', 'failed-regions'])
      if (!Array.isArray(JSON.parse(outputs[name] ?? ''))) throw new Error(name);
    for (const name of ['image-ids', 'task-ids']) JSON.parse(outputs[name] ?? '');
  } catch (error) {
    return [`outputs that a runner cannot read: ${(error as Error).message}`];
  }
  const wrong: string[] = [];
  if (Object.keys(outputs).sort().join() !== [...OUTPUTS].sort().join())
    wrong.push(`outputs: ${Object.keys(outputs)}`);
  if (!STATUSES.includes(outputs.status ?? '')) wrong.push(`status: ${outputs.status}`);
  return wrong;
}

/** Wrong inputs: all told in one error, each by its name, and nothing sent. */
function mistakesOf(printed: string, mistakes: string[], site: Site): string[] {
  const wrong: string[] = [];
  if (mistakes.length === 0) wrong.push('no inputs, and no mistake');
  if (site.signatures.length > 0) wrong.push('something was sent');
  for (const mistake of mistakes) {
    if (!INPUTS.some((name) => mistake.startsWith(`${name}: `) || mistake.startsWith(`${name} `)))
      wrong.push(`a mistake without its input: ${mistake}`);
    if (/[\r\n]/.test(mistake)) wrong.push(`a mistake of many lines: ${mistake}`);
  }
  if (!printed.includes('; no request was sent.')) wrong.push('no word that nothing was sent');
  return wrong;
}
