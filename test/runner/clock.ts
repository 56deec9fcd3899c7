/** Time for processes that mostly sleep: it runs as the real one does, and jumps while all of them only wait for it. */
import type { ChildProcess } from 'node:child_process';

/** What warp.ts says of its process when nothing goes on there. */
export interface Asleep {
  /** Unix time in ms of its next timer. */
  until: number;
  /** The local ports of its connections that wait for an answer. */
  ports: number[];
}

const warpModule = new URL('warp.ts', import.meta.url);

export class Clock {
  /** How far it has jumped, in ms: what the processes have slept together. */
  ahead = 0;
  readonly #processes = new Map<ChildProcess, Asleep | undefined>();
  /** Ports of connections that wait for an answer that will never come. */
  unanswered: ReadonlySet<number> = new Set();

  /** Unix time in ms. */
  readonly now = (): number => performance.timeOrigin + performance.now() + this.ahead;

  /** What a process that lives by this clock is started with, beside an IPC channel. */
  readonly nodeOptions = ['--import', warpModule.href];

  /** The module's address stays the same from start to start: Node keeps what it made of it. */
  get env(): Record<string, string> {
    return { WARP_AHEAD: String(this.ahead) };
  }

  join(child: ChildProcess): void {
    this.#processes.set(child, undefined);
    child.on('message', (asleep: Asleep) => {
      this.#processes.set(child, asleep);
      this.#jump();
    });
    child.once('exit', () => {
      this.#processes.delete(child);
      this.#jump();
    });
  }

  /** Before something is done to the process that it does not do by itself. */
  wake(child: ChildProcess): void {
    this.#processes.set(child, undefined);
  }

  #jump(): void {
    const processes = [...this.#processes.values()];
    if (processes.some((asleep) => asleep?.ports.every((port) => this.unanswered.has(port)) !== true)) return;
    const until = Math.min(...processes.map((asleep) => asleep?.until ?? 0));
    const jump = until - this.now();
    if (!(jump > 0) || jump === Number.POSITIVE_INFINITY) return;
    this.ahead += jump;
    for (const child of this.#processes.keys()) {
      this.#processes.set(child, undefined);
      // It may have ended meanwhile.
      if (child.connected) child.send(this.ahead, () => {});
    }
  }
}
