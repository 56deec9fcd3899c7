/** What the client gets instead of the answer. */
export type FaultKind =
  | { retCode: number; message?: string }
  /** Without a body: a gateway's HTML page. */
  | { http: number; body?: string }
  | 'garbage'
  | 'empty'
  /** Never answered; ends with the emulator. */
  | 'hang'
  /** The connection is reset without an answer. */
  | 'reset'
  /** Half of an answer, then the end of the connection. */
  | 'truncated'
  | 'redirect'
  /** A valid answer of 16 MiB. */
  | 'huge';

export interface Fault {
  /** Without it: any call. */
  action?: string;
  /** Without it: any region. For CopyCustomImage a target region, otherwise Region. */
  region?: string;
  /** How many calls get it; default 1; Infinity: all. */
  times?: number;
  /** Whether the call takes effect all the same. */
  executed: boolean;
  kind: FaultKind;
}

export interface FaultTarget {
  action: string;
  regions: string[];
}

/** The faults still to come. The first that fits a call wins. */
export class Faults {
  #pending: { fault: Fault; left: number }[] = [];

  push(...faults: Fault[]): void {
    for (const fault of faults) this.#pending.push({ fault, left: fault.times ?? 1 });
  }

  /** Those that have yet to be met: empty once every fault was played. */
  get pending(): Fault[] {
    return this.#pending.map(({ fault }) => fault);
  }

  take({ action, regions }: FaultTarget): Fault | undefined {
    const waiting = this.#pending.find(
      ({ fault }) => (fault.action ?? action) === action && (!fault.region || regions.includes(fault.region)),
    );
    if (!waiting) return undefined;
    waiting.left -= 1;
    this.#pending = this.#pending.filter(({ left }) => left > 0);
    return waiting.fault;
  }
}
