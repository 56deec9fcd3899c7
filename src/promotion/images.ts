import type { CallOptions, Cloud, Image } from '../cloud/cloud.ts';
import { descriptionOf, isChangedMark, isMarkOf, readMark, signerOf, withoutCopiedMarks } from './mark.ts';
import type { Place, Run } from './place.ts';
import { isAvailable, isSameName, soundOf } from './verify.ts';

export function customImages(
  cloud: Cloud,
  region: string,
  projectId: string,
  options: CallOptions,
): Promise<Image[]> {
  return cloud.describeImages({ Region: region, ProjectId: projectId, ImageType: 'Custom' }, options);
}

/** The oldest first; of the same second, by id. */
export function byAge(a: Image, b: Image): number {
  return (a.CreateTime ?? 0) - (b.CreateTime ?? 0) || (a.ImageId < b.ImageId ? -1 : 1);
}

/**
 * Of copies, sorted by age, the oldest that can be used now, else the oldest that may still become so: one that is stuck
 * hides no good one. `now` in Unix milliseconds.
 */
export function bestOf(source: Image, copies: Image[], now: number): Image | undefined {
  const sound = withoutCopiedMarks(soundOf(source, copies), now);
  return sound.find(isAvailable) ?? sound[0];
}

/** `uimage-1 (Available, 40 GB, created 2026-11-26T17:05Z)`: what helps to know it again. */
export function described({ ImageId, State, ImageSize, CreateTime }: Image): string {
  const at = new Date((CreateTime ?? 0) * 1000);
  const created = CreateTime && at.getTime() > 0 ? [`created ${at.toISOString().slice(0, 16)}Z`] : [];
  const size = ImageSize === undefined ? [] : [`${ImageSize} GB`];
  return `${ImageId} (${[State ?? 'state unknown', ...size, ...created].join(', ')})`;
}

/** Milliseconds that the clocks of runner and API may differ: a machine may take its local time for UTC. */
const SKEW = 86_400_000;

/** Created before `at`, in Unix milliseconds, whatever the clocks are. */
export function isOlderThan({ CreateTime }: Image, at: number): boolean {
  return CreateTime !== undefined && CreateTime > 0 && CreateTime * 1000 < at - SKEW;
}

/** Not the source, and not listed before this run: only such an image can be one that it made. */
export function isNew({ findings }: Run, region: string, imageId: string): boolean {
  if (imageId === findings.source.ImageId) return false;
  return !findings.held.get(region)?.some(({ ImageId }) => ImageId === imageId);
}

/** What reads by its id have missed for long is gone, though a list may still show it. */
export function isThere({ held }: Place): (image: Image) => boolean {
  const isGone = held !== null && held.finishedAt !== null && held.misses > 0;
  return ({ ImageId }) => !isGone || ImageId !== held.imageId;
}

/** Marked as a copy of the source, under the name of the place. */
export function isCopy(
  { order, findings }: Run,
  { name }: Place,
  { ImageName, ImageDescription }: Image,
): boolean {
  const mark = readMark(ImageDescription, signerOf(order));
  const isNamed = ImageName === undefined || isSameName(ImageName, name);
  return isMarkOf(mark, order.source.region, findings.source.ImageId) && isNamed;
}

/** Without a readable mark it can only be ours where the API endpoint cuts or drops descriptions, or keeps the source's. */
export function isPossible({ keepsMarks, order, findings }: Run): (image: Image) => boolean {
  const sent = descriptionOf(order, findings.source);
  const { ImageDescription: own } = findings.source;
  return ({ ImageDescription: text = '' }) =>
    !keepsMarks && (sent.startsWith(text.trim()) || text === own || isChangedMark(text));
}

/** The API answered with it, and it carries no mark: another image may. */
export function isBare({ held, problem }: Place): boolean {
  return held?.created === true && held.seenAt !== null && !held.marked && problem === null;
}
