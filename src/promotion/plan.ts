import type { Image } from '../cloud/cloud.ts';
import type { Findings } from './check.ts';
import { bestOf, byAge } from './images.ts';
import { isMarkOf, readMark, signerOf } from './mark.ts';
import type { Order, Problem } from './model.ts';
import { settleAsSource } from './observe.ts';
import { newHeld, newPlace, type Place } from './place.ts';
import { differences, isAvailable, isPending, isSameName } from './verify.ts';

export interface Plan {
  places: Place[];
  warnings: Problem[];
  /** Reasons not to begin. */
  problems: Problem[];
  /** How many custom images the target regions hold; empty when none could be listed. */
  census: string;
}

/** From so many on: the vendor's quotas of a region are 10 and 30 custom images. */
const NEAR_QUOTA = 9;

/** Decides, for each target, whether to copy, to adopt or to leave alone. Changes nothing. `now` in Unix milliseconds. */
export function plan(order: Order, findings: Findings, now: number): Plan {
  const { source } = findings;
  const result: Plan = {
    places: [],
    warnings: warningsOf(source, now),
    problems: [],
    census: censusOf(findings),
  };
  const name = order.target.name ?? source.ImageName;
  if (!name) {
    result.problems.push({
      message: `target-image-name: the source ${source.ImageId} has no name to take over.`,
      advice: 'Set target-image-name: a copy is recognised by its name.',
    });
    return result;
  }
  const { projectId, regions, optionalRegions = [] } = order.target;
  for (const region of new Set([...regions, ...optionalRegions])) {
    const optional = optionalRegions.includes(region);
    const place = newPlace({ region, projectId, name, optional, plan: 'copy', why: 'not there yet' });
    result.places.push(place);
    if (region === order.source.region && findings.sourceProject === projectId) {
      settleAsSource(place, source, now);
      if (name !== source.ImageName) result.warnings.push(keepsItsName(place));
    } else decide({ order, findings, now }, place, result);
  }
  return result;
}

function decide(
  { order, findings, now }: { order: Order; findings: Findings; now: number },
  place: Place,
  result: Plan,
): void {
  const { region } = place;
  // Listed where the target project is the source's own: it is no copy, and nothing to delete.
  const held = findings.held.get(region)?.filter(({ ImageId }) => ImageId !== findings.source.ImageId);
  if (!held) {
    place.problem = findings.unreadable.get(region) ?? null;
    place.why = 'the region could not be listed';
    return;
  }
  const copies = copiesOf(order, findings.source, held);
  const isNamed = ({ ImageName }: Image) => isSameName(ImageName, place.name);
  // A copy of this source whose name is not told is no reason for another one.
  const named = copies.known.filter((image) => image.ImageName === undefined || isNamed(image)).sort(byAge);
  const usable = named.filter((image) => isAvailable(image) || isPending(image));
  const oldest = bestOf(findings.source, usable, now) ?? usable[0];
  const foreign = copies.foreign.length > 0 ? otherSignature(region, copies.foreign) : null;
  // Whoever may create images could stop each promotion with one that looks like a copy.
  if (foreign && oldest) result.warnings.push(besides(foreign, oldest));
  if (foreign && !oldest && order.ifExists !== 'copy') {
    if (place.optional) place.problem = foreign;
    else result.problems.push(foreign);
  } else if (oldest && order.ifExists === 'fail') {
    result.problems.push({
      message: `${region}: ${oldest.ImageId} is already a copy of this source, and if-exists is fail.`,
      advice: 'Set if-exists: adopt to reuse it, or copy to create another.',
    });
  } else if (oldest && order.ifExists === 'adopt') {
    place.plan = 'adopt';
    place.why = isAvailable(oldest) ? 'already Available' : 'still copying since an earlier run';
    place.held = newHeld({ imageId: oldest.ImageId, created: false, startedAt: now });
    const unlike = isAvailable(oldest) ? differences(findings.source, oldest) : null;
    place.problem = unlike && { ...unlike, message: `${region}: ${unlike.message}` };
    const others = usable.filter((image) => image !== oldest);
    if (others.length > 0) result.warnings.push(moreThanOne(region, oldest, others));
  } else {
    const others = copies.known.length > 0 ? [] : held.filter(isNamed);
    const isEarlier = ({ ImageDescription }: Image) => readMark(ImageDescription) !== null;
    const strangers = others.filter((image) => !isEarlier(image));
    const { known } = copies;
    place.why = whyCopy({ usable, named, known, strangers, earlier: others.filter(isEarlier) }) ?? place.why;
    if (named.length > 0 && usable.length === 0) result.warnings.push(unusable(region, named));
    if (strangers.length > 0) result.warnings.push(namesakes(place, strangers));
  }
}

/** Copies of this source: `known` by a mark that counts, `foreign` by one whose signature is another's. */
function copiesOf(order: Order, source: Image, held: Image[]): { known: Image[]; foreign: Image[] } {
  const signer = signerOf(order);
  const isOf = (mark: ReturnType<typeof readMark>) => isMarkOf(mark, order.source.region, source.ImageId);
  const known = held.filter(({ ImageDescription }) => isOf(readMark(ImageDescription, signer)));
  const marked = held.filter(({ ImageDescription }) => isOf(readMark(ImageDescription)));
  return { known, foreign: marked.filter((image) => !known.includes(image)) };
}

function whyCopy({
  usable,
  named,
  known,
  strangers,
  earlier,
}: Record<'usable' | 'named' | 'known' | 'strangers' | 'earlier', Image[]>): string | null {
  if (usable.length > 0) return `if-exists is copy; already there: ${ids(usable)}`;
  if (named.length > 0) return `the copy there cannot be used: ${states(named)}`;
  if (known.length > 0) {
    const others = known.map(({ ImageId, ImageName }) => `${ImageId} (${ImageName})`).join(', ');
    return `this source was copied under another name: ${others}`;
  }
  if (strangers.length > 0)
    return `an image of this name is not known as a copy of this source, so it is left alone: ${ids(strangers)}`;
  if (earlier.length > 0) return `not there yet; copies of other sources have this name: ${ids(earlier)}`;
  return null;
}

function ids(images: Image[]): string {
  return images.map(({ ImageId }) => ImageId).join(', ');
}

function states(images: Image[]): string {
  return images.map(({ ImageId, State }) => `${ImageId} is ${State}`).join(', ');
}

function censusOf({ held }: Findings): string {
  if (held.size === 0) return '';
  return `Custom images in the target project before this run: ${countsOf([...held])}.`;
}

function countsOf(held: [string, Image[]][]): string {
  return held.map(([region, images]) => `${region} ${images.length}`).join(', ');
}

/** Null when there is room. Told at the end: where no copy was created, that failure says more. */
export function nearQuota({ held }: Findings, places: readonly Place[]): Problem | null {
  const failed = places.filter((place) => place.problem && !place.held).map(({ region }) => region);
  const near = [...held].filter(([region, { length }]) => length >= NEAR_QUOTA && !failed.includes(region));
  if (near.length === 0) return null;
  return {
    message: `Near the quota of custom images, counted before this run: ${countsOf(near)}. The vendor documents a quota of 10 (Guangdong, Hong Kong, California) or 30 (Beijing 2, Ulanqab, Shanghai 2) and none for other regions; when it is used up, every copy there fails (RetCode 8095).`,
    advice: 'Delete old copies with the action prune, or ask the vendor to raise the quota.',
  };
}

function keepsItsName({ region, name }: Place): Problem {
  return {
    message: `${region}: the target is the same image as the source, so it is not named ${name}.`,
    advice: 'An image cannot be copied inside its own project and region.',
  };
}

function moreThanOne(region: string, oldest: Image, others: Image[]): Problem {
  return {
    message: `${region}: more copies of this source exist under this name: ${ids(others)}. The action reuses ${oldest.ImageId}.`,
    advice: 'Delete those that nobody uses.',
  };
}

function unusable(region: string, images: Image[]): Problem {
  return {
    message: `${region}: an earlier copy of this source cannot be used: ${states(images)}.`,
    advice: 'Delete it: it is billed and uses quota.',
  };
}

function namesakes({ region, name }: Place, images: Image[]): Problem {
  return {
    message: `${region}: images named ${name} exist that are not known as copies of this source: ${ids(images)}. The action leaves them alone.`,
    advice: 'Delete those that are earlier copies and that nobody uses.',
  };
}

function otherSignature(region: string, images: Image[]): Problem {
  return {
    message: `${region}: copies of this source with another signature, or none, exist: ${ids(images)}. mark-secret differs from that of the run that created them, or somebody planted them.`,
    advice:
      'Set the former mark-secret; or delete these images if nobody uses them; or set if-exists: copy to create another.',
  };
}

/** A copy with a valid signature is there as well. */
function besides({ message }: Problem, { ImageId }: Image): Problem {
  return {
    message: `${message} ${ImageId} has a valid signature, and goes before them.`,
    advice: 'Find out who made them, and delete those that nobody uses.',
  };
}

function warningsOf(source: Image, now: number): Problem[] {
  const warnings: Problem[] = [];
  const disks = source.DataSnapshotIds?.length ?? 0;
  if (disks > 0) {
    warnings.push({
      message: `The source ${source.ImageId} has ${disks} data-disk snapshot${disks > 1 ? 's' : ''}: only the system disk is copied.`,
      advice: 'Copy the data disks on their own where the machines need them.',
    });
  }
  const [, year, month, day] = source.MaintainEol?.match(/(\d{4})\/(\d{1,2})\/(\d{1,2})/) ?? [];
  if (year && now >= Date.UTC(Number(year), Number(month) - 1, Number(day) + 1)) {
    warnings.push({
      message: `The source's ${source.OsName ?? 'operating system'} reached the end of its life on ${source.MaintainEol}.`,
      advice: 'It gets no security updates: plan a newer image.',
    });
  }
  return warnings;
}
