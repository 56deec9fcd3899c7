import type { Image } from '../cloud/cloud.ts';
import type { Problem } from './model.ts';

/** Whether the API calls it Available. Other spellings of the known states are made one by the cloud. */
export function isAvailable({ State }: Image): boolean {
  return State === 'Available';
}

/** It may still become Available: an unknown state counts as under way, unless it speaks of a deletion. */
export function isPending(image: Image): boolean {
  return image.State !== 'Available' && image.State !== 'Unavailable' && !isDeleting(image);
}

/** No page documents such a state. */
export function isDeleting({ State }: Image): boolean {
  return /^delet/i.test(State ?? '');
}

/** Those that are Available and equal to their source, or may still become so. */
export function soundOf(source: Image, images: Image[]): Image[] {
  const isGood = (image: Image) => isAvailable(image) && differences(source, image) === null;
  return images.filter((image) => isPending(image) || isGood(image));
}

/** A copy that differs from its source must not be handed on. A field that either side lacks is not compared. */
export function differences(source: Image, copy: Image): Problem | null {
  const spelt = (value: string | number) => String(value).trim().toLowerCase();
  const unlike = (field: 'OsType' | 'OsName' | 'ImageSize') =>
    source[field] !== undefined && copy[field] !== undefined && spelt(source[field]) !== spelt(copy[field]);
  const told = [
    ...(unlike('ImageSize') ? [`${copy.ImageSize} GB instead of ${source.ImageSize} GB`] : []),
    ...(unlike('OsType') ? [`OsType ${copy.OsType} instead of ${source.OsType}`] : []),
    ...(unlike('OsName') ? [`${copy.OsName} instead of ${source.OsName}`] : []),
    ...(isArm(copy) && source.Features && !isArm(source) ? ['arm64 instead of x86-64'] : []),
  ];
  if (told.length === 0) return null;
  return {
    message: `${copy.ImageId} does not match the source: ${told.join(', ')}. Do not use it.`,
    advice:
      'Delete it before the next run, which fails on it otherwise. If all copies differ alike, or the next one does, compare the source in the console first, then give the vendor the ids of the source and of the copies.',
  };
}

function isArm({ Features }: Image): boolean {
  return Features?.includes('Aarch64_Type') ?? false;
}

/** Features that the copy lacks: told, not fatal, since API endpoints list them late or not at all. */
export function lostFeatures(source: Image, copy: Image): Problem | null {
  if (!source.Features || !copy.Features) return null;
  const lost = source.Features.filter((feature) => !copy.Features?.includes(feature));
  if (lost.length === 0) return null;
  const arm = isArm(source) && !isArm(copy) ? ' Aarch64_Type marks an arm64 image.' : '';
  return {
    message: `${copy.ImageId} lacks features of its source: ${lost.join(', ')}.${arm}`,
    advice: 'Boot a test machine from the copy before you release it.',
  };
}

/** API endpoints may store names in small letters. */
export function isSameName(name: string | undefined, other: string | undefined): boolean {
  return name?.toLowerCase() === other?.toLowerCase();
}
