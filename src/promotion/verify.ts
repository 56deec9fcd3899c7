import type { Image } from '../cloud/cloud.ts';
import type { Problem } from './model.ts';

const COMPARED = ['OsType', 'OsName', 'ImageSize'] as const;

/** A copy that differs from its source must not be handed on. A field that either side lacks is not compared. */
export function differences(source: Image, copy: Image): Problem | null {
  const differing = COMPARED.filter(
    (field) => source[field] !== undefined && copy[field] !== undefined && source[field] !== copy[field],
  );
  if (differing.length === 0) return null;
  const told = differing
    .map((field) => `${field} is ${copy[field]}, the source's is ${source[field]}`)
    .join('; ');
  return {
    message: `${copy.ImageId} is Available but is not its source: ${told}.`,
    advice:
      'Do not boot it: make sure that it is deleted, and run again. If it differs again, report both image ids to the vendor.',
  };
}

/** Features that the copy lacks: told, not fatal, since sites list them late or not at all. */
export function lostFeatures(source: Image, copy: Image): Problem | null {
  if (!source.Features || !copy.Features) return null;
  const lost = source.Features.filter((feature) => !copy.Features?.includes(feature));
  if (lost.length === 0) return null;
  const arm = lost.includes('Aarch64_Type')
    ? ' Aarch64_Type marks an arm64 image: a machine of it may not boot.'
    : '';
  return {
    message: `${copy.ImageId} lacks features of its source: ${lost.join(', ')}.${arm}`,
    advice: 'Boot a test machine from the copy before you release it.',
  };
}
