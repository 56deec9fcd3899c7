import type { Workflow } from '../../src/step.ts';
import type { Process } from './world/caller.ts';
import type { World } from './world/world.ts';

/** A row of the output `images`. */
export interface Row {
  region: string;
  imageId: string | null;
  outcome: string;
  state: string | null;
  error: string | null;
}

/** The workflow's side of one step, as it is left when the process dies. */
export class Step {
  readonly outputs = new Map<string, string>();
  readonly state = new Map<string, string>();
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  readonly lines: string[] = [];

  core(process: Process, world: World): Workflow['core'] {
    const alive = (action: (text: string) => void) => (text: unknown) => {
      if (process.alive) action(text instanceof Error ? text.message : String(text));
    };
    const say = (into: string[], prefix: string) =>
      alive((text) => {
        into.push(text);
        if (world.journal.keepsLog) world.journal.note(`${prefix}${text.replaceAll('\n', ' / ')}`);
      });
    const core = {
      setSecret: () => undefined,
      info: say(this.lines, '    | '),
      notice: say(this.lines, '    | '),
      startGroup: () => undefined,
      endGroup: () => undefined,
      debug: () => undefined,
      isDebug: () => false,
      warning: say(this.warnings, '    | warning: '),
      setFailed: say(this.errors, '    | error: '),
      error: say(this.errors, '    | error: '),
      setOutput: (name: string, value: unknown) => {
        if (process.alive) this.outputs.set(name, String(value));
      },
      saveState: (name: string, value: unknown) => {
        if (process.alive) this.state.set(name, typeof value === 'string' ? value : JSON.stringify(value));
      },
      getState: (name: string) => this.state.get(name) ?? '',
    };
    return core as unknown as Workflow['core'];
  }

  /** What draws a reader's eye. */
  get warned(): string {
    return [...this.warnings, ...this.errors].join('\n');
  }

  get told(): string {
    return [...this.lines, ...this.warnings, ...this.errors].join('\n');
  }

  get known(): string {
    return [...this.outputs.values(), ...this.state.values(), this.told].join('\n');
  }

  images(): Row[] {
    return JSON.parse(this.outputs.get('images') ?? '[]');
  }

  /** The image that is handed out for a region. */
  idOf(region: string): string | null {
    const ids: Record<string, string> = JSON.parse(this.outputs.get('image-ids') ?? '{}');
    return ids[region] ?? null;
  }
}
