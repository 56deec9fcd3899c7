import type { VirtualClock } from '../../virtual-clock.ts';

/** What has happened in a game, and what must not. */
export class Journal {
  readonly log: string[] = [];
  readonly violations: string[] = [];
  /** How often each kind of fault has really struck. */
  readonly struck = new Map<string, number>();
  readonly keepsLog: boolean;
  private readonly clock: VirtualClock;

  constructor(clock: VirtualClock, keepsLog: boolean) {
    this.clock = clock;
    this.keepsLog = keepsLog;
  }

  strike(kind: string): void {
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  /** A search keeps no log: what breaks a promise is played again. */
  note(line: string): void {
    if (this.keepsLog) this.log.push(`${(this.clock.elapsed / 1000).toFixed(2).padStart(9)}  ${line}`);
  }

  violate(what: string): void {
    this.note(`VIOLATION: ${what}`);
    this.violations.push(what);
  }
}
