import type { Image, ImageQuery } from '../cloud/cloud.ts';
import { type Context, reading, Stopped, stopOnError } from './context.ts';
import { isLike } from './glob.ts';
import { byAge } from './images.ts';
import type { Problem } from './model.ts';
import { nearest, or } from './near.ts';
import { pollDelay } from './pace.ts';

/** All images that may be the source. */
export function sourceQuery({ order: { source } }: Context): ImageQuery {
  return {
    Region: source.region,
    ...(source.projectId ? { ProjectId: source.projectId } : {}),
    ...(source.imageId ? { ImageIds: [source.imageId] } : { ImageType: 'Custom' as const }),
  };
}

/** By its id, or the newest that has the name; a problem when there is none to copy. */
export function chooseSource({ order: { source } }: Context, images: Image[]): Image | Problem {
  const where = `${source.region}, ${source.projectId ? `project ${source.projectId}` : 'the default project'}`;
  if (source.imageId !== undefined) {
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
    return image.State === 'Unavailable' ? unavailable(image, where) : image;
  }
  const wanted = source.name ?? '';
  const matches = images
    .filter(
      ({ ImageName, ImageType }) => isLike(ImageName ?? '', wanted) && (ImageType ?? 'Custom') === 'Custom',
    )
    .sort(byAge)
    .reverse();
  const chosen =
    matches.find(({ State }) => isAvailable(State)) ??
    matches.find(({ State }) => State !== 'Unavailable') ??
    matches[0];
  if (chosen) return chosen.State === 'Unavailable' ? unavailable(chosen, where) : chosen;
  const near = nearest(
    wanted,
    images.flatMap(({ ImageName }) => ImageName ?? []),
  );
  return {
    message: `source-image-name: no custom image in ${where} matches ${wanted}.`,
    advice:
      near.length > 0
        ? `Did you mean ${or(near)}? A glob takes * and ?, and must match the whole name.`
        : `There are ${images.length} custom images. Check region and project-id.`,
  };
}

function unavailable(image: Image, where: string): Problem {
  return {
    message: `The source image ${image.ImageId} in ${where} is Unavailable.`,
    advice: 'It failed to build or was damaged: build it again. It cannot be copied.',
  };
}

/** An image that tells no State is taken for Available as a source: the copy itself will say so if it is not. */
function isAvailable(state = 'Available'): boolean {
  return state === 'Available';
}

/** Waits, within the timeout, until the source can be copied. `state`: what is known of it, if not what the image tells. */
export async function waitForSource(context: Context, image: Image, state = image.State): Promise<Image> {
  const { clock, cloud, order, signal, deadline, report } = context;
  const since = clock.now();
  let seen = image;
  let current = state;
  while (!isAvailable(current)) {
    if (current === 'Unavailable') throw new Stopped(unavailable(seen, order.source.region));
    if (seen === image) {
      report({
        type: 'notice',
        message: `The source ${image.ImageId} is ${current}: waiting until it is Available.`,
      });
    }
    const delay = order.pollInterval ?? pollDelay(clock.now() - since, [], clock.random());
    if (clock.now() + delay > deadline) {
      throw new Stopped({
        message: `The source image ${image.ImageId} is still ${current} at the end of the timeout.`,
        advice: 'Run again when it is Available, or give a longer timeout.',
      });
    }
    await clock.sleep(delay, signal);
    const query = { ...sourceQuery(context), ImageIds: [image.ImageId] };
    const [found] = await stopOnError(cloud.describeImages(query, reading(context)));
    if (!found) {
      throw new Stopped({
        message: `The source image ${image.ImageId} was deleted while it was waited for.`,
        advice: 'Build it again, or name another source.',
      });
    }
    seen = { ...found };
    current = seen.State;
  }
  return seen;
}
