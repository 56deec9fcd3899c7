/** How late the action notices the end of its copies, and with how many polls: its own loop in virtual time. */
import type { Cloud, Image } from '../../src/cloud/cloud.ts';
import { drive } from '../../src/promotion/drive.ts';
import type { Order } from '../../src/promotion/model.ts';
import { newHeld, newPlace, newRun, type Place } from '../../src/promotion/place.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { type Noticed, play, type Schedule } from './peers.ts';

/** Seconds from a poll to its answer: an intercontinental round trip. */
export const TRIP = 0.2;

const MARK = '[copy of here/uimage-source by 1-1-bench0]';
const SOURCE: Image = { ImageId: 'uimage-source', State: 'Available' };

/** Polls copies that take so many seconds until all are known to have ended. */
export async function notice(copies: readonly number[], seed: number): Promise<Noticed> {
  const clock = new VirtualClock({ seed });
  const start = clock.now();
  const took = new Map(copies.map((seconds, index) => [`region-${index}`, seconds * 1000]));
  let polls = 0;
  const unused = () => Promise.reject(new Error('The wait only reads images.'));
  const cloud: Cloud = {
    async describeImages({ Region, ImageIds = [] }) {
      // Without ids it is the last look, when the copy has been noticed.
      polls += ImageIds.length;
      await clock.sleep((TRIP / 2) * 1000);
      const done = clock.now() - start >= (took.get(Region) ?? 0);
      await clock.sleep((TRIP / 2) * 1000);
      const State = done ? 'Available' : 'Copying';
      const ids = ImageIds.length > 0 ? ImageIds : [`uimage-${Region}`];
      return ids.map((ImageId) => ({ ImageId, ImageName: 'bench', ImageDescription: MARK, State }));
    },
    copyCustomImage: unused,
    terminateCustomImage: unused,
    getRegions: unused,
    getProjects: unused,
  };
  const order: Order = {
    source: { region: 'here' },
    target: { projectId: 'org-target', regions: [...took.keys()] },
    extraParameters: {},
    ifExists: 'adopt',
    wait: true,
    timeout: 86_400_000,
    dryRun: false,
    run: '1-1-bench0',
  };
  const places = [...took.keys()].map((region) => underWay(region, start));
  await clock.run(
    drive(
      newRun({
        order,
        cloud,
        clock,
        report: () => undefined,
        signal: new AbortController().signal,
        deadline: start + order.timeout,
        startedAt: start,
        findings: { source: SOURCE, sourceProject: null, held: new Map(), unreadable: new Map() },
        places,
      }),
    ),
  );
  const ends = places.map(({ held, problem }) => {
    if (problem || !held?.finishedAt)
      throw new Error('A copy did not end well: the numbers would mean nothing.');
    return held.finishedAt - start;
  });
  return { late: Math.max(...ends) / 1000 - Math.max(...copies), polls };
}

function underWay(region: string, startedAt: number): Place {
  const place = newPlace({
    region,
    projectId: 'org-target',
    name: 'bench',
    optional: false,
    plan: 'copy',
    why: '',
  });
  const image = {
    imageId: `uimage-${region}`,
    created: true,
    startedAt,
    state: 'Copying',
    seenAt: startedAt,
  };
  return { ...place, held: newHeld(image) };
}

export interface Comparison {
  /** Quantiles of seconds late; polls at the median. */
  late: number;
  late90: number;
  polls: number;
}

/**
 * The same copies for everybody. The slowest takes `seconds` ± 5 %, so that no schedule is measured just where one of
 * its polls happens to stand; `fastest` is how long the quickest of several regions takes, as a part of that.
 */
export async function compare(
  seconds: number,
  { regions = 1, fastest = 1, runs = 301 }: { regions?: number; fastest?: number; runs?: number },
  schedules: readonly Schedule[],
): Promise<{ ours: Comparison; peers: Comparison[] }> {
  const random = new VirtualClock({ seed: Math.round(seconds * 1000) + regions });
  const drawn = Array.from({ length: runs }, () => {
    const slowest = seconds * (0.95 + 0.1 * random.random());
    const others = Array.from(
      { length: regions - 1 },
      () => slowest * (fastest + (1 - fastest) * random.random()),
    );
    return [...others, slowest];
  });
  const ours: Noticed[] = [];
  for (const [index, copies] of drawn.entries()) ours.push(await notice(copies, index + 1));
  return {
    ours: summed(ours),
    peers: schedules.map((schedule) => summed(drawn.map((copies) => play(schedule, copies, TRIP)))),
  };
}

function summed(noticed: readonly Noticed[]): Comparison {
  const late = noticed.map((one) => one.late);
  return {
    late: quantile(late, 0.5),
    late90: quantile(late, 0.9),
    polls: quantile(
      noticed.map(({ polls }) => polls),
      0.5,
    ),
  };
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(part * (sorted.length - 1))] ?? Number.NaN;
}
