import type { Image, ImageQuery, Project, Region } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { type Context, reading, Stopped } from './context.ts';
import type { Problem } from './model.ts';
import { nearest } from './near.ts';
import { pollDelay } from './pace.ts';

/** What the cloud holds before anything is changed. */
export interface Findings {
  source: Image;
  /** The source's project, when it is known: given, or the default one of GetProjectList. */
  sourceProject: string | null;
  /** Region → the custom images in the target project. */
  held: Map<string, Image[]>;
}

type Asked<T> = { ok: true; value: T } | { ok: false; error: CloudError };

/** Reads everything in one round trip. Throws Stopped with every reason to fail that can be known before a copy. */
export async function check(context: Context): Promise<Findings> {
  const { order, cloud } = context;
  const { source, target } = order;
  const [regions, projects, candidates, ...listings] = await Promise.all([
    ask(cloud.getRegions(reading(context))),
    ask(cloud.getProjects(reading(context))),
    ask(cloud.describeImages(sourceQuery(context), reading(context))),
    ...target.regions.map((region) => ask(held(context, region))),
  ]);
  const problems: Problem[] = [];
  const failures: CloudError[] = [];
  const wrongRegions = regions.ok ? unknownRegions(context, regions.value) : new Map<string, Problem>();
  const wrongProjects = projects.ok ? unknownProjects(context, projects.value) : new Map<string, Problem>();
  problems.push(...wrongRegions.values(), ...wrongProjects.values());

  let image: Image | null = null;
  const sourceIsNowhere = wrongRegions.has(source.region) || wrongProjects.has(source.projectId ?? '');
  if (!candidates.ok) {
    if (!sourceIsNowhere) failures.push(candidates.error);
  } else if (!sourceIsNowhere) {
    const found = chooseSource(context, candidates.value);
    if ('message' in found) problems.push(found);
    else image = found;
  }
  const targetIsNowhere = wrongProjects.has(target.projectId);
  listings.forEach((listing, index) => {
    const region = target.regions[index] ?? '';
    if (!listing.ok && !targetIsNowhere && !wrongRegions.has(region)) failures.push(listing.error);
  });
  problems.push(...distinct(failures));
  if (problems.length > 0 || image === null) throw new Stopped(...problems);

  for (const [answer, what] of [
    [regions, 'The regions were not checked against GetRegion'],
    [projects, 'The projects were not checked against GetProjectList'],
  ] as const) {
    if (!answer.ok) {
      const message = `${what}: ${answer.error.message}.`;
      const advice = 'The promotion goes on: a wrong name will be told by the copy itself.';
      context.report({ type: 'warning', problem: { message, advice } });
    }
  }
  const heldByRegion = new Map<string, Image[]>();
  listings.forEach((listing, index) => {
    if (listing.ok) heldByRegion.set(target.regions[index] ?? '', listing.value);
  });
  const settled = await available(context, image);
  if (settled !== image) {
    // The wait may have been long: what the targets held before it says little.
    await Promise.all(
      target.regions.map(async (region) =>
        heldByRegion.set(region, await stopOnError(held(context, region))),
      ),
    );
  }
  const defaultProject = projects.ok
    ? projects.value.find((project) => project.IsDefault)?.ProjectId
    : undefined;
  return { source: settled, sourceProject: source.projectId ?? defaultProject ?? null, held: heldByRegion };
}

function held({ order, cloud, ...context }: Context, region: string): Promise<Image[]> {
  const query: ImageQuery = { Region: region, ProjectId: order.target.projectId, ImageType: 'Custom' };
  return cloud.describeImages(query, reading({ order, cloud, ...context }));
}

function sourceQuery({ order: { source } }: Context): ImageQuery {
  return {
    Region: source.region,
    ...(source.projectId ? { ProjectId: source.projectId } : {}),
    ...(source.imageId ? { ImageIds: [source.imageId] } : { ImageType: 'Custom' as const }),
  };
}

async function ask<T>(answer: Promise<T>): Promise<Asked<T>> {
  try {
    return { ok: true, value: await answer };
  } catch (error) {
    if (error instanceof CloudError) return { ok: false, error };
    throw error;
  }
}

/** For a read that nothing can go on without. */
export async function stopOnError<T>(answer: Promise<T>): Promise<T> {
  const asked = await ask(answer);
  if (asked.ok) return asked.value;
  throw new Stopped(asProblem(asked.error));
}

export function asProblem(error: CloudError): Problem {
  return { message: `${error.message}.`, advice: error.advice };
}

/** What strikes every call alike, whatever its region: keys, the caller's address, a lock. */
const OF_THE_ACCOUNT = new Set([170, 171, 172, 174, 294, 295]);

/** A bad key, or a line that is down, fails every call: told once. */
function distinct(errors: CloudError[]): Problem[] {
  const facts = new Map<string, Problem>();
  for (const error of errors) {
    const alike = error.kind === 'connection' || OF_THE_ACCOUNT.has(error.code ?? 0);
    const fact = alike ? error.meaning : error.message;
    if (!facts.has(fact)) facts.set(fact, asProblem(error));
  }
  return [...facts.values()];
}

function unknownRegions({ order: { source, target } }: Context, regions: Region[]): Map<string, Problem> {
  const known = regions.map(({ Region }) => Region);
  const wrong = new Map<string, Problem>();
  if (known.length === 0) return wrong;
  for (const region of new Set([source.region, ...target.regions])) {
    if (known.includes(region)) continue;
    const input = region === source.region ? 'region' : 'target-regions';
    const named = regions.filter(({ RegionName }) => RegionName?.toLowerCase() === region.toLowerCase());
    const near = [...new Set([...named.map(({ Region }) => Region), ...nearest(region, known)])].slice(0, 3);
    wrong.set(region, {
      message: `${input}: this account has no region ${region}.`,
      advice:
        near.length > 0
          ? `Did you mean ${or(near)}?`
          : `The account's regions: ${some(known)}. A new region may have to be opened for the account first.`,
    });
  }
  return wrong;
}

function unknownProjects({ order: { source, target } }: Context, projects: Project[]): Map<string, Problem> {
  const wrong = new Map<string, Problem>();
  if (projects.length === 0) return wrong;
  const there = projects.map(({ ProjectId, ProjectName }) =>
    ProjectName ? `${ProjectId} (${ProjectName})` : ProjectId,
  );
  const given = [
    ['target-project-id', target.projectId],
    ['project-id', source.projectId],
  ] as const;
  for (const [input, id] of given) {
    if (id === undefined || wrong.has(id) || projects.some(({ ProjectId }) => ProjectId === id)) continue;
    wrong.set(id, {
      message: `${input}: these keys see no project ${id}.`,
      advice: `The projects they see: ${some(there)}.`,
    });
  }
  return wrong;
}

function chooseSource({ order: { source } }: Context, images: Image[]): Image | Problem {
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
    matches.find(isAvailable) ?? matches.find(({ State }) => State !== 'Unavailable') ?? matches[0];
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

/**
 * Glob with `*` and `?` only: brackets are letters of an image name. Each star first takes nothing, then one letter
 * more whenever the rest does not fit; only the last star is taken back, so the time is bounded by the product of the
 * lengths.
 */
function isLike(name: string, pattern: string): boolean {
  const letters = [...name];
  const signs = [...pattern];
  let at = 0;
  let sign = 0;
  let star = -1;
  let resume = 0;
  while (at < letters.length) {
    if (signs[sign] === '*') {
      star = sign++;
      resume = at;
    } else if (sign < signs.length && (signs[sign] === '?' || signs[sign] === letters[at])) {
      sign++;
      at++;
    } else if (star >= 0) {
      sign = star + 1;
      at = ++resume;
    } else return false;
  }
  return signs.slice(sign).every((left) => left === '*');
}

/** The oldest first; of the same second, by id. */
export function byAge(a: Image, b: Image): number {
  return (a.CreateTime ?? 0) - (b.CreateTime ?? 0) || (a.ImageId < b.ImageId ? -1 : 1);
}

/** An image that tells no State is taken for Available as a source: the copy itself will say so if it is not. */
function isAvailable({ State }: Image): boolean {
  return (State ?? 'Available') === 'Available';
}

/** Waits, within the timeout, until a source that is still being made can be copied. */
export async function available(context: Context, image: Image): Promise<Image> {
  const { clock, cloud, order, signal, deadline, report } = context;
  const since = clock.now();
  let seen = image;
  while (!isAvailable(seen)) {
    if (seen.State === 'Unavailable') throw new Stopped(unavailable(seen, order.source.region));
    if (seen === image) {
      report({
        type: 'notice',
        message: `The source ${image.ImageId} is ${image.State}: waiting until it is Available.`,
      });
    }
    const delay = order.pollInterval ?? pollDelay(clock.now() - since, [], clock.random());
    if (clock.now() + delay > deadline) {
      throw new Stopped({
        message: `The source image ${image.ImageId} is still ${seen.State} at the end of the timeout. Nothing was copied.`,
        advice: 'Run again when it is Available, or give a longer timeout.',
      });
    }
    await clock.sleep(delay, signal);
    const query = { ...sourceQuery(context), ImageIds: [image.ImageId] };
    const [found] = await stopOnError(cloud.describeImages(query, reading(context)));
    if (!found) {
      throw new Stopped({
        message: `The source image ${image.ImageId} was deleted while it was waited for. Nothing was copied.`,
        advice: 'Build it again, or name another source.',
      });
    }
    seen = { ...found };
  }
  return seen;
}

function or(words: string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : (words[0] ?? '');
}

function some(words: string[]): string {
  return words.length > 12
    ? `${words.slice(0, 12).join(', ')} and ${words.length - 12} more`
    : words.join(', ');
}
