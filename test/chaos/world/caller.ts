import type { Run } from '../scenario.ts';

export interface Listing {
  startedAt: number;
  /** When the last list that came whole was read in the cloud. */
  wholeAt: number;
  /** The last try to read it failed. */
  failed: boolean;
}

/** A step of the workflow, as its main process and its post process share what the world knows of it. */
export class Caller {
  readonly number: number;
  readonly settings: Run;
  readonly startedAt: number;
  /** Nothing may be sent from then on. */
  readonly deadline: number;
  cancelledAt: number | null = null;
  copies = 0;
  faults = 0;
  /** Faults that struck its deletes, and whether one of them never passes. */
  readonly deletes = { faults: 0, hard: false };
  /** By more than answers to copies that leave a doubt. */
  disturbed = false;
  /** Regions that may fail by right; `*` for all. */
  readonly hard = new Set<string>();
  /** Region → how many answers may stand for an image that has no id. */
  readonly unclear = new Map<string, number>();
  /** Region → since when a refusal for good of a batch has to be looked behind. */
  readonly refused = new Map<string, number>();
  readonly sends = new Map<string, number>();
  readonly lists = new Map<string, Listing>();
  /** Ids that CopyCustomImage answered with. */
  readonly answered = new Set<string>();
  /** Those of them that it answered with for one region. */
  readonly named = new Set<string>();
  /** When the last CopyCustomImage was answered, or given up. */
  answeredAt = 0;
  /** Since when every answer is a throttle. */
  throttledSince: number | null = null;
  /** What its marks name it. */
  mark: string | null = null;

  constructor(number: number, settings: Run, startedAt: number, timeout: number) {
    this.number = number;
    this.settings = settings;
    this.startedAt = startedAt;
    this.deadline = startedAt + timeout;
  }

  isHard(region: string): boolean {
    return this.hard.has('*') || this.hard.has(region);
  }

  /** When the region was last read whole; before all time if never. */
  readAt(region: string): number {
    return this.lists.get(region)?.wholeAt ?? Number.NEGATIVE_INFINITY;
  }
}

/** What can be killed. */
export interface Process {
  caller: Caller;
  phase: 'main' | 'post';
  alive: boolean;
  /** CopyCustomImage is on its way. */
  onCopy: () => void;
  onIds: (ids: string[]) => void;
}
