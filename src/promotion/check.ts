import type { Image, ProjectList, Region } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { asProblem, type Context, reading, Stopped, stopOnError } from './context.ts';
import { customImages } from './images.ts';
import type { Problem } from './model.ts';
import { nearest, or } from './near.ts';
import { chooseSource, sourceQuery, waitForSource } from './source.ts';

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
  const held = (region: string) => customImages(cloud, region, target.projectId, reading(context));
  const [regions, projects, candidates, ...listings] = await Promise.all([
    ask(cloud.getRegions(reading(context))),
    ask(cloud.getProjects(reading(context))),
    ask(cloud.describeImages(sourceQuery(context), reading(context))),
    ...target.regions.map((region) => ask(held(region))),
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
  const settled = await waitForSource(context, image);
  if (settled !== image) {
    // The wait may have been long: what the targets held before it says little.
    await Promise.all(
      target.regions.map(async (region) => heldByRegion.set(region, await stopOnError(held(region)))),
    );
  }
  const defaultProject = projects.ok
    ? projects.value.projects.find((project) => project.IsDefault)?.ProjectId
    : undefined;
  return { source: settled, sourceProject: source.projectId ?? defaultProject ?? null, held: heldByRegion };
}

async function ask<T>(answer: Promise<T>): Promise<Asked<T>> {
  try {
    return { ok: true, value: await answer };
  } catch (error) {
    if (error instanceof CloudError) return { ok: false, error };
    throw error;
  }
}

/** A bad key, or a line that is down, fails every call: told once. */
function distinct(errors: CloudError[]): Problem[] {
  const facts = new Map<string, Problem>();
  for (const error of errors) {
    const fact = error.blames === 'account' ? error.meaning : error.message;
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

function unknownProjects(
  { order: { source, target } }: Context,
  { projects, whole }: ProjectList,
): Map<string, Problem> {
  const wrong = new Map<string, Problem>();
  if (!whole) return wrong;
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

function some(words: string[]): string {
  return words.length > 12
    ? `${words.slice(0, 12).join(', ')} and ${words.length - 12} more`
    : words.join(', ');
}
