import type { Image, ImageQuery } from '../cloud/cloud.ts';
import { type Context, reading, repeat, Stopped, stopOnError } from './context.ts';
import { isLike } from './glob.ts';
import { byAge } from './images.ts';
import type { Problem } from './model.ts';
import { nearest, or, some } from './near.ts';
import { pollDelay } from './pace.ts';
import { isPending } from './verify.ts';

/** Names in one sentence. */
const MOST = 6;

/** All images that may be the source. */
export function sourceQuery({ order: { source } }: Context): ImageQuery {
  return {
    Region: source.region,
    ...(source.projectId ? { ProjectId: source.projectId } : {}),
    ...(source.imageId ? { ImageIds: [source.imageId] } : { ImageType: 'Custom' as const }),
  };
}

export interface Chosen {
  image: Image;
}

/** By its id, or the newest that has the name; a problem when there is none to copy. What a glob passed over is told. */
export function chooseSource(context: Context, images: Image[]): Chosen | Problem {
  const { source } = context.order;
  const where = `${source.region}, ${source.projectId ? `project ${source.projectId}` : 'the default project'}`;
  if (source.name !== undefined) return chooseByName(context, images, source.name, where);
  const image = images.find(({ ImageId }) => ImageId === source.imageId);
  if (!image) {
    return {
      message: `source-image-id: there is no image ${source.imageId} in ${where}.`,
      advice: 'Check the id, region and project-id: an image is only seen in its own region and project.',
    };
  }
  if (image.ImageType !== undefined && image.ImageType !== 'Custom') {
    return {
      message: `source-image-id: ${image.ImageId} in ${where} is a ${image.ImageType} image, not a custom one.`,
      advice: 'Only custom images can be copied: create one from a machine that was started from it.',
    };
  }
  return image.State === 'Unavailable' ? unavailable(image, where) : { image };
}

function chooseByName(context: Context, images: Image[], wanted: string, where: string): Chosen | Problem {
  const matches = images
    .filter(
      ({ ImageName, ImageType }) => isLike(ImageName ?? '', wanted) && (ImageType ?? 'Custom') === 'Custom',
    )
    .sort(byAge)
    .reverse();
  if (matches.length > 1 && matches.every(({ CreateTime }) => !CreateTime)) {
    return {
      message: `source-image-name: ${matches.length} images in ${where} match ${wanted}, and none has a readable time of creation: ${some(matches.map(nameOf), MOST)}.`,
      advice: 'Set source-image-id to the one to copy.',
    };
  }
  const image = matches.find(isReady) ?? matches.find(isPending) ?? matches[0];
  if (!image) return noMatch(images, wanted, where);
  if (image.State === 'Unavailable') return unavailable(image, where);
  if (matches.length > 1) tellPassedOver(context, image, matches, wanted);
  return { image };
}

function tellPassedOver({ report }: Context, image: Image, matches: Image[], wanted: string): void {
  const chosen = `${image.ImageId}${image.ImageName ? ` (${image.ImageName})` : ''}`;
  const newer = matches.slice(0, matches.indexOf(image));
  if (newer.length === 0) {
    const message = `source-image-name ${wanted}: ${chosen} is the newest of ${matches.length} that match.`;
    report({ type: 'notice', message });
  } else {
    const state = image.State ?? 'Available';
    const others = newer.map(({ ImageId, State }) => `${ImageId} (${State})`).join(', ');
    report({
      type: 'warning',
      problem: {
        message: `source-image-name ${wanted}: ${others} ${newer.length > 1 ? 'are' : 'is'} newer than ${chosen}, which the action copies: the newest ${state} one of ${matches.length} that match.`,
        advice: 'When a newer one is Available, re-run the job to copy it.',
      },
    });
  }
  const kinds = new Set(matches.map(kindOf));
  if (kinds.size > 1) {
    report({
      type: 'warning',
      problem: {
        message: `source-image-name ${wanted} matches images of different kinds: ${[...kinds].join('; ')}. The action copies ${image.ImageId} (${kindOf(image)}).`,
        advice: 'Make the glob narrower if that is not the one you mean.',
      },
    });
  }
}

function kindOf({ OsType, OsName, Features }: Image): string {
  const system = OsName ?? OsType ?? 'operating system unknown';
  return Features?.includes('Aarch64_Type') ? `${system}, arm64` : system;
}

function noMatch(images: Image[], wanted: string, where: string): Problem {
  const names = images.map(nameOf);
  const near = nearest(wanted, names);
  const count = images.length === 1 ? 'There is 1 custom image' : `There are ${images.length} custom images`;
  return {
    message: `source-image-name: no custom image in ${where} matches ${wanted}.`,
    advice:
      near.length > 0
        ? `Did you mean ${or(near)}? A glob takes * and ?, and must match the whole name.`
        : `${count}${names.length > 0 ? `: ${some(names, MOST)}` : ''}. A glob takes * and ?, and must match the whole name. Check region and project-id.`,
  };
}

function nameOf({ ImageId, ImageName }: Image): string {
  return ImageName ?? ImageId;
}

function unavailable(image: Image, where: string): Problem {
  return {
    message: `The source image ${image.ImageId} in ${where} is Unavailable.`,
    advice: 'It failed to build or was damaged: build it again. It cannot be copied.',
  };
}

/** An image that tells no State is taken for Available as a source: the copy itself will say so if it is not. */
function isReady({ State = 'Available' }: Image): boolean {
  return State === 'Available';
}

/** Waits, within the timeout, until the source can be copied. `doubtful`: the API has refused to copy it. */
export async function waitForSource(context: Context, image: Image, doubtful = false): Promise<Image> {
  const { clock, order, signal, deadline, report } = context;
  if (isReady(image) && !doubtful) return image;
  const since = clock.now();
  let seen = doubtful ? { ...image, State: 'not ready to be copied' } : image;
  report({
    type: 'notice',
    message: `The source ${seen.ImageId} is ${seen.State}: the action waits until it is Available.`,
  });
  const sleep = (ms: number) => clock.sleep(ms, signal);
  await repeat(sleep, async () => {
    if (clock.now() > since) seen = await readSource(context, image);
    if (seen.State === 'Unavailable') throw new Stopped(unavailable(seen, order.source.region));
    if (isReady(seen)) return null;
    const delay = order.pollInterval ?? pollDelay(clock.now() - since, [], 1, clock.random());
    if (clock.now() + delay > deadline) throw new Stopped(stillPending(seen));
    return delay;
  });
  return seen;
}

async function readSource(context: Context, { ImageId }: Image): Promise<Image> {
  const query = { ...sourceQuery(context), ImageIds: [ImageId] };
  const [found] = await stopOnError(context.cloud.describeImages(query, reading(context)));
  if (found) return found;
  throw new Stopped({
    message: `The source image ${ImageId} was deleted while the action waited for it.`,
    advice: 'Build it again, or name another source.',
  });
}

function stillPending({ ImageId, State }: Image): Problem {
  return {
    message: `The source image ${ImageId} is still ${State} at the end of the timeout.`,
    advice: 'Re-run the job when it is Available, or give a longer timeout.',
  };
}
