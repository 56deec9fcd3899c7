/** Runs an action's built code as a workflow runner does: main, then post, as processes with nothing but what a step gets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from './clock.ts';
import { type Annotation, Lines, type LogLine, StepConsole } from './commands.ts';
import { FileCommands } from './files.ts';
import { evaluateCondition, evaluateDefault, type Manifest, readManifest, type Status } from './manifest.ts';
import { Masks } from './masks.ts';

export type { Annotation, LogLine, Status };

export interface Options {
  /** The folder that holds action.yml; this repository by default. */
  path?: string;
  inputs?: Readonly<Record<string, string>>;
  /** What the post step gets instead: a composite hands down what its other steps have. */
  postInputs?: Readonly<Record<string, string>> | undefined;
  /** Added to the step's environment, which holds nothing else from outside but PATH. */
  env?: Readonly<Record<string, string>>;
  /** What `${{ github.token }}` is. */
  githubToken?: string;
  /** As a re-run with debug logging: RUNNER_DEBUG is set and debug lines are shown. */
  debug?: boolean;
  /** `false`: the post step is not even considered. */
  post?: boolean;
  /** A later step of the job fails, or the job is cancelled during it, after this step succeeded. */
  laterStepFails?: boolean;
  jobCancelledLater?: boolean;
  /** The time that the steps live by; without it, the real one. */
  clock?: Clock;
  /** How long a cancelled step gets after SIGINT, and then after SIGTERM, in ms. */
  cancelWaits?: { sigint: number; sigterm: number };
  /** A step that takes longer, in ms, is killed and the run rejected. */
  timeoutMs?: number;
  /** Called with each line that a user would see, as it comes. */
  onLine?: (text: string, line: LogLine) => void;
}

interface Step {
  outcome: Status;
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** What a user sees: masked, commands done and not shown. */
  log: string;
  lines: LogLine[];
  /** stdout and stderr as they were printed. */
  raw: string;
  annotations: Annotation[];
  outputs: Record<string, string>;
  state: Record<string, string>;
  /** Masked, and empty when it was too large. */
  summary: string;
  /** Names of commands used that were replaced by files or forbidden. */
  deprecated: string[];
  /** Unix time in ms. */
  startedAt: number;
  /** From the start of the process to its exit. */
  durationMs: number;
}

export type PostStep = ({ ran: true } & Step) | { ran: false };

export interface Run extends Step {
  /** The outputs as they reach another job: the empty ones and those that hold a masked value do not. */
  jobOutputs: Record<string, string>;
  /** The values that add-mask named, in main and post. */
  masks: string[];
  /** All that stands in the files of the workspace, the home and the temporary folder when the job has ended. */
  files: string;
  /** The job's status after everything, the post step included. */
  job: Status;
  /** Absent when the action has no post step or `post` is false. */
  post?: PostStep;
}

export interface Running {
  readonly pid: number | undefined;
  /** What main printed up to now, as it was printed. */
  readonly stdout: string;
  /** What a user sees up to now. */
  readonly log: string;
  /** `cancel`: as a user who cancels the workflow; otherwise just that signal. Only main is signalled. */
  signal(what: 'cancel' | NodeJS.Signals): void;
  /** SIGKILL to main, as when its machine runs out of memory; the runner lives. */
  kill(): void;
  /** Resolves once main's stdout fits; rejects when main ends without it, or after `timeoutMs` (30 s). */
  waitFor(what: RegExp | ((stdout: string) => boolean), timeoutMs?: number): Promise<void>;
  readonly done: Promise<Run>;
}

const repository = fileURLToPath(new URL('../..', import.meta.url));
const defaultToken = 'token-of-the-job';
// Windows programs cannot start without these.
const inherited = ['PATH', ...(process.platform === 'win32' ? ['SYSTEMROOT', 'COMSPEC', 'PATHEXT'] : [])];

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export const runAction = (options: Options = {}): Promise<Run> => startAction(options).done;

export function startAction(options: Options = {}): Running {
  const manifest = readManifest(resolve(options.path ?? repository));
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'runner-')));
  const clean = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  const job = new Job(options, manifest, folder);
  let main: StepProcess;
  try {
    main = job.step(manifest.main, folder, {}, true);
  } catch (error) {
    clean();
    throw error;
  }
  const done = job.finish(main).finally(clean);
  // Whoever only signals may look at `done` later: that is no unhandled rejection.
  done.catch(() => {});
  return {
    pid: main.child.pid,
    get stdout() {
      return main.stdout;
    },
    get log() {
      return main.console.log;
    },
    signal: (what) => main.signal(what),
    kill: () => main.signal('SIGKILL'),
    waitFor: (what, timeoutMs) => main.waitFor(what, timeoutMs ?? 30_000),
    done,
  };
}

class Job {
  readonly masks = new Masks();
  readonly #options: Options;
  readonly #manifest: Manifest;
  readonly #folder: string;

  constructor(options: Options, manifest: Manifest, folder: string) {
    this.#options = options;
    this.#manifest = manifest;
    this.#folder = folder;
    this.masks.hide(options.githubToken ?? defaultToken);
  }

  step(script: string, folder: string, earlier: Record<string, string>, isMain: boolean): StepProcess {
    const options = this.#options;
    const files = new FileCommands(join(folder, isMain ? 'main' : 'post'));
    const console = new StepConsole(this.masks, options.debug === true, options.onLine ?? (() => {}));
    const { inputs: given = {}, postInputs } = options;
    const inputs = this.#inputs((isMain ? undefined : postInputs) ?? given, isMain ? console : undefined);
    const env = { ...this.#environment(), ...files.env, ...options.env, ...inputs, ...earlier };
    return new StepProcess(script, env, console, files, this.masks, options);
  }

  async finish(main: StepProcess): Promise<Run> {
    const step = await main.done;
    let job: Status = step.outcome;
    if (job === 'success' && this.#options.laterStepFails) job = 'failure';
    if (this.#options.jobCancelledLater) job = 'cancelled';

    let post: PostStep | undefined;
    if (this.#manifest.post !== undefined && this.#options.post !== false) {
      post = { ran: false };
      if (evaluateCondition(this.#manifest.postIf, job)) {
        const state = Object.entries(step.state).map(([name, value]) => [`STATE_${name}`, value] as const);
        const earlier: Record<string, string> = { ...step.env, ...Object.fromEntries(state) };
        if (step.path.length > 0) {
          earlier.PATH = [...step.path.toReversed(), process.env.PATH].join(delimiter);
        }
        const {
          env: _env,
          path: _path,
          ...result
        } = await this.step(this.#manifest.post, this.#folder, earlier, false).done;
        post = { ran: true, ...result };
        if (result.outcome === 'failure' && job === 'success') job = 'failure';
      }
    }

    const { env: _env, path: _path, ...result } = step;
    const jobOutputs = Object.entries(step.outputs).filter(
      ([, value]) => value !== '' && this.masks.apply(value) === value,
    );
    return {
      ...result,
      jobOutputs: Object.fromEntries(jobOutputs),
      masks: this.masks.values,
      files: textOf(this.#folder),
      job,
      ...(post === undefined ? {} : { post }),
    };
  }

  /** What the workflow gives, then the defaults; names differ by more than their case. */
  #inputs(
    inputs: Readonly<Record<string, string>>,
    console: StepConsole | undefined,
  ): Record<string, string> {
    const declared = new Map([...this.#manifest.inputs].map(([name, input]) => [name.toLowerCase(), input]));
    const given = Object.entries(inputs);
    const variables: Record<string, string> = {};
    for (const [name, input] of this.#manifest.inputs) {
      variables[variableOf(name)] = evaluateDefault(
        input.default ?? '',
        this.#options.githubToken ?? defaultToken,
      );
    }
    const unexpected: string[] = [];
    for (const [name, value] of given) {
      variables[variableOf(name)] = value;
      const input = declared.get(name.toLowerCase());
      if (input === undefined) unexpected.push(name);
      else if (input.deprecation !== undefined) {
        console?.annotate(
          'warning',
          `Input '${name}' has been deprecated with message: ${input.deprecation}`,
        );
      }
    }
    if (unexpected.length > 0) {
      const quoted = (names: Iterable<string>) => `'${[...names].join("', '")}'`;
      console?.annotate(
        'warning',
        `Unexpected input(s) ${quoted(unexpected)}, valid inputs are [${quoted(this.#manifest.inputs.keys())}]`,
      );
    }
    return variables;
  }

  #environment(): Record<string, string> {
    const place = (name: string): string => {
      const path = join(this.#folder, name);
      mkdirSync(path, { recursive: true });
      return path;
    };
    const temp = place('temp');
    const env: Record<string, string> = {
      HOME: place('home'),
      TMPDIR: temp,
      TEMP: temp,
      TMP: temp,
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_ACTION: 'promote',
      GITHUB_API_URL: 'https://api.github.com',
      GITHUB_EVENT_NAME: 'push',
      GITHUB_JOB: 'release',
      GITHUB_REPOSITORY: 'octo-org/octo-repo',
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_RUN_ID: '1296235120',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_WORKFLOW: 'Release',
      GITHUB_WORKSPACE: place('workspace'),
      RUNNER_OS: { darwin: 'macOS', win32: 'Windows' }[process.platform as string] ?? 'Linux',
      RUNNER_TEMP: temp,
    };
    if (this.#options.debug) env.RUNNER_DEBUG = '1';
    for (const name of inherited) {
      const value = process.env[name];
      if (value !== undefined) env[name] = value;
    }
    return env;
  }
}

const textOf = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
    .join('\n');

/** Spaces become underscores; dashes stay. */
const variableOf = (input: string): string => `INPUT_${input.replaceAll(' ', '_').toUpperCase()}`;

class StepProcess {
  readonly child: ChildProcess;
  readonly console: StepConsole;
  readonly done: Promise<Step & { env: Record<string, string>; path: string[] }>;
  stdout = '';
  readonly #clock: Clock | undefined;
  #raw = '';
  #cancelled = false;
  #ended = false;
  readonly #waits: { sigint: number; sigterm: number };
  readonly #watchers = new Set<() => void>();
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(
    script: string,
    env: Record<string, string>,
    console: StepConsole,
    files: FileCommands,
    masks: Masks,
    options: Options,
  ) {
    this.console = console;
    this.#waits = options.cancelWaits ?? { sigint: 7500, sigterm: 2500 };
    const { clock } = options;
    this.#clock = clock;
    const now = clock?.now ?? (() => performance.timeOrigin + performance.now());
    const startedAt = now();
    this.child = spawn(process.execPath, [...(clock?.nodeOptions ?? []), script], {
      cwd: env.GITHUB_WORKSPACE as string,
      env: { ...env, ...clock?.env },
      stdio: ['ignore', 'pipe', 'pipe', ...(clock ? (['ipc'] as const) : [])],
    });
    clock?.join(this.child);
    children.add(this.child);
    const streams = [this.child.stdout, this.child.stderr].map((stream) => {
      const lines = new Lines((line) => console.print(line));
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#raw += chunk;
        if (stream === this.child.stdout) this.stdout += chunk;
        lines.push(chunk);
        this.#notify();
      });
      return { stream, lines };
    });

    this.done = new Promise((fulfil, reject) => {
      let durationMs = 0;
      const limit = options.timeoutMs ?? 120_000;
      let tookTooLong = false;
      this.#after(limit, () => {
        tookTooLong = true;
        this.child.kill('SIGKILL');
      });
      this.child.once('error', reject);
      this.child.once('exit', () => {
        durationMs = now() - startedAt;
        // A process left behind may hold the streams; the runner does not wait for it either.
        this.#after(5000, () => {
          for (const { stream } of streams) stream?.destroy();
        });
      });
      this.child.once('close', (exitCode, signal) => {
        this.#ended = true;
        for (const timer of this.#timers) clearTimeout(timer);
        children.delete(this.child);
        for (const { lines } of streams) lines.end();
        this.#notify();
        if (tookTooLong) {
          reject(new Error(`The step was killed: it took longer than ${limit} ms. ${this.#tail()}`));
          return;
        }
        const { outputs, state, summary, ...rest } = files.collect(console, masks);
        const failed = exitCode !== 0 || console.failed;
        fulfil({
          outcome: this.#cancelled ? 'cancelled' : failed ? 'failure' : 'success',
          exitCode,
          signal,
          log: console.log,
          lines: console.lines,
          raw: this.#raw,
          annotations: console.annotations,
          outputs: { ...console.outputs, ...outputs },
          state: { ...console.state, ...state },
          summary,
          deprecated: console.deprecated,
          startedAt,
          durationMs,
          ...rest,
        });
      });
    });
  }

  signal(what: 'cancel' | NodeJS.Signals): void {
    if (this.#ended) return;
    this.#clock?.wake(this.child);
    if (what !== 'cancel') {
      this.child.kill(what);
      return;
    }
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.child.kill('SIGINT');
    this.#after(this.#waits.sigint, () => {
      this.child.kill('SIGTERM');
      this.#after(this.#waits.sigterm, () => this.child.kill('SIGKILL'));
    });
  }

  waitFor(what: RegExp | ((stdout: string) => boolean), timeoutMs: number): Promise<void> {
    const fits = what instanceof RegExp ? (text: string) => text.search(what) >= 0 : what;
    return new Promise((fulfil, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        if (error === undefined) fulfil();
        else reject(error);
      };
      const look = (): void => {
        if (fits(this.stdout)) settle();
        else if (this.#ended) settle(new Error(`The step ended before ${what} came. ${this.#tail()}`));
      };
      const late = `${what} did not come within ${timeoutMs} ms.`;
      const timer = setTimeout(() => settle(new Error(`${late} ${this.#tail()}`)), timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  #after(ms: number, action: () => void): void {
    this.#timers.push(setTimeout(action, ms));
  }

  #notify(): void {
    for (const look of [...this.#watchers]) look();
  }

  #tail(): string {
    return `Its last lines:\n${this.console.log.split('\n').slice(-20).join('\n')}`;
  }
}
