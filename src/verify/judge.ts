import type { Image } from '../cloud/cloud.ts';
import { byAge } from '../promotion/images.ts';
import { isMarkOf, type Mark, readMark, type Signer } from '../promotion/mark.ts';
import type { Problem } from '../promotion/model.ts';

import { differences, isAvailable, isPending, isSameName, lostFeatures } from '../promotion/verify.ts';

export type Condition = 'available' | 'missing' | 'broken' | 'different' | 'copying' | 'unread';

/** What was found for one target. */
export interface Judgement {
  condition: Condition;
  image: Image | null;
  problem: Problem | null;
  /** What a reader should know of an image that is sound, or about to be. */
  warnings?: Problem[];
  /** A copy that is no use: to be deleted before the next promotion, which may find it again. */
  isUseless?: true;
}

/** The source that the copies are of, as far as it is known: one that was deleted since is compared with nothing. */
export interface Origin {
  region: string;
  imageId: string;
  image: Image | null;
}

const PROMOTE = 'Run the promotion: it copies only what is missing.';

/** Looks for the copy of the source under its name among the custom images of its target. */
export function judgeByMark(
  images: readonly Image[],
  origin: Origin,
  name: string,
  signer: Signer | undefined,
): Judgement {
  const copies = copiesOf(images, origin, signer).sort(byAge);
  const named = copies.filter(({ ImageName }) => isSameName(ImageName, name));
  const judged = named.map((image) => judgeImage(image, origin.image));
  // The oldest sound one, as a promotion reuses it; else the one that is nearest to being sound.
  for (const condition of ['available', 'copying', 'different', 'broken'] as const) {
    const found = judged.find((one) => one.condition === condition);
    if (found) return besides(found, named);
  }
  return { condition: 'missing', image: null, problem: missing(images, copies, origin, name) };
}

/** Looks for one image by its id. `copies`: those of its source that are there. */
export function judgeById(
  images: readonly Image[],
  imageId: string | null,
  source: Image | null,
  { signed, copies = [] }: { signed?: ((image: Image) => boolean) | undefined; copies?: Image[] } = {},
): Judgement {
  const image = images.find(({ ImageId }) => ImageId === imageId);
  if (image) {
    const judged =
      imageId === source?.ImageId ? judgeSource(image) : besides(judgeImage(image, source), copies);
    if (judged.condition !== 'available' || !signed || signed(image)) return judged;
    const message = `${imageId} has no marker that mark-secret has signed for its source and project. Do not use it.`;
    const advice = 'Check that mark-secret is that of the promotion. If it is, find out who made the image.';
    return { condition: 'different', image, problem: { message, advice } };
  }
  const message = imageId === null ? 'images-file names no image.' : `The copy ${imageId} does not exist.`;
  return { condition: 'missing', image: null, problem: { message, advice: PROMOTE } };
}

/** The target is the source itself. */
export function judgeSource(source: Image): Judgement {
  return judgeImage(source, null, 'source');
}

function judgeImage(image: Image, source: Image | null, what = 'copy'): Judgement {
  const { ImageId, State } = image;
  if (isPending(image)) {
    const state = State === undefined ? 'has no readable state' : `is still ${State}`;
    const problem = {
      message: `The ${what} ${ImageId} ${state}.`,
      advice: 'Wait until it is Available; a re-run of the promotion waits for it.',
    };
    return { condition: 'copying', image, problem };
  }
  if (!isAvailable(image)) {
    const message = `The ${what} ${ImageId} is ${State}.`;
    if (what === 'source') {
      const advice = 'It failed to build or was damaged: build it again.';
      return { condition: 'broken', image, problem: { message, advice } };
    }
    const advice = 'Delete it and run the promotion: it creates another one.';
    return { condition: 'broken', image, problem: { message, advice }, isUseless: true };
  }
  const difference = source && differences(source, image);
  if (difference) {
    const advice =
      'Delete it, then run the promotion. If the next copy differs too, give the vendor the ids of the source and of both copies.';
    return {
      condition: 'different',
      image,
      problem: { message: difference.message, advice },
      isUseless: true,
    };
  }
  const lost = source && lostFeatures(source, image);
  return { condition: 'available', image, problem: null, ...(lost ? { warnings: [lost] } : {}) };
}

/** More copies of the source, under any name that was asked for: each is billed. */
function besides(judged: Judgement, copies: readonly Image[]): Judgement {
  const { image, condition, warnings = [] } = judged;
  const others = copies.filter(({ ImageId }) => ImageId !== image?.ImageId);
  if (others.length === 0 || (condition !== 'available' && condition !== 'copying')) return judged;
  const ids = others.map(({ ImageId, State }) => `${ImageId} (${State ?? 'state unknown'})`).join(', ');
  const message = `Beside ${image?.ImageId} there ${others.length > 1 ? 'are more copies' : 'is another copy'} of the source: ${ids}.`;
  return {
    ...judged,
    warnings: [...warnings, { message, advice: 'Delete those that nobody uses: they are billed.' }],
  };
}

/** Marked as copies of that source, whatever their names are. */
export function copiesOf(
  images: readonly Image[],
  { region, imageId }: Pick<Mark, 'region' | 'imageId'>,
  signer: Signer | undefined,
): Image[] {
  return images.filter(({ ImageDescription }) => {
    return isMarkOf(readMark(ImageDescription, signer), region, imageId);
  });
}

function missing(
  images: readonly Image[],
  copies: readonly Image[],
  { imageId }: Origin,
  name: string,
): Problem {
  if (copies.length > 0) {
    const others = copies
      .map(({ ImageId, ImageName }) => `${ImageId} (${ImageName ?? 'no name'})`)
      .join(', ');
    const message = `No copy of ${imageId} is named ${name}; under another name: ${others}.`;
    return { message, advice: `Correct target-image-name, or run the promotion.` };
  }
  const namesakes = images.filter(({ ImageName }) => isSameName(ImageName, name));
  if (namesakes.length > 0) {
    const ids = namesakes.map(({ ImageId }) => ImageId).join(', ');
    const message = `No copy of ${imageId} exists; ${ids} has the name ${name}, but is not marked as its copy.`;
    return { message, advice: PROMOTE };
  }
  return { message: `No copy of ${imageId} exists.`, advice: PROMOTE };
}
