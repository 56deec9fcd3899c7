import fc from 'fast-check';
import { scenario } from './draw.ts';
import { type Played, play } from './play.ts';
import type { Scenario } from './scenario.ts';
import { story } from './story.ts';
import { REGIONS } from './world/facts.ts';

export interface Found {
  seed: number;
  /** Schedules played, the failing one included. */
  runs: number;
  failure: { shrinks: number; scenario: Scenario; played: Played } | null;
  /** In how many schedules each kind of fault has really struck. */
  struck: Map<string, number>;
}

/** Milliseconds for making a failing schedule smaller. */
const SHRINKING = 20_000;

/** Plays random schedules until one breaks a promise, and makes that one as small as it can. */
export async function search(
  seed: number,
  runs: number,
  shrinking = SHRINKING,
  onPlay = () => {},
): Promise<Found> {
  const struck = new Map<string, number>();
  let played = 0;
  let failedAt: number | null = null;
  const property = fc.asyncProperty(scenario, async (one) => {
    if (failedAt !== null && Date.now() - failedAt > shrinking) return true;
    onPlay();
    const result = await play(one, false);
    if (failedAt === null) {
      played++;
      for (const kind of result.struck.keys()) struck.set(kind, (struck.get(kind) ?? 0) + 1);
      if (result.violations.length > 0) failedAt = Date.now();
    }
    return result.violations.length === 0;
  });
  const details = await fc.check(property, { seed, numRuns: runs });
  const [smallest] = details.counterexample ?? [];
  if (!details.failed || !smallest) return { seed, runs: played, failure: null, struck };
  const failure = { shrinks: details.numShrinks, scenario: smallest, played: await play(smallest) };
  return { seed, runs: played, failure, struck };
}

/** The schedules that a search with this seed plays. */
export function schedules(seed: number, count: number): Scenario[] {
  return fc.sample(scenario, { seed, numRuns: count });
}

/** A kind of violation: the schedules that show it, from 1 on, and the first one's words. */
export interface Kind {
  at: number[];
  example: string;
}

/** Plays all schedules, also after one that breaks a promise. */
export async function survey(seed: number, count: number, onPlay: () => void): Promise<Map<string, Kind>> {
  const broken = new Map<string, Kind>();
  for (const [index, one] of schedules(seed, count).entries()) {
    onPlay();
    const { violations } = await play(one, false);
    for (const violation of violations) {
      const kind = kindOf(violation);
      const { at, example } = broken.get(kind) ?? { at: [], example: violation };
      broken.set(kind, { at: at.at(-1) === index + 1 ? at : [...at, index + 1], example });
    }
  }
  return broken;
}

/** A violation without what is quoted, and without its ids, regions and numbers. */
function kindOf(violation: string): string {
  return violation
    .replace(/(?<=: ).*$/s, '…')
    .replace(/(uimage-\w+|null)( and (uimage-\w+|null))*/g, 'ID')
    .replace(new RegExp(`\\b(${REGIONS.join('|')})\\b`, 'g'), 'REGION')
    .replace(/\d+(\.\d+)?/g, 'N');
}

/** Long rows of reads without a fault, and of heartbeats, are left out. */
export function shortened(log: string[]): string[] {
  const lines: string[] = [];
  let row = 0;
  for (const line of log) {
    row = / (DescribeImage|Get\w+) \d+ [^[]*$| available, /.test(line) ? row + 1 : 0;
    if (row <= 4) lines.push(line);
    else if (row === 5) lines.push('           …');
  }
  return lines;
}

/** A failing schedule for a reader. */
export function tell({ seed, runs, failure }: Found): string {
  if (!failure) return '';
  return [
    `Seed ${seed}: schedule ${runs} breaks a promise (made smaller ${failure.shrinks} times):`,
    ...failure.played.violations.map((violation) => `- ${violation}`),
    'The story:',
    story(failure.scenario),
    'What happened, in seconds:',
    ...shortened(failure.played.log),
    `To play it again: node test/chaos/run.ts --schedule '${JSON.stringify(failure.scenario)}'`,
  ].join('\n');
}
