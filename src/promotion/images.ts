import type { CallOptions, Cloud, Image } from '../cloud/cloud.ts';
import { withoutCopiedMarks } from './mark.ts';
import { isAvailable, soundOf } from './verify.ts';

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
