import { type NewImage, type Partly, partOf } from './world.ts';

/** What the client gets instead of the answer. */
export type FaultKind =
  | { retCode: number; message?: string }
  /** Without a body: a gateway's HTML page. */
  | { http: number; body?: string; headers?: Record<string, string> }
  /** The usual answer, but for these fields; undefined leaves a field out. */
  | { fields: Record<string, unknown> }
  /** The usual answer, and a stranger's image that is there from now on. */
  | { adds: NewImage }
  /** Only in a batch, only for the fault's region: its entry is not in Infos, or has an empty TargetImageId. */
  | { entry: 'missing' | 'empty' }
  | 'garbage'
  | 'empty'
  /** Never answered; ends with the emulator. */
  | 'hang'
  /** The connection is reset without an answer. */
  | 'reset'
  /** Half of an answer, then the end of the connection. */
  | 'truncated'
  | 'redirect'
  /** A valid answer of 64 MiB. */
  | 'huge';

export interface Fault {
  /** Without it: any call. */
  action?: string;
  /** Without it: any region. For CopyCustomImage a target region, otherwise Region. */
  region?: string;
  /** What parameters of the call must be. Without it: anything. */
  params?: Record<string, string>;
  /** The first matching call, counted from when the fault was set, that gets it; default 1. */
  nth?: number;
  /** How many calls get it; default 1; Infinity: until cleared. */
  times?: number;
  /** Whether the call takes effect all the same; of a batch, on some of its regions alone: `region` is the one at fault. */
  executed: boolean | Partly;
  kind: FaultKind;
}

export interface FaultTarget {
  action: string;
  regions: string[];
  batch: boolean;
  params: ReadonlyMap<string, string>;
}

export const entryOf = (fault: Fault): 'missing' | 'empty' | undefined =>
  typeof fault.kind === 'object' && 'entry' in fault.kind ? fault.kind.entry : undefined;

/** The faults still to come. The first that fits a call wins; entry faults add up, one a region. */
export class Faults {
  #pending: { fault: Fault; seen: number; left: number }[] = [];

  push(...faults: Fault[]): void {
    for (const fault of faults) {
      const needsRegion = entryOf(fault) !== undefined || typeof fault.executed === 'string';
      if (needsRegion && !fault.region) throw new Error('This fault needs the region that it is about');
      this.#pending.push({ fault, seen: 0, left: fault.times ?? 1 });
    }
  }

  clear(): void {
    this.#pending = [];
  }

  /** Those that have yet to be met: empty once every fault was played. */
  get pending(): Fault[] {
    return this.#pending.map(({ fault }) => fault);
  }

  take(call: FaultTarget): { answer: Fault | undefined; entries: Map<string, Fault> } {
    const entries = new Map<string, Fault>();
    let answer: Fault | undefined;
    for (const waiting of this.#pending) {
      const { fault } = waiting;
      if (fault.action !== undefined && fault.action !== call.action) continue;
      if (fault.region !== undefined && !call.regions.includes(fault.region)) continue;
      const params = Object.entries(fault.params ?? {});
      if (params.some(([name, value]) => call.params.get(name) !== value)) continue;
      const entry = entryOf(fault) !== undefined;
      if (entry && !call.batch) continue;
      waiting.seen += 1;
      if (waiting.seen < (fault.nth ?? 1)) continue;
      if (entry && fault.region !== undefined) {
        if (entries.has(fault.region)) continue;
        entries.set(fault.region, fault);
      } else {
        if (answer) continue;
        answer = fault;
      }
      waiting.left -= 1;
    }
    this.#pending = this.#pending.filter(({ left }) => left > 0);
    if (answer?.region !== undefined && typeof answer.executed === 'string') {
      const made = partOf(answer.executed, call.regions, answer.region);
      for (const region of call.regions) {
        if (!made.includes(region)) entries.set(region, { ...answer, executed: false });
      }
    }
    return { answer, entries };
  }
}
