import { createClient } from '../../src/cloud/client.ts';
import type { Cloud } from '../../src/cloud/cloud.ts';
import { TransportError } from '../../src/cloud/explain.ts';
import { describeImages, terminateCustomImage } from '../../src/cloud/images.ts';
import type { Transport } from '../../src/cloud/transport.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/**
 * Images and the two calls that prune makes, in virtual time. Written from the API's description and from the rules of
 * prune alone: what must stay is decided here without a line of src/.
 */

export const PROJECT = 'org-prod';
export const REGIONS = ['hk', 'sg', 'us-ca'] as const;

export type Kind =
  | 'ours'
  | 'unmarked'
  | 'cut marker'
  | 'marker by hand'
  | 'marker behind words'
  | 'other name'
  | 'base image'
  | 'other project'
  | 'without age';

export interface Seed {
  kind: Kind;
  /** Hours before the start; never near the least age. */
  hours: number;
  state: 'Available' | 'Unavailable' | 'Copying' | 'Making' | 'Syncing' | null;
  /** Protected by its id. */
  guarded: boolean;
}

export type Edit = 'rename' | 'unmark' | 'break' | 'delete' | 'appear' | 'finish';

export type Effect =
  | { kind: 'refused' | 'truncated' | 'garbage' | 'empty list' }
  | { kind: 'lost' | 'hang'; executed: number | null }
  | { kind: 'http'; status: number; executed: number | null }
  | { kind: 'code'; code: number; executed: number | null };

export interface Site {
  page: number;
  /** DescribeImage tells TotalCount. */
  total: boolean;
  newestFirst: boolean;
  /** Milliseconds. */
  latency: number;
  /** A delete is accepted and carried out later, or not at all for the first times. */
  deletes: { how: 'late'; seconds: number } | { how: 'ignored'; times: number } | null;
}

export interface Rules {
  keep: number;
  /** Hours. */
  minAge: number;
}

const DESCRIPTIONS: Partial<Record<Kind, (marker: string) => string>> = {
  unmarked: () => 'by hand',
  'cut marker': (marker) => marker.slice(0, 30),
  'marker by hand': (marker) => marker.replace('77-1-abcdef', 'hand'),
  'marker behind words': (marker) => `golden, do not delete ${marker}`,
};

interface Model {
  id: string;
  region: string;
  project: string;
  name: string;
  description: string;
  type: 'Custom' | 'Base';
  state: Seed['state'];
  /** Unix seconds; null: the API does not tell it. */
  createdAt: number | null;
  ours: boolean;
  guarded: boolean;
}

/** A process that prunes: it may be killed. */
export interface Process {
  alive: boolean;
  /** Aborted at this time. */
  cancelledAt: number | null;
}

interface Listing {
  /** When its first page was sent. */
  since: number;
  totals: Set<number>;
  /** Milliseconds; null: no page of it was answered yet. */
  answeredAt: number | null;
}

export class World {
  heedsRegion = true;
  readonly violations: string[] = [];
  readonly log: string[] = [];
  readonly struck = new Map<string, number>();
  readonly deletedByUs = new Set<string>();
  /** Deletes sent, in all runs. */
  deletes = 0;
  /** Strikes the `nth` call of its action. */
  effects: { on: string; nth: number; count: number; effect: Effect }[] = [];
  /** Called when the `n`th call of a run is sent. */
  onCall: (n: number) => void = () => undefined;
  #calls = 0;
  #counts = new Map<string, number>();
  #images: Model[] = [];
  /** The images at each change. */
  #history: { at: number; images: Model[] }[] = [];
  #listings = new Map<string, Listing>();
  #serial = 0;
  #ignored = new Map<string, number>();
  readonly #clock: VirtualClock;
  readonly #site: Site;
  readonly #rules: Rules;

  constructor(clock: VirtualClock, site: Site, rules: Rules, seeds: Record<string, Seed[]>) {
    this.#clock = clock;
    this.#site = site;
    this.#rules = rules;
    for (const [region, some] of Object.entries(seeds)) for (const seed of some) this.#add(region, seed);
    this.#remember();
  }

  get guarded(): string[] {
    return this.#images.filter(({ guarded }) => guarded).map(({ id }) => id);
  }

  note(line: string): void {
    this.log.push(`${(this.#clock.elapsed / 1000).toFixed(2).padStart(9)}  ${line}`);
  }

  strike(kind: string): void {
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  violate(what: string): void {
    this.note(`VIOLATION: ${what}`);
    this.violations.push(what);
  }

  /** A new run, with its own count of calls. */
  begin(): void {
    this.#calls = 0;
    this.#counts.clear();
    this.#listings.clear();
  }

  #add(region: string, { kind, hours, state, guarded }: Seed): void {
    const serial = ++this.#serial;
    // Unlike any other's, so that there is one order.
    const createdAt = Math.floor((this.#clock.now() - hours * 3_600_000) / 1000) - serial;
    const marker = `[copy of cn-bj2/uimage-source${serial} by 77-1-abcdef]`;
    this.#images.push({
      id: `${serial % 5 === 0 ? 'UImage' : 'uimage'}-${region.replace('-', '')}${serial}`,
      region,
      project: kind === 'other project' ? 'org-build' : PROJECT,
      name:
        kind === 'other name' ? (['db-1', 'my-web-1', 'web', 'WEB-1'][serial % 4] ?? '') : `web-${serial}`,
      description: DESCRIPTIONS[kind]?.(marker) ?? `${marker} base`,
      type: kind === 'base image' ? 'Base' : 'Custom',
      state,
      createdAt: kind === 'without age' ? null : createdAt,
      ours: kind === 'ours' || kind === 'without age',
      guarded,
    });
  }

  #remember(): void {
    this.#history.push({ at: this.#clock.elapsed, images: this.#images.map((image) => ({ ...image })) });
  }

  /** Somebody does this to an image of the region, chosen by `which`. */
  edit(what: Edit, region: string, which: number): void {
    const here = this.#images.filter((image) => image.region === region && image.ours);
    const image = here[which % Math.max(1, here.length)];
    if (what !== 'appear' && !image) return;
    this.strike(`somebody: ${what}`);
    this.note(`somebody: ${what} ${image?.id ?? ''} in ${region}`);
    if (what === 'appear') this.#add(region, { kind: 'ours', hours: 0, state: 'Copying', guarded: false });
    else if (!image) return;
    else if (what === 'delete') this.#images.splice(this.#images.indexOf(image), 1);
    else if (what === 'break') image.state = 'Unavailable';
    else if (what === 'finish') image.state = 'Available';
    else {
      image.ours = false;
      if (what === 'rename') image.name = 'pinned';
      else image.description = 'pinned by hand';
    }
    this.#remember();
  }

  /** By the rules, at that moment: id → state. */
  #mustGo(images: readonly Model[], region: string): Map<string, Model['state']> {
    const least = this.#rules.minAge * 3_600_000;
    const old = ({ createdAt }: Model) => createdAt !== null && this.#clock.now() - createdAt * 1000 >= least;
    const family = images.filter((image) => image.ours && image.region === region);
    const sound = family
      .filter(({ state, createdAt }) => state === 'Available' && createdAt !== null)
      .sort((a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0));
    const broken = family.filter(({ state }) => state === 'Unavailable');
    const surplus = [...sound.slice(this.#rules.keep), ...broken];
    return new Map(
      surplus.filter((image) => old(image) && !image.guarded).map(({ id, state }) => [id, state]),
    );
  }

  /** What must go, and has had to since `since`, in one and the same state. */
  overdue(region: string, since: number): string[] {
    const snapshots = this.#snapshots(since).map(({ images }) => this.#mustGo(images, region));
    return [...(snapshots[0] ?? [])].flatMap(([id, state]) =>
      snapshots.every((snapshot) => snapshot.get(id) === state) ? [id] : [],
    );
  }

  /** Those that held at any time since then. */
  #snapshots(since: number) {
    const from = this.#history.findLastIndex(({ at }) => at <= since);
    return this.#history.slice(Math.max(0, from));
  }

  /** The real client on these images. */
  cloudFor(process: Process): Cloud {
    const transport: Transport = {
      send: (request) => this.#send(process, request),
      close: async () => undefined,
    };
    const keys = { publicKey: 'public', privateKey: 'private' };
    const client = createClient({ url: 'https://api.test/', ...keys, transport, clock: this.#clock });
    return {
      describeImages: (query, options) => describeImages(client, query, options),
      terminateCustomImage: (image, options) => terminateCustomImage(client, image, options),
    } as Cloud;
  }

  async #send(process: Process, { body, timeout, signal }: Parameters<Transport['send']>[0]) {
    signal?.throwIfAborted();
    const form = new URLSearchParams(body);
    const action = form.get('Action') ?? '';
    const region = form.get('Region') ?? '';
    if (!process.alive) return new Promise<never>(() => undefined);
    this.onCall(++this.#calls);
    if (this.#calls > 10_000) throw new Error('a loop without an end');
    const nth = (this.#counts.get(action) ?? 0) + 1;
    this.#counts.set(action, nth);
    const effect =
      this.effects.find(({ on, nth: from, count }) => on === action && nth >= from && nth < from + count)
        ?.effect ?? null;
    this.note(`${action} ${nth} ${region} ${form.get('ImageId') ?? form.get('Offset') ?? ''}${told(effect)}`);
    if (effect) this.strike(`${action === 'DescribeImage' ? 'read' : 'delete'}: ${effect.kind}`);
    const listing = action === 'DescribeImage' ? this.#listingOf(region, form.get('Offset') ?? '0') : null;
    if (action === 'TerminateCustomImage') this.#checkDelete(process, region, form.get('ImageId') ?? '');

    let reply = '';
    const run = (after: number | null) => {
      if (after === null) return;
      this.#clock.after(Math.max(this.#site.latency / 2, after * 1000), () => {
        reply = action === 'DescribeImage' ? this.#describe(form, listing) : this.#terminate(form);
      });
    };
    run(effect === null || effect.kind === 'truncated' ? 0 : 'executed' in effect ? effect.executed : null);
    await this.#clock.sleep(effect?.kind === 'hang' ? timeout : this.#site.latency, signal);
    if (!process.alive) return new Promise<never>(() => undefined);
    const answer = (status: number, text: string) => ({
      ...{ status, body: text },
      headers: { 'x-ucloud-request-uuid': `request-${this.#calls}` },
    });
    switch (effect?.kind) {
      case undefined:
        if (listing) listing.answeredAt = this.#clock.elapsed;
        return answer(200, reply);
      case 'refused':
      case 'lost':
      case 'hang':
        throw new TransportError({ message: 'broken', advice: 'Try again.' }, effect.kind !== 'refused');
      case 'truncated':
        return answer(200, reply.slice(0, -7));
      case 'garbage':
        return answer(200, '<html>sign in</html>');
      case 'empty list':
        return answer(200, JSON.stringify({ RetCode: 0, Action: `${action}Response` }));
      case 'http':
        return answer(effect.status, '<html>out of order</html>');
      case 'code':
        return answer(200, JSON.stringify({ RetCode: effect.code, Message: 'as planned' }));
    }
  }

  /** Pages that follow one another are one listing; so is what is read again because the total changed. */
  #listingOf(region: string, offset: string): Listing {
    const last = this.#listings.get(region);
    if (last && (offset !== '0' || last.totals.size > 1 || last.answeredAt === null)) {
      if (offset === '0') last.totals = new Set([...last.totals].slice(-1));
      return last;
    }
    const listing = { since: this.#clock.elapsed, totals: new Set<number>(), answeredAt: null };
    this.#listings.set(region, listing);
    return listing;
  }

  #checkDelete(process: Process, region: string, id: string): void {
    this.deletes++;
    if (process.cancelledAt !== null) this.violate(`${id} is asked to be deleted after the cancel`);
    const listing = this.#listings.get(region);
    if (!listing || listing.answeredAt === null)
      this.violate(`${id} is asked to be deleted in ${region} though it was not read right before`);
    const since = listing?.since ?? this.#clock.elapsed;
    if (!this.#snapshots(since).some(({ images }) => this.#mustGo(images, region).has(id)))
      this.violate(`${id} is asked to be deleted in ${region}, and must stay`);
    // The next one needs a look of its own.
    this.#listings.delete(region);
  }

  #describe(form: URLSearchParams, listing: Listing | null): string {
    const found = this.#images.filter(
      ({ region, project, type }) =>
        (!this.heedsRegion || region === form.get('Region')) &&
        project === form.get('ProjectId') &&
        type === form.get('ImageType'),
    );
    if (this.#site.newestFirst) found.reverse();
    const offset = Number(form.get('Offset') ?? 0);
    const rows = found.slice(offset, offset + Math.min(this.#site.page, Number(form.get('Limit') ?? 20)));
    listing?.totals.add(found.length);
    if (listing && listing.totals.size > 1) this.strike('list changed between pages');
    return JSON.stringify({
      RetCode: 0,
      Action: 'DescribeImageResponse',
      ...(this.#site.total ? { TotalCount: found.length } : {}),
      ImageSet: rows.map(({ id, name, description, type, state, createdAt }) => ({
        ImageId: id,
        ImageName: name,
        ImageDescription: description,
        ImageType: type,
        ImageSize: 40,
        ...(state === null ? {} : { State: state }),
        ...(createdAt === null ? {} : { CreateTime: createdAt }),
      })),
    });
  }

  isThere(id: string): boolean {
    return this.#images.some((image) => image.id === id);
  }

  #carryOut(image: Model): void {
    const at = this.#images.indexOf(image);
    if (at < 0) return;
    this.note(`  ${image.id} is deleted`);
    this.strike('deleted');
    this.#images.splice(at, 1);
    this.deletedByUs.add(image.id);
    this.#remember();
  }

  #terminate(form: URLSearchParams): string {
    const id = form.get('ImageId') ?? '';
    const at = this.#images.findIndex(
      (image) =>
        image.id === id && image.region === form.get('Region') && image.project === form.get('ProjectId'),
    );
    const image = this.#images[at];
    if (!image) return JSON.stringify({ RetCode: 8956, Message: 'no such image' });
    const { deletes } = this.#site;
    const ignored = this.#ignored.get(id) ?? 0;
    if (deletes) this.strike(`delete ${deletes.how}`);
    if (deletes?.how === 'late') this.#clock.after(deletes.seconds * 1000, () => this.#carryOut(image));
    else if (deletes && ignored < deletes.times) this.#ignored.set(id, ignored + 1);
    else this.#carryOut(image);
    return JSON.stringify({ RetCode: 0, Action: 'TerminateCustomImageResponse' });
  }
}

function told(effect: Effect | null): string {
  return effect ? ` [${JSON.stringify(effect)}]` : '';
}
