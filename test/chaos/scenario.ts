/** What becomes of one copy. Seconds after it was made. */
export interface Fate {
  seconds: number;
  end: 'Available' | 'Unavailable' | 'differs' | 'stuck';
  /** Until then it tells a state that nobody documented. */
  odd: boolean;
  /** More than 50 s is later than the model's cloud promises. */
  listedAfter: number;
  /** Its ImageSize is 0. */
  sizeless: 'never' | 'at first' | 'always';
  /** Somebody edits its description: nothing is left of it, or something follows. */
  edited?: { after: number; how: 'replaced' | 'continued' };
  /** Somebody deletes it. */
  removedAfter?: number;
}

/** `executed`: seconds after the call was sent, null for never. */
export type Effect =
  | { kind: 'refused' | 'truncated' | 'blink' }
  | { kind: 'lost'; after: number; executed: number | null }
  | { kind: 'hang' | 'garbage'; executed: number | null }
  | { kind: 'http'; status: number; executed: number | null }
  /** `mask`: of a batch, the bits of the regions that are executed all the same. */
  | { kind: 'code'; code: number; executed: number | null; mask: number }
  /** A list without some or all of its rows, with null for one, or without ImageSet; its TotalCount is true. */
  | { kind: 'unwhole'; how: 'empty' | 'rows' | 'no set' | 'null' }
  | { kind: 'slow'; seconds: number }
  | { kind: 'partial'; which: number; how: Gap; executed: number | null };

/**
 * What an answer has of one region. `twice`: of a list, with an id that is none before its own. `wrong`: the id of an image
 * that somebody has just made under our name; `old`: a month ago. `swapped`: of a list, the id of the next region, which has
 * its.
 */
export type Gap = 'missing' | 'empty' | 'twice' | 'wrong' | 'old' | 'swapped';

export type Action = 'CopyCustomImage' | 'DescribeImage' | 'TerminateCustomImage' | 'GetRegion';

/** Strikes the calls `nth` to `nth + count - 1` of an action, counted over all runs. */
export interface Fault {
  on: Action;
  nth: number;
  count: number;
  effect: Effect;
}

export type Held =
  | 'earlier available'
  | 'earlier copying'
  | 'earlier broken'
  | 'earlier differs'
  | 'earlier stuck'
  | 'other name'
  | 'of another source'
  | 'namesake';

export interface Target {
  held: Held[];
  /** The fate of the first copy made there, the second, and so on; the last one repeats. */
  fates: Fate[];
  /**
   * Images of our name that somebody makes, `after` seconds: without a description, with another one, or with the one of a
   * copy of ours; with the source's content, or not.
   */
  strangers: { after: number; described: 'not' | 'otherwise' | 'as ours'; same: boolean }[];
  /** Every copy to this region is refused so. */
  refuses: number | null;
  /** Lists of this region are refused so, for so many seconds from the start of the scenario. */
  unlisted: { how: number | 'html'; seconds: number } | null;
}

/** The step is cancelled, or killed, so many seconds after its start, or milliseconds after its `copy`th CopyCustomImage. */
export interface Stop {
  how: 'cancel' | 'kill';
  at: { seconds: number } | { copy: number; plus: number };
  /** The post step runs. */
  post: boolean;
}

export interface Run {
  ifExists: 'adopt' | 'copy' | 'fail';
  wait: boolean;
  timeout: string;
  pollInterval: string;
  rollback: 'never' | 'step' | 'job';
  stop: Stop | null;
  laterStepFails: boolean;
  /** The same step begins once more, so many milliseconds later, at the side of this one. */
  twin: number | null;
  /** Seconds until the next run. */
  gap: number;
}

export interface Scenario {
  seed: number;
  sameProject: boolean;
  tellsProject: boolean;
  byName: boolean;
  /** Characters of the source's description. */
  text: number;
  site: {
    batch: boolean;
    /** What a batch makes when one of its regions is refused: nothing, those before it, or all others. */
    midway: 'nothing' | 'before' | 'others';
    /** How a batch answers then: with the code, without an entry for the region, or with an empty one. */
    answersRefusal: 'code' | 'missing' | 'empty';
    /** GetRegion and GetProjectList are denied. */
    denies: boolean;
    /** Names are kept in small letters. */
    lowercases: boolean;
    states: 'documented' | 'UnAvailable' | 'lower case';
    /** Seconds for which lists hold what was deleted; so do reads by id, or not. */
    ghosts: { seconds: number; byId: boolean } | null;
    /** Every delete is refused with 295. */
    locked: boolean;
    /** A delete is accepted and carried out later, or not at all for the first times. */
    deletes: { how: 'late'; seconds: number } | { how: 'ignored'; times: number } | null;
    /** A batch is executed, and answered as one copy: with the first id alone. */
    answersOne: boolean;
    /** Calls a second and at once; what is beyond is refused. */
    throttle: { rate: number; burst: number } | null;
    /** Characters of a description that the site keeps; null for all. */
    description: number | null;
    page: number;
    total: boolean;
    newestFirst: boolean;
    /** DescribeImage of an id that is not listed answers 8956. */
    missingIsAnError: boolean;
    /** Milliseconds. */
    latency: number;
    /** Other images in each region. */
    others: number;
    refusal: { code: number; seconds: number } | null;
    /** Lists show the images of every region, and deletes heed the id alone. */
    everywhere: boolean;
  };
  targets: Target[];
  faults: Fault[];
  /** From `at`, for so many seconds, every read, or every call, is throttled or finds no connection. */
  outage: { at: number; seconds: number; how: 'throttle' | 'connection'; reads: boolean } | null;
  runs: Run[];
  /** One more run, without faults, that adopts and waits. */
  convergence: boolean;
}
