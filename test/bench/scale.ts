/** A release of many images to many regions on one account: the real promotion and client, on a cloud in virtual time. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getProjects, getRegions } from '../../src/cloud/account.ts';
import { createClient } from '../../src/cloud/client.ts';
import type { Cloud } from '../../src/cloud/cloud.ts';
import { copyCustomImage, describeImages, terminateCustomImage } from '../../src/cloud/images.ts';
import type { Transport } from '../../src/cloud/transport.ts';
import { promote } from '../../src/promotion/promote.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { chart } from './chart.ts';
import { TRIP } from './notice.ts';

/** Seconds that a copy takes, drawn for each. */
const SHORTEST = 180;
const LONGEST = 300;

interface Setting {
  images: number;
  regions: number;
  /** Calls per second on the account before the API answers 153; Infinity: no limit. */
  limit: number;
  /** `max-parallel` of the matrix. */
  abreast?: number;
}

interface Outcome extends Setting {
  /** Seconds until everything is Available, and until the action knows. */
  floor: number;
  took: number;
  calls: number;
  refused: number;
  copies: number;
  /** Jobs that did not end with every copy Available. */
  failed: number;
  /** The most answered in one second. */
  busiest: number;
}

/** One account: all jobs share its limit. */
class Account {
  readonly clock: VirtualClock;
  readonly limit: number;
  readonly calls = { all: 0, refused: 0, copies: 0, failed: 0, busiest: 0 };
  #accepted: number[] = [];

  constructor(clock: VirtualClock, limit: number) {
    this.clock = clock;
    this.limit = limit;
  }

  admits(): boolean {
    this.calls.all += 1;
    const now = this.clock.now();
    this.#accepted = this.#accepted.filter((at) => at > now - 1_000);
    if (this.#accepted.length >= this.limit) {
      this.calls.refused += 1;
      return false;
    }
    this.#accepted.push(now);
    this.calls.busiest = Math.max(this.calls.busiest, this.#accepted.length);
    return true;
  }
}

interface Made {
  region: string;
  description: string;
  readyAt: number;
}

/** The API as one job sees it: its own source, its own copies, the account's limit. */
function transportOf(account: Account, regions: readonly string[], images: Map<string, Made>): Transport {
  const { clock } = account;
  const row = (id: string, { description, readyAt }: Made) => ({
    ImageId: id,
    ImageName: 'web',
    ImageType: 'Custom',
    ImageDescription: description,
    State: clock.now() >= readyAt ? 'Available' : 'Copying',
  });
  function answer(params: URLSearchParams): Record<string, unknown> {
    if (!account.admits()) return { RetCode: 153, Message: 'Too many requests' };
    switch (params.get('Action')) {
      case 'GetRegion':
        return { RetCode: 0, Regions: regions.map((Region) => ({ Region })) };
      case 'GetProjectList':
        return {
          RetCode: 0,
          ProjectSet: [{ ProjectId: 'org-build', IsDefault: true }, { ProjectId: 'org-prod' }],
        };
      case 'DescribeImage': {
        const wanted = params.get('ImageId');
        const found = [...images].filter(
          ([id, { region }]) => region === params.get('Region') && (wanted === null || wanted === id),
        );
        return { RetCode: 0, TotalCount: found.length, ImageSet: found.map(([id, image]) => row(id, image)) };
      }
      case 'CopyCustomImage': {
        account.calls.copies += 1;
        const listed = [...params].flatMap(([name, value]) =>
          name.startsWith('TargetRegionList.') ? [value] : [],
        );
        const targets = listed.length > 0 ? listed : [params.get('TargetRegion') ?? ''];
        const made = targets.map((region) => {
          const id = `uimage-${images.size}-${region}`;
          const seconds = SHORTEST + (LONGEST - SHORTEST) * clock.random();
          const description = params.get('TargetImageDescription') ?? '';
          images.set(id, { region, description, readyAt: clock.now() + 1_000 * seconds });
          return { TargetRegion: region, TargetImageId: id, TaskId: `task-${id}` };
        });
        return { RetCode: 0, ...(listed.length > 0 ? { Infos: made } : made[0]) };
      }
      default:
        return { RetCode: 161, Message: 'No such action' };
    }
  }
  return {
    async send({ body, signal }) {
      await clock.sleep(500 * TRIP, signal);
      const answered = JSON.stringify(answer(new URLSearchParams(body)));
      await clock.sleep(500 * TRIP, signal);
      return { status: 200, headers: {}, body: answered };
    },
    close: async () => undefined,
  };
}

async function job(account: Account, regions: readonly string[], index: number): Promise<number> {
  const { clock } = account;
  const images = new Map<string, Made>([['uimage-source', { region: 'here', description: '', readyAt: 0 }]]);
  const transport = transportOf(account, ['here', ...regions], images);
  const client = createClient({
    url: 'http://127.0.0.1/',
    publicKey: 'p',
    privateKey: 'k',
    clock,
    transport,
  });
  const cloud: Cloud = {
    describeImages: (query, options) => describeImages(client, query, options),
    copyCustomImage: (request, options) => copyCustomImage(client, request, options),
    terminateCustomImage: (image, options) => terminateCustomImage(client, image, options),
    getRegions: (options) => getRegions(client, options),
    getProjects: (options) => getProjects(client, options),
  };
  const promotion = await promote({
    order: {
      source: { region: 'here', projectId: 'org-build', imageId: 'uimage-source' },
      target: { projectId: 'org-prod', regions: [...regions] },
      extraParameters: {},
      ifExists: 'adopt',
      wait: true,
      timeout: 7_200_000,
      dryRun: false,
      run: `run-${index}`,
    },
    cloud,
    clock,
    report: () => undefined,
    signal: new AbortController().signal,
  });
  const made = images.size - 1;
  if (made > regions.length)
    throw new Error(`Job ${index} made ${made} copies for ${regions.length} regions.`);
  if (promotion.status !== 'available') account.calls.failed += 1;
  return Math.max(...[...images.values()].map(({ readyAt }) => readyAt));
}

async function simulate(setting: Setting): Promise<Outcome> {
  const clock = new VirtualClock({ seed: 7 });
  const account = new Account(clock, setting.limit);
  const regions = Array.from({ length: setting.regions }, (_, index) => `region-${index}`);
  const waiting = Array.from({ length: setting.images }, (_, index) => index);
  let lastReady = 0;
  const runner = async () => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      // Jobs of a matrix do not start in one instant.
      await clock.sleep(5_000 * clock.random());
      lastReady = Math.max(lastReady, await job(account, regions, index));
    }
  };
  const runners = Math.min(setting.images, setting.abreast ?? setting.images);
  await clock.run(Promise.all(Array.from({ length: runners }, runner)));
  const { all, ...counts } = account.calls;
  return {
    ...setting,
    floor: (lastReady - clock.start) / 1_000,
    took: clock.elapsed / 1_000,
    calls: all,
    ...counts,
  };
}

const MATRIX = { images: 50, regions: 33 };
const LIMITS = [Number.POSITIVE_INFINITY, 100, 50, 20, 10];

/** Writes scale.md and scale.svg into the folder. */
export async function scale(folder: string): Promise<void> {
  const run = async (settings: Setting[]) => {
    const outcomes: Outcome[] = [];
    for (const setting of settings) outcomes.push(await simulate(setting));
    return outcomes;
  };
  const free = Number.POSITIVE_INFINITY;
  const regions = await run([1, 2, 8, 16, 33].map((count) => ({ images: 1, regions: count, limit: free })));
  const counts = [1, 5, 10, 20, 35, 50];
  const byLimit: Outcome[][] = [];
  for (const limit of LIMITS) byLimit.push(await run(counts.map((images) => ({ ...MATRIX, images, limit }))));
  const abreast = await run([5, 10, 20, 50].map((count) => ({ ...MATRIX, limit: 20, abreast: count })));
  const free50 = byLimit[0] ?? [];
  const throttled = byLimit.map((line) => line.at(-1)).filter((one) => one !== undefined);

  writeFileSync(
    join(folder, 'scale.svg'),
    chart('A matrix of images, each to 33 regions, on one account', [
      {
        title: 'seconds until all images are known to be Available',
        x: {
          label: 'images promoted side by side',
          ticks: { 0: '0', 10: '10', 20: '20', 30: '30', 40: '40', 50: '50' },
        },
        y: { ticks: { 0: '0', 300: '300', 600: '600', 900: '900', 1200: '1,200' } },
        lines: drawn(byLimit, ({ took }) => took),
      },
      {
        title: 'calls, refused ones included',
        x: {
          label: 'images promoted side by side',
          ticks: { 0: '0', 10: '10', 20: '20', 30: '30', 40: '40', 50: '50' },
        },
        y: {
          ticks: {
            0: '0',
            10000: '10,000',
            20000: '20,000',
            30000: '30,000',
            40000: '40,000',
            50000: '50,000',
          },
        },
        lines: drawn(byLimit, ({ calls }) => calls),
      },
    ]),
  );
  writeFileSync(join(folder, 'scale.md'), page(regions, free50, throttled, abreast));
}

const named = (limit: number) => (Number.isFinite(limit) ? `${limit} calls/s` : 'no limit');

function drawn(lines: readonly Outcome[][], pick: (outcome: Outcome) => number) {
  return lines.map((outcomes) => ({
    name: named(outcomes[0]?.limit ?? 0),
    points: outcomes.map((outcome): [number, number] => [outcome.images, pick(outcome)]),
  }));
}

function page(regions: Outcome[], images: Outcome[], limits: Outcome[], abreast: Outcome[]): string {
  const whole = (value: number) => Math.round(value).toLocaleString('en');
  const table = (name: string, outcomes: Outcome[], first: (outcome: Outcome) => string) =>
    [
      `| ${name} | CopyCustomImage | all calls | refused (153) | busiest second | last copy Available | end | later by | failed jobs |`,
      '|--:|--:|--:|--:|--:|--:|--:|--:|--:|',
      ...outcomes.map((one) => {
        const late = one.took - one.floor;
        const cells = [
          whole(one.copies),
          whole(one.calls),
          whole(one.refused),
          whole(one.busiest),
          `${whole(one.floor)} s`,
          `${whole(one.took)} s`,
          `${late.toFixed(1)} s`,
          whole(one.failed),
        ];
        return `| ${first(one)} | ${cells.join(' | ')} |`;
      }),
    ].join('\n');
  return `# Scale

How time and calls grow with regions, images and jobs side by side, and what happens when the account's limit is met.
The numbers come from \`npm run bench -- --scale\`: the action's own promotion and client code, on a cloud in virtual
time. Each job of the matrix is one image and one client, as in the reusable workflow; all share one account. A copy
takes ${SHORTEST} to ${LONGEST} s, an answer ${TRIP * 1000} ms, and the jobs start within 5 s. What the real API allows per second is not documented; the
limits here are examples. No image was ever made twice.

![Time and calls of a matrix](scale.svg)

## Regions: one image

${table('regions', regions, (one) => whole(one.regions))}

The copies are one call, however many regions there are. Before it, each region is listed once; after it, each open
region is polled. Time does not grow with the regions: they are polled beside each other.

## Images: each to ${MATRIX.regions} regions, all jobs side by side, no limit

${table('images', images, (one) => whole(one.images))}

## Limits: ${MATRIX.images} images × ${MATRIX.regions} regions, all jobs side by side

${table('limit', limits, (one) => named(one.limit))}

Each job has at most 12 calls under way. A refused call says that there are too many on the account: the job goes on at
three quarters of its pace, its calls apart from each other, and is back at that pace after 20 to 60 s, then faster. A
poll of a copy counts twice, so that others get their checks and copies through. A refused CopyCustomImage was not
carried out; it is sent again after a look at the targets, so no image is made twice. Jobs share no memory: each finds
its pace by itself.

## Jobs side by side: ${MATRIX.images} images × ${MATRIX.regions} regions, limit 20 calls/s

${table('`max-parallel`', abreast, (one) => whole(one.abreast ?? one.images))}

Copies of one job after another add up, so fewer jobs side by side take longer in all, whatever they save in refused calls.
`;
}
