import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as actionsCore from '@actions/core';
import { onTestFinished, vi } from 'vitest';
import { type Clock, systemClock } from '../../src/cloud/clock.ts';
import { main } from '../../src/main.ts';
// What main loads is there already: virtual time would run on meanwhile.
import '../../src/promote.ts';
import { post } from '../../src/post.ts';
import type { Promotion } from '../../src/promotion/model.ts';
import { prune } from '../../src/prune.ts';
import type { Workflow } from '../../src/step.ts';
import { verify } from '../../src/verify.ts';
import { BUILD, type FakeCloud, HERE, PROD, SOURCE } from '../promotion/fake-cloud.ts';
import { type Annotation, Lines, StepConsole } from '../runner/commands.ts';
import { FileCommands, type FileResults } from '../runner/files.ts';
import { Masks } from '../runner/masks.ts';
import type { VirtualClock } from '../virtual-clock.ts';

export const KEYS = { 'public-key': 'public+canary/1==', 'private-key': 'private-canary-2' };

const ENTRIES = { main, post, verify, prune };

/** Inputs as the runner passes them. */
export function inputs(given: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
  );
}

/** What promotes SOURCE of a FakeCloud to hk and sg. */
export const ORDER = {
  ...KEYS,
  region: HERE,
  'project-id': BUILD,
  'source-image-id': SOURCE.ImageId,
  'target-project-id': PROD,
  'target-regions': 'hk, sg',
};

/** Twenty times as fast as the system's. */
export const fastClock: Clock = (() => {
  const start = Date.now();
  return {
    now: () => start + (Date.now() - start) * 20,
    sleep: (ms, signal) => systemClock.sleep(ms / 20, signal),
    random: () => Math.random(),
  };
})();

export interface Result extends FileResults {
  /** Everything that was printed, masks and all. */
  raw: string;
  /** What a reader of the log sees. */
  log: string;
  errors: string[];
  warnings: string[];
  notices: string[];
  /** The values that were to be masked, in order. */
  masked: string[];
  failed: boolean;
}

/** The runner's side of one step: the real @actions/core prints into it and writes its files. */
export class Step {
  readonly #files: FileCommands;
  readonly #masks = new Masks();
  readonly #console = new StepConsole(this.#masks, true, () => undefined);
  readonly #folder = mkdtempSync(join(tmpdir(), 'step-'));
  readonly cancel = new AbortController();
  #raw = '';

  constructor() {
    onTestFinished(() => {
      vi.unstubAllEnvs();
      rmSync(this.#folder, { recursive: true });
    });
    this.#files = new FileCommands(join(this.#folder, 'files'));
  }

  /** The files as they are now. */
  files(): FileResults {
    return this.#files.collect(new StepConsole(new Masks(), false, () => undefined), new Masks());
  }

  async capture(work: () => Promise<void>, state: Record<string, string> = {}): Promise<Result> {
    for (const [name, value] of Object.entries(this.#files.env)) vi.stubEnv(name, value);
    for (const [name, value] of Object.entries(state)) vi.stubEnv(`STATE_${name}`, value);
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      this.#raw += String(chunk);
      return true;
    });
    const before = process.exitCode;
    process.exitCode = undefined;
    let failed: boolean;
    try {
      await work();
    } finally {
      write.mockRestore();
      failed = process.exitCode === 1;
      process.exitCode = before;
      for (const name of Object.keys(state)) vi.stubEnv(`STATE_${name}`, undefined);
    }
    const lines = new Lines((line) => this.#console.print(line));
    lines.push(this.#raw);
    lines.end();
    const of = (level: Annotation['level']) =>
      this.#console.annotations
        .filter((annotation) => annotation.level === level)
        .map(({ message }) => message);
    return {
      ...this.#files.collect(this.#console, this.#masks),
      raw: this.#raw,
      log: this.#console.log,
      errors: of('error'),
      warnings: of('warning'),
      notices: of('notice'),
      masked: this.#masks.values,
      failed,
    };
  }

  workflow(env: Record<string, string>, some: Partial<Workflow> = {}): Workflow {
    // The summary of @actions/core keeps the first file that it saw.
    const summary = new (actionsCore.summary.constructor as new () => typeof actionsCore.summary)();
    return {
      core: { ...actionsCore, summary },
      env: { GITHUB_STATE: 'state', ...env },
      clock: fastClock,
      signal: this.cancel.signal,
      ...some,
    };
  }

  /** Runs an action, or post, on a cloud in virtual time. */
  async play(
    entry: keyof typeof ENTRIES,
    cloud: FakeCloud,
    clock: VirtualClock,
    given: Record<string, string>,
    state: Record<string, string> = {},
  ): Promise<Result> {
    const run = ENTRIES[entry];
    const workflow = this.workflow(
      { ...inputs(given), GITHUB_RUN_ID: '77', GITHUB_RUN_ATTEMPT: '2' },
      {
        clock,
        createCloud: () => cloud,
      },
    );
    return this.capture(() => clock.run(run(workflow)), state);
  }
}

export const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

export function outcome({ outputs }: FileResults): {
  status: Promotion['status'];
  ids: Record<string, string>;
  failed: string[];
  images: Record<string, unknown>[];
} {
  return {
    status: outputs.status as Promotion['status'],
    ids: JSON.parse(outputs['image-ids'] ?? 'none'),
    failed: JSON.parse(outputs['failed-regions'] ?? 'none'),
    images: JSON.parse(outputs.images ?? 'none'),
  };
}
