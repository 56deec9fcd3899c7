import { expect } from 'vitest';
import type { CopyAnswer, Image } from '../../src/cloud/cloud.ts';
import { COPY } from '../../src/cloud/errors.ts';
import { check, type Findings } from '../../src/promotion/check.ts';
import { type Context, Stopped } from '../../src/promotion/context.ts';
import type { Copy, Event, Order, Promotion } from '../../src/promotion/model.ts';
import { newRun, type Run } from '../../src/promotion/place.ts';
import { plan } from '../../src/promotion/plan.ts';
import { promote } from '../../src/promotion/promote.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { BUILD, DELETE, FakeCloud, HERE, markedBy, PROD, RUN, type Sent, SOURCE } from './fake-cloud.ts';

interface Some extends Partial<Omit<Order, 'source' | 'target'>> {
  source?: Partial<Order['source']>;
  target?: Partial<Order['target']>;
  regions?: string[];
}

export class Scenario {
  readonly clock = new VirtualClock();
  readonly cloud = new FakeCloud(this.clock);
  /** As they were when they were told. */
  readonly events: Event[] = [];
  readonly cancel = new AbortController();
  readonly order: Order;

  constructor({ source, target, regions = ['hk'], ...some }: Some = {}) {
    this.order = {
      source: { region: HERE, ...(source?.name === undefined ? { imageId: SOURCE.ImageId } : {}), ...source },
      target: { projectId: PROD, regions, ...target },
      extraParameters: {},
      ifExists: 'adopt',
      wait: true,
      timeout: 7_200_000,
      dryRun: false,
      run: RUN,
      ...some,
    };
  }

  get context(): Context {
    const { order, cloud, clock } = this;
    return {
      order,
      cloud,
      clock,
      report: (event) => this.events.push(structuredClone(event)),
      signal: this.cancel.signal,
      deadline: clock.start + order.timeout,
    };
  }

  /** Plays the promotion. What every result must be, whatever happened, is checked here. */
  async promote(): Promise<Promotion> {
    const promotion = await this.clock.run(promote(this.context));
    const { regions, optionalRegions = [] } = this.order.target;
    if (promotion.copies.length > 0)
      expect(promotion.copies.map(({ region }) => region)).toEqual([...regions, ...optionalRegions]);
    for (const copy of promotion.copies) {
      expect(copy.problem !== null, `${copy.region}: ${copy.outcome}`).toBe(copy.outcome === 'failed');
      if (copy.imageId === null) expect([copy.startedAt, copy.finishedAt]).toEqual([null, null]);
      if (copy.outcome === 'copied' || copy.outcome === 'adopted') expect(copy.imageId).not.toBeNull();
      if (copy.outcome === 'adopted' || copy.outcome === 'source') expect(copy.created).toBe(false);
    }
    const required = promotion.copies.filter(({ optional }) => !optional);
    const counted = required.length > 0 ? required : promotion.copies;
    if (promotion.status === 'available')
      for (const { imageId, state } of counted)
        expect([imageId, state]).toEqual([expect.any(String), 'Available']);
    const failed = promotion.status === 'failed' || promotion.status === 'partial';
    expect(promotion.problems.length > 0 || counted.some(({ problem }) => problem)).toBe(failed);
    expect(this.events.at(-1)).toEqual({ type: 'ids', copies: promotion.copies });
    return promotion;
  }

  /** Another run of the same order, on the same cloud and at the same time. */
  rival(run: string): Scenario {
    const { target, regions: _, ...order } = { regions: [], ...this.order };
    const rival = new Scenario({ ...order, target, regions: target.regions, run });
    return Object.assign(rival, { clock: this.clock, cloud: this.cloud });
  }

  /** The run as it is when the plan stands, for who plays a single step of it; the target project holds nothing. */
  byHand(some: Partial<Findings> = {}): Run {
    const { context, order, clock } = this;
    const held = new Map(order.target.regions.map((region) => [region, []]));
    const findings = { source: SOURCE, sourceProject: BUILD, held, unreadable: new Map(), ...some };
    const now = clock.now();
    const { places } = plan(order, findings, now);
    return newRun({ ...context, startedAt: now, findings, places });
  }

  cancelAt(ms: number): void {
    this.clock.after(ms, () => this.cancel.abort(new Error('The step was cancelled.')));
  }

  of<Type extends Event['type']>(type: Type): Extract<Event, { type: Type }>[] {
    return this.events.filter((event): event is Extract<Event, { type: Type }> => event.type === type);
  }

  /** Message and advice of each, in the order in which they were told. */
  get warnings(): string[] {
    return this.of('warning').map(({ problem }) => `${problem.message} ${problem.advice}`);
  }

  get notices(): string[] {
    return this.of('notice').map(({ message }) => message);
  }
}

/** The one copy of that region. */
export function copyIn(promotion: Promotion, region: string): Copy {
  const copy = promotion.copies.find((candidate) => candidate.region === region);
  if (!copy) throw new Error(`no copy in ${region}`);
  return copy;
}

/** Everything that a promotion says went wrong, as text. */
export function told({ problems, copies }: Promotion): string[] {
  return [...problems, ...copies.flatMap(({ problem }) => problem ?? [])].map(
    ({ message, advice }) => `${message} ${advice}`,
  );
}

/** An image that this run made. */
export const ours = (ImageId: string, some: Partial<Image> = {}): Image => ({
  ...SOURCE,
  ImageId,
  ImageDescription: markedBy(RUN),
  ...some,
});

/** Instead of those that were asked for, the API makes these. */
export const onlyIn =
  (cloud: FakeCloud, ...regions: string[]) =>
  (_execute: unknown, { copy }: Sent): CopyAnswer => {
    if (!copy) throw new Error('no copy');
    return { Infos: regions.map((region) => cloud.make(copy, region)) };
  };

/** The target regions of one CopyCustomImage. */
export const asksFor = ({ copy, region }: Sent) => copy?.TargetRegionList ?? [copy?.TargetRegion ?? region];

/** What each CopyCustomImage named: a list, or one region. */
export const copies = ({ cloud }: Scenario) =>
  cloud.calls(COPY).map(({ copy }) => copy?.TargetRegionList ?? copy?.TargetRegion);

/** Reads of images by their ids: whole places are listed without. */
export const polls = ({ cloud }: Scenario, region: string) =>
  cloud.calls('DescribeImage').filter((sent) => sent.region === region && sent.imageIds.length > 0);

/** Listings of a whole place, in seconds. */
export const listings = ({ cloud }: Scenario, region: string) =>
  cloud
    .calls('DescribeImage')
    .filter((sent) => sent.region === region && sent.projectId === PROD && sent.imageIds.length === 0)
    .map(({ at }) => at / 1_000);

/** Every target is Available, and holds nothing but what the promotion names. */
export async function allMade(scenario: Scenario): Promise<Promotion> {
  const promotion = await scenario.promote();
  expect(promotion.status).toBe('available');
  for (const { region, imageId } of promotion.copies) expect(scenario.cloud.ids(region)).toEqual([imageId]);
  expect(scenario.cloud.ids()).toHaveLength(promotion.copies.length);
  return promotion;
}

export async function findings(scenario: Scenario): Promise<Findings> {
  return scenario.clock.run(check(scenario.context));
}

/** What stopped the check: message and advice of each problem. */
export async function stopped(scenario: Scenario): Promise<string[]> {
  const error = await findings(scenario).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Stopped)) throw new Error('the check was not stopped', { cause: error });
  expect(scenario.cloud.calls(COPY)).toEqual([]);
  return error.problems.map(({ message, advice }) => `${message} ${advice}`);
}

export const outcomes = ({ copies }: Promotion) => copies.map(({ outcome }) => outcome);

/** The ids that were asked to be deleted. */
export const deleted = ({ cloud }: Scenario) => cloud.calls(DELETE).flatMap(({ imageIds }) => imageIds);
