import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test as plain, vi } from 'vitest';
import {
  type Emulator,
  type EmulatorOptions,
  type Fault,
  type Image,
  type RecordedRequest,
  startEmulator,
} from '../emulator/emulator.ts';
import { Clock } from '../runner/clock.ts';
import { type Options, type Run, type Running, startAction } from '../runner/runner.ts';

// Each keeps a core busy: more at once would only be slower each.
vi.setConfig({ maxConcurrency: 4 });

/** Takes a fifth off a start; it is kept by content, so a new dist/ is never taken for an old one. */
export const NODE_COMPILE_CACHE = join(tmpdir(), 'e2e-compile-cache');

export const COPY = 'CopyCustomImage';
export const DELETE = 'TerminateCustomImage';
const CHANGES = [COPY, DELETE];

export const OUTPUTS = [
  'status',
  'image-id',
  'task-id',
  'image-ids',
  'task-ids',
  'images',
  'source-image-id',
  'failed-regions',
  'summary-markdown',
];

/** A sentence that is too long for one line goes on behind an indent. */
export const unfolded = (text: string) => text.replace(/\n {2,}(?=\S)/g, ' ');

export interface Step extends Options {
  /** The target regions; default hk. */
  regions?: string[];
}

export interface Target {
  region: string;
  projectId: string;
  imageId: string | null;
  taskId: string | null;
  name: string;
  state: string | null;
  outcome: string;
  seconds: number | null;
  error: string | null;
}

export interface Result extends Run {
  ids: Record<string, string>;
  tasks: Record<string, string>;
  images: Target[];
  failed: string[];
  errors: string[];
  warnings: string[];
}

export interface Started {
  running: Running;
  done: Promise<Result>;
}

/** An API of its own, and steps that run on it. Every run is searched for its keys. */
export class Stage {
  readonly cloud: Emulator;
  /** The API's time, and that of the steps. */
  readonly clock: Clock;
  /** What no run may show, beside the keys and signatures of this API. */
  readonly secrets: string[] = [];
  /** Called at the end of the test. */
  readonly closers: (() => unknown)[] = [];

  constructor(cloud: Emulator, clock: Clock) {
    this.cloud = cloud;
    this.clock = clock;
  }

  static async start(options: EmulatorOptions = {}): Promise<Stage> {
    const clock = new Clock();
    const cloud = await startEmulator({ now: clock.now, copySeconds: 20, ...options });
    clock.unanswered = cloud.hanging;
    return new Stage(cloud, clock);
  }

  step({ regions = ['hk'], inputs = {}, env = {}, ...options }: Step): Options {
    return {
      clock: this.clock,
      ...options,
      env: { NODE_COMPILE_CACHE, ...this.cloud.env, ...env },
      inputs: {
        'source-image-id': this.cloud.sourceImageId,
        'target-project-id': this.cloud.projects.target,
        'target-regions': regions.join('\n'),
        ...inputs,
      },
    };
  }

  run(step: Step = {}): Promise<Result> {
    return this.start(step).done;
  }

  /** For what happens to a step on its way. */
  start(step: Step = {}): Started {
    const running = startAction(this.step(step));
    const done = running.done.then((run) => this.judge(run));
    done.catch(() => {});
    return { running, done };
  }

  /** What holds for every run. */
  judge(run: Run): Result {
    expect(leaks(run, this.cloud, this.secrets)).toEqual([]);
    const raw = run.raw + (run.post?.ran ? run.post.raw : '');
    expect(raw).not.toMatch(/^\s+at .*[:(]\S*:\d+:\d+\)?$/m);
    expect(raw).not.toContain('The action itself failed');
    expect(run.deprecated).toEqual([]);
    const told = (level: string) =>
      run.annotations
        .filter((annotation) => annotation.level === level)
        .map(({ message }) => unfolded(message));
    const errors = told('error');
    if (run.signal === null) {
      expect(Object.keys(run.outputs).sort()).toEqual([...OUTPUTS].sort());
      expect(errors, run.log).toHaveLength(run.exitCode === 0 ? 0 : 1);
    }
    const { outputs } = run;
    return {
      ...run,
      ids: JSON.parse(outputs['image-ids'] ?? '{}'),
      tasks: JSON.parse(outputs['task-ids'] ?? '{}'),
      images: JSON.parse(outputs.images ?? '[]'),
      failed: JSON.parse(outputs['failed-regions'] ?? '[]'),
      errors,
      warnings: told('warning'),
    };
  }

  sent(action: string): RecordedRequest[] {
    return this.cloud.requests.filter((request) => request.action === action);
  }

  /** Calls that change something. */
  get changes(): string[] {
    return this.cloud.requests.map(({ action }) => action).filter((action) => CHANGES.includes(action));
  }

  /** Every copy that CopyCustomImage made and that is still there. */
  get copies(): Image[] {
    return this.cloud.images().filter(({ copyOf }) => copyOf);
  }

  /** Region → id of those copies; fails where a region has two. */
  get onePerRegion(): Record<string, string> {
    const regions = this.copies.map(({ region }) => region).sort();
    expect(regions).toEqual([...new Set(regions)]);
    return Object.fromEntries(this.copies.map(({ region, imageId }) => [region, imageId]));
  }

  /** Resolves when each of so many copies has been polled twice: the step has read what the first poll said. */
  async polled(copies: number): Promise<void> {
    const since = this.cloud.requests.findIndex(({ action }) => action === COPY);
    await until(() => this.cloud.requests.length > since + 2 * copies);
  }

  /** On CopyCustomImage, once, unless told otherwise. */
  fail(fault: Pick<Fault, 'kind' | 'executed'> & Partial<Fault>): void {
    this.cloud.faults.push({ action: COPY, ...fault });
  }

  /** A copy of the source that an earlier run left. */
  earlierCopy(region: string, more: Parameters<Emulator['addImage']>[0] = {}): Image {
    const { cloud } = this;
    const description = `[copy of ${cloud.region}/${cloud.sourceImageId} by 77-1-abcdef]`;
    return cloud.addImage({ region, projectId: cloud.projects.target, description, ...more });
  }
}

export const test = plain.extend<{ stage: (options?: EmulatorOptions) => Promise<Stage> }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of what a fixture needs from here
  stage: async ({}, use) => {
    const stages: Stage[] = [];
    await use(async (options) => {
      const it = await Stage.start(options);
      stages.push(it);
      return it;
    });
    for (const { closers } of stages) for (const close of closers) await close();
    await Promise.all(stages.map(({ cloud }) => cloud.close()));
  },
});

/** Looks often, since some of what is waited for is gone soon. */
export async function until(isThere: () => boolean, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!isThere()) {
    if (Date.now() > end) throw new Error(`After ${timeoutMs} ms there is still not what was waited for.`);
    await delay(5);
  }
}

/** Shorter pieces could be anything. */
const PIECE = 16;

/** How a secret, or a good part of one, may look in a text. */
function spellings(secret: string): string[] {
  const whole = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
  const parts = secret.length >= 2 * PIECE ? [secret.slice(0, PIECE), secret.slice(-PIECE)] : [];
  // Of a longer text that holds it, the Base64 is one of three.
  const base64 = [0, 1, 2].map((skip) => {
    const bytes = Buffer.from(secret).subarray(skip);
    return bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
  });
  return [...new Set([...whole, ...parts, ...base64])].filter((text) => text.length >= 8);
}

/** Places where a run shows a key, a token or a signature. Only the commands that mask them may name them. */
export function leaks(run: Run, cloud: Emulator, more: readonly string[] = []): string[] {
  const { keys, sessions, requests } = cloud;
  const neverSent = [keys, ...sessions].map(({ privateKey }) => privateKey).concat(more);
  const signatures = requests.map(({ params }) => params.Signature ?? '').filter((text) => text !== '');
  const secrets = [
    ...neverSent,
    keys.publicKey,
    ...sessions.flatMap(({ publicKey, securityToken }) => [publicKey, securityToken]),
    ...signatures,
  ];
  const post = run.post?.ran ? run.post : undefined;
  const places: Record<string, string> = { files: run.files };
  for (const [name, step] of Object.entries({ main: run, post })) {
    if (!step) continue;
    places[`${name}: raw`] = step.raw.replace(/^::add-mask::.*$/gm, '');
    places[`${name}: log`] = step.log;
    places[`${name}: annotations`] = JSON.stringify(step.annotations);
    places[`${name}: outputs`] = JSON.stringify(step.outputs);
    places[`${name}: state`] = JSON.stringify(step.state);
    places[`${name}: summary`] = step.summary;
  }
  requests.forEach(({ url, headers }, index) => {
    places[`request ${index}: url`] = url;
    places[`request ${index}: headers`] = JSON.stringify(headers);
  });
  requests.forEach(({ params }, index) => {
    const { PublicKey: _key, SecurityToken: _token, Signature: _signature, ...others } = params;
    places[`request ${index}: other parameters`] = JSON.stringify(others);
  });
  const bodies = requests.map(({ body }, index): [string, string] => [`request ${index}: body`, body]);
  return [
    ...placesWith(secrets.flatMap(spellings), Object.entries(places)),
    ...placesWith(neverSent.flatMap(spellings), bodies),
  ];
}

function placesWith(needles: string[], places: [string, string][]): string[] {
  const whole = places.map(([, text]) => text).join('\n');
  const there = needles.filter((needle) => whole.includes(needle));
  return places.filter(([, text]) => there.some((needle) => text.includes(needle))).map(([place]) => place);
}
