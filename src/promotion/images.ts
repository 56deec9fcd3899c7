import type { CallOptions, Cloud, Image } from '../cloud/cloud.ts';

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
