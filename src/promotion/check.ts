import type { Image, ProjectList, Region } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { asProblem, type Context, reading, Stopped } from './context.ts';
import { formatDuration } from './duration.ts';
import { mixedUp } from './elsewhere.ts';
import { customImages } from './images.ts';
import type { Problem } from './model.ts';
import { nearest, or, some } from './near.ts';
import { chooseSource, sourceQuery, waitForSource } from './source.ts';

/** What the cloud holds before anything is changed. */
export interface Findings {
  source: Image;
  /** The source's project, when it is known: given, or the default one of GetProjectList. */
  sourceProject: string | null;
  /** Region → the custom images in the target project. */
  held: Map<string, Image[]>;
  /** Targets that could not be listed: each fails alone. */
  unreadable: Map<string, Problem>;
}

export type Asked<T> = { ok: true; value: T } | { ok: false; error: CloudError };

/** What one round trip tells. */
export interface Survey {
  source: Image;
  /** The source's project, when it is known: given, or the default one of GetProjectList. */
  sourceProject: string | null;
  regions: Asked<Region[]>;
  projects: Asked<ProjectList>;
  /** Of each target region the custom images in the target project. */
  listings: [string, Asked<Image[]>][];
}

/** Reads everything in one round trip. Throws Stopped with every reason to fail that can be known before a copy. */
export async function survey(context: Context): Promise<Survey> {
  const { order, cloud } = context;
  const { source, target } = order;
  const targets = targetsOf(order);
  const [regions, projects, candidates, listings, others] = await Promise.all([
    ask(cloud.getRegions(reading(context))),
    ask(cloud.getProjects(reading(context))),
    ask(cloud.describeImages(sourceQuery(context), reading(context))),
    list(context, targets),
    context.alsoCheck?.() ?? [],
  ]);
  const wrongRegions = unknownRegions(context, targets, regions.ok ? regions.value : []);
  const wrongProjects = unknownProjects(context, projects);
  const problems: Problem[] = [...wrongRegions.values(), ...wrongProjects.values()];
  const failures: CloudError[] = [];
  let image: Image | null = null;
  if (!wrongRegions.has(source.region) && !wrongProjects.has(source.projectId)) {
    if (candidates.ok) {
      const found = chooseSource(context, candidates.value);
      if ('image' in found) image = found.image;
      else problems.push(found);
    } else failures.push(candidates.error);
  }
  if (!wrongProjects.has(target.projectId))
    failures.push(...commonFailures(listings.filter(([region]) => !wrongRegions.has(region))));
  problems.push(...distinct(context, failures), ...others);
  if (problems.length > 0 || image === null) throw new Stopped(...problems);
  const defaultProject = projects.ok
    ? projects.value.projects.find((project) => project.IsDefault)?.ProjectId
    : undefined;
  const sourceProject = source.projectId ?? defaultProject ?? null;
  return { source: image, sourceProject, regions, projects, listings };
}

/** The survey, and the wait until the source can be copied. */
export async function check(context: Context): Promise<Findings> {
  const { source: image, sourceProject, regions, projects, ...found } = await survey(context);
  const [noRegions, noProject] = gaps(context, regions, projects);
  tellUnchecked(context, regions, 'The regions were not checked against GetRegion', noRegions);
  tellUnchecked(context, projects, 'The projects were not checked against GetProjectList', noProject);
  const source = await waitForSource(context, image);
  // The wait may have been long: what the targets held before it says little.
  const listings = source === image ? found.listings : await list(context, targetsOf(context.order));
  const held = new Map<string, Image[]>();
  const unreadable = new Map<string, Problem>();
  for (const [region, answer] of listings) {
    if (answer.ok) held.set(region, answer.value);
    else unreadable.set(region, unlisted(region, answer.error));
  }
  return { source, sourceProject, held, unreadable };
}

/** Names in one sentence. */
const MOST = 12;

/** The RetCode of a policy. */
const DENIED = 299;

export function targetsOf({ target }: Context['order']): string[] {
  return [...new Set([...target.regions, ...(target.optionalRegions ?? [])])];
}

async function list(context: Context, regions: string[]): Promise<[string, Asked<Image[]>][]> {
  const { cloud, order } = context;
  const lists = await Promise.all(
    regions.map(async (region): Promise<[string, Asked<Image[]>]> => {
      const images = customImages(cloud, region, order.target.projectId, reading(context));
      return [region, await ask(images)];
    }),
  );
  const wrong = mixedUp(lists.flatMap(([region, answer]) => (answer.ok ? [[region, answer.value]] : [])));
  return lists.map(([region, answer]) => {
    const error = wrong.get(region);
    return [region, error ? { ok: false, error } : answer];
  });
}

/** What strikes every call alike, and what every target has met. Else a region that cannot be listed fails alone. */
function commonFailures(listings: [string, Asked<Image[]>][]): CloudError[] {
  const errors = listings.flatMap(([, answer]) => (answer.ok ? [] : [answer.error]));
  return errors.length === listings.length
    ? errors
    : errors.filter(({ decisive, blames }) => decisive && blames === 'account');
}

function unlisted(region: string, error: CloudError): Problem {
  const { message, advice } = asProblem(error);
  const where = error.code === DENIED ? ` It must hold in ${region} too.` : '';
  return {
    message: `${region}: not copied, because the images there could not be listed. ${message}`,
    advice: advice + where,
  };
}

/** Why lists that could be read are no check. */
function gaps(
  { order }: Context,
  regions: Asked<Region[]>,
  lists: Asked<ProjectList>,
): [string | null, string | null] {
  const none = 'it lists none';
  const { projects, whole } = lists.ok ? lists.value : { projects: [], whole: true };
  const isListed = projects.some(({ ProjectId }) => ProjectId === order.target.projectId);
  const part = `it lists ${projects.length} and may have more, and ${order.target.projectId} is not among them`;
  return [
    regions.ok && regions.value.length === 0 ? none : null,
    whole || isListed ? null : projects.length === 0 ? none : part,
  ];
}

function tellUnchecked({ report }: Context, answer: Asked<unknown>, what: string, gap: string | null): void {
  const why = answer.ok ? gap : answer.error.message;
  if (why === null) return;
  const message = `${what}: ${why}.`;
  const advice = 'The promotion continues: the copy itself refuses a wrong name.';
  report({ type: 'warning', problem: { message, advice } });
}

/** For a read whose failure is a finding. */
export async function ask<T>(answer: Promise<T>): Promise<Asked<T>> {
  try {
    return { ok: true, value: await answer };
  } catch (error) {
    if (error instanceof CloudError) return { ok: false, error };
    throw error;
  }
}

/** A bad key, or a line that is down, fails every call: told once. A throttle was waited for to the end. */
function distinct({ order }: Context, errors: CloudError[]): Problem[] {
  const limit = `timeout of ${formatDuration(order.timeout / 1000)}`;
  const waited = ({ waitSeconds = 0 }: CloudError) =>
    waitSeconds * 1000 > order.timeout
      ? ` The ${limit} is shorter.`
      : ` It was repeated for the whole ${limit}.`;
  const facts = Map.groupBy(errors, ({ blames, code, meaning, advice }) =>
    blames === 'account' ? meaning : `${code} ${meaning} ${advice}`,
  );
  return [...facts.values()].map((alike) => {
    const [first, ...more] = alike as [CloudError, ...CloudError[]];
    const { message, advice } = asProblem(first);
    const struck = more.flatMap(({ region }) => region ?? []).filter((region) => region !== first.region);
    const regions = first.blames === 'account' ? [] : [...new Set(struck)];
    const others = regions.length > 0 ? ` The same in ${some(regions, MOST)}.` : '';
    return { message: `${message}${others}${first.slow ? waited(first) : ''}`, advice };
  });
}

function unknownRegions(
  { order: { source, target } }: Context,
  targets: string[],
  regions: Region[],
): Map<string, Problem> {
  const known = regions.map(({ Region }) => Region);
  const wrong = new Map<string, Problem>();
  if (known.length === 0) return wrong;
  for (const region of new Set([source.region, ...targets])) {
    if (known.includes(region)) continue;
    const targetInput = target.regions.includes(region) ? 'target-regions' : 'optional-regions';
    const input = region === source.region ? 'region' : targetInput;
    const named = regions.filter(({ RegionName }) => RegionName?.toLowerCase() === region.toLowerCase());
    const near = [...new Set([...named.map(({ Region }) => Region), ...nearest(region, known)])];
    wrong.set(region, {
      message: `${input}: this account has no region ${region}.`,
      advice:
        near.length > 0
          ? `Did you mean ${or(near)}?`
          : `The account's regions: ${some(known, MOST)}. A new region may have to be opened for the account first.`,
    });
  }
  return wrong;
}

function unknownProjects(
  { order: { source, target } }: Context,
  answer: Asked<ProjectList>,
): Map<string | undefined, Problem> {
  const wrong = new Map<string | undefined, Problem>();
  if (!answer.ok || !answer.value.whole) return wrong;
  const { projects } = answer.value;
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
      message: `${input}: project ${id} does not exist, or these keys may not see it.`,
      advice: `The projects they see: ${some(there, MOST)}.`,
    });
  }
  return wrong;
}
