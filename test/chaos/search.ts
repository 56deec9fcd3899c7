import fc from 'fast-check';
import { type Played, play } from './play.ts';
import { type Scenario, scenario, story } from './scenario.ts';

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
export async function search(seed: number, runs: number, shrinking = SHRINKING): Promise<Found> {
  const struck = new Map<string, number>();
  let played = 0;
  let failedAt: number | null = null;
  const property = fc.asyncProperty(scenario, async (one) => {
    if (failedAt !== null && Date.now() - failedAt > shrinking) return true;
    const result = await play(one);
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

/** Long rows of reads without a fault, and of heartbeats, are left out. */
function shortened(log: string[]): string[] {
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
