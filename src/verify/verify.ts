import type { Clock } from '../cloud/clock.ts';
import type { Cloud, Image } from '../cloud/cloud.ts';
import type { CloudError } from '../cloud/errors.ts';
import { type Asked, ask, survey, targetsOf } from '../promotion/check.ts';
import { asProblem, bounded, type Context, causesOf, reading, Stopped } from '../promotion/context.ts';
import { mixedUp } from '../promotion/elsewhere.ts';
import { customImages } from '../promotion/images.ts';
import { readMark, signerOf } from '../promotion/mark.ts';
import type { Event, ImageRef, Order, Problem } from '../promotion/model.ts';
import { isSameName } from '../promotion/verify.ts';
import { type Others, searchElsewhere } from './extra.ts';
import { type Condition, copiesOf, type Judgement, judgeById, judgeByMark, judgeSource } from './judge.ts';

/** An image that should be there. Without an id the file says that its copy has failed, or names none. */
export interface Expected {
  region: string;
  projectId: string;
  imageId: string | null;
  name: string | null;
}

/** What images.json says; it names no source when an old version of the action wrote it. */
export interface ImagesFile {
  source: { region: string; projectId: string | null; imageId: string } | null;
  images: Expected[];
}

export interface VerifyOrder {
  /** Source and targets, as for a promotion; with a file the optional regions and the times alone. */
  promotion: Order;
  file: ImagesFile | null;
}

export interface Target {
  readonly region: string;
  readonly projectId: string;
  readonly name: string | null;
  /** Its failure is a warning. */
  readonly optional: boolean;
  readonly imageId: string | null;
  readonly state: string | null;
  readonly condition: Condition;
  readonly problem: Problem | null;
  readonly warnings: readonly Problem[];
  readonly isUseless: boolean;
}

export interface Verification {
  status: 'available' | 'incomplete';
  source: Image | null;
  targets: Target[];
  /** Copies of the source in regions that nobody asked for. */
  extra: ImageRef[];
  ended: 'complete' | 'stopped' | 'cancelled';
  /** What stopped the whole. */
  problems: Problem[];
}

export type VerifyEvent =
  /** Known after one round trip; the search for copies in other regions is still to come. */
  { type: 'verdict'; verification: Verification } | Extract<Event, { type: 'notice' | 'warning' }>;

export interface VerifyContext {
  order: VerifyOrder;
  cloud: Cloud;
  clock: Clock;
  report: (event: VerifyEvent) => void;
  /** Aborted when the step is cancelled. */
  signal: AbortSignal;
}

/** Reads, judges, changes nothing. Never throws. */
export async function verify(context: VerifyContext): Promise<Verification> {
  const { order, clock, signal, report } = context;
  const { timeout } = order.promotion;
  const until = bounded(clock, signal, timeout);
  const run: Context = {
    ...context,
    order: order.promotion,
    signal: until.signal,
    deadline: clock.now() + timeout,
    report: (event) => {
      if (event.type === 'notice' || event.type === 'warning') report(event);
    },
  };
  const verification: Verification = {
    status: 'incomplete',
    source: null,
    targets: unseen(run, order.file),
    extra: [],
    ended: 'complete',
    problems: [],
  };
  try {
    const others = order.file
      ? await readFile(run, order.file, verification)
      : await readSource(run, verification);
    const isFine = ({ condition, optional }: Target) => condition === 'available' || optional;
    if (verification.targets.every(isFine)) verification.status = 'available';
    report({ type: 'verdict', verification });
    verification.extra = await searchElsewhere(run, others, verification.targets);
  } catch (error) {
    verification.problems.push(...causesOf(error, signal));
    verification.ended = signal.aborted ? 'cancelled' : 'stopped';
  } finally {
    until.end();
  }
  return verification;
}

/** Every target, as long as nothing is known of it. */
function unseen(run: Context, file: ImagesFile | null): Target[] {
  const { projectId, name = null } = run.order.target;
  const asked =
    file?.images ?? targetsOf(run.order).map((region) => ({ region, projectId, imageId: null, name }));
  return asked.map((one) => {
    const optional = isOptional(run, one.region);
    return {
      ...one,
      optional,
      state: null,
      condition: 'unread',
      problem: null,
      warnings: [],
      isUseless: false,
    };
  });
}

async function readSource(run: Context, verification: Verification): Promise<Others> {
  const { source: wanted, target } = run.order;
  const { source, sourceProject, regions, listings } = await survey(run);
  verification.source = source;
  const origin = { region: wanted.region, imageId: source.ImageId };
  const name = target.name ?? source.ImageName;
  if (!name) {
    const message = `target-image-name: the source ${source.ImageId} has no name to look for.`;
    throw new Stopped({ message, advice: 'Set target-image-name: a copy is recognised by its name.' });
  }
  const signer = signerOf(run.order);
  const { projectId } = target;
  verification.targets = listings.map(([region, answer]) => {
    const isSource = region === wanted.region && sourceProject === projectId;
    const judge = (images: Image[]) =>
      isSource ? judgeSource(source) : judgeByMark(images, { ...origin, image: source }, name, signer);
    const place = { region, projectId, name, imageId: null };
    return targetOf(place, isOptional(run, region), answer, judge);
  });
  const known = regions.ok ? regions.value.map(({ Region }) => Region) : [];
  const read = new Set(listings.map(([region]) => region));
  const places = known.filter((region) => !read.has(region)).map((region) => ({ region, projectId }));
  return { source: origin, places };
}

async function readFile(run: Context, file: ImagesFile, verification: Verification): Promise<Others> {
  const { cloud } = run;
  const places = [...new Map(file.images.map((image) => [keyOf(image), image])).values()];
  const [regions, source, ...answers] = await Promise.all([
    ask(cloud.getRegions(reading(run))),
    readOrigin(run, file),
    ...places.map(({ region, projectId }) => ask(customImages(cloud, region, projectId, reading(run)))),
  ]);
  verification.source = source;
  const listings = new Map(places.map((place, index) => [keyOf(place), answers[index]]));
  distrust(places, listings);
  verification.targets = file.images.map((expected) => {
    const { imageId } = expected;
    const signed = signedIn(run, file, expected);
    const judge = (images: Image[]) => {
      const copies = file.source ? copiesOf(images, file.source, signerOf(run.order)) : [];
      return judgeById(images, imageId, source, { signed, copies: copies.filter(isAlike(expected)) });
    };
    const answer = listings.get(keyOf(expected)) as Asked<Image[]>;
    return targetOf(expected, isOptional(run, expected.region), answer, judge);
  });
  const known = regions.ok ? regions.value.map(({ Region }) => Region) : [];
  const projects = [...new Set(file.images.map(({ projectId }) => projectId))];
  const all = projects.flatMap((projectId) => known.map((region) => ({ region, projectId })));
  return { source: file.source, places: all.filter((place) => !listings.has(keyOf(place))) };
}

/** Whether an image has a valid signature; undefined where none is asked for: without a secret, and of the source itself. */
function signedIn({ order }: Context, { source }: ImagesFile, { region, projectId, imageId }: Expected) {
  const signer = signerOf(order);
  if (!signer || (source?.region === region && source.imageId === imageId)) return undefined;
  return ({ ImageDescription }: Image) => {
    const mark = readMark(ImageDescription, { ...signer, projectId });
    return mark !== null && (!source || (mark.region === source.region && mark.imageId === source.imageId));
  };
}

/** A copy that two regions of a project list is where nobody knows: neither is believed. */
function distrust(places: Expected[], listings: Map<string, Asked<Image[]> | undefined>): void {
  for (const projectId of new Set(places.map((place) => place.projectId))) {
    const lists = places.flatMap((place): [string, Image[]][] => {
      const answer = listings.get(keyOf(place));
      return place.projectId === projectId && answer?.ok ? [[place.region, answer.value]] : [];
    });
    for (const [region, error] of mixedUp(lists))
      listings.set(keyOf({ region, projectId }), { ok: false, error });
  }
}

function isAlike({ name }: Expected): (image: Image) => boolean {
  return ({ ImageName }) => name === null || isSameName(ImageName, name);
}

/** Null when it was deleted since, or when these keys may not see it: it is only compared with. */
async function readOrigin(run: Context, { source }: ImagesFile): Promise<Image | null> {
  if (!source) return null;
  const { region, projectId, imageId } = source;
  const query = { Region: region, ...(projectId ? { ProjectId: projectId } : {}), ImageIds: [imageId] };
  const answer = await ask(run.cloud.describeImages(query, reading(run)));
  return answer.ok ? (answer.value[0] ?? null) : null;
}

function keyOf({ region, projectId }: { region: string; projectId: string }): string {
  return `${region} ${projectId}`;
}

function isOptional({ order }: Context, region: string): boolean {
  return order.target.optionalRegions?.includes(region) ?? false;
}

function targetOf(
  { region, projectId, name, imageId }: Expected,
  optional: boolean,
  answer: Asked<Image[]>,
  judge: (images: Image[]) => Judgement,
): Target {
  const {
    condition,
    image,
    problem,
    warnings = [],
    isUseless = false,
  } = answer.ok ? judge(answer.value) : unread(answer.error);
  return {
    region,
    projectId,
    name: image?.ImageName ?? name,
    optional,
    imageId: image?.ImageId ?? imageId,
    state: image?.State ?? null,
    condition,
    problem,
    warnings,
    isUseless,
  };
}

function unread(error: CloudError): Judgement {
  const { message, advice } = asProblem(error);
  return {
    condition: 'unread',
    image: null,
    problem: { message: `The list of images could not be read: ${message}`, advice },
  };
}
