import { enumerate } from '../outcome.ts';
import { isLike } from '../promotion/glob.ts';
import type { Problem } from '../promotion/model.ts';
import { isDeleting, isSameName } from '../promotion/verify.ts';
import type { Item, Objection, PruneOrder, RegionReport } from './prune.ts';

/** What images.json of a release says of one target. */
export interface Named {
  release: string;
  region: string;
  projectId: string;
  /** Null where it is not told. */
  name: string | null;
  /** Null where its copy has failed. */
  imageId: string | null;
}

/**
 * What is meant to be kept is not known where that which names it names nothing that is there. `order` has the ids of
 * the input protect, `named` is what the releases name.
 */
export function objectionsTo(
  regions: readonly RegionReport[],
  order: PruneOrder,
  named: readonly Named[],
): Objection[] {
  const whole = [protectsNothing(regions, order), releasesProtectNothing(regions, order, named)];
  const objections = whole.flatMap((problem) => (problem ? [{ problem }] : []));
  if (objections.length > 0) return objections;
  return regions.flatMap((report) => {
    const problem = voidIn(report, order, named);
    return problem ? [{ region: report.region, problem }] : [];
  });
}

/** As with the path of a file in place of ids. */
function protectsNothing(regions: readonly RegionReport[], order: PruneOrder): Problem | null {
  const { protect } = order.rules;
  if (order.dryRun || protect.size === 0 || absentOf(regions, protect.keys()).length < protect.size)
    return null;
  return {
    message: `protect names ${enumerate([...protect.keys()], 4)}: no custom image of project ${order.projectId} in these regions has such an id, so nothing is protected.`,
    advice: 'Check the ids: protect takes image ids, not names or files. Leave it out to protect nothing.',
  };
}

/** What protect names, and no list holds: a name in place of an id, or an id that is misspelt, protects nothing. */
export function notListed(
  regions: readonly RegionReport[],
  { rules, projectId }: PruneOrder,
): Problem | null {
  const absent = absentOf(regions, rules.protect.keys());
  if (absent.length === 0) return null;
  const where = regions.map(({ region }) => region).join(', ');
  return {
    message: `protect names ${enumerate(absent, 4)}: no custom image of project ${projectId} in ${where} has ${absent.length === 1 ? 'that id' : 'those ids'}.`,
    advice: 'Check the ids: protect takes image ids, not names.',
  };
}

const PUBLISH_ANEW =
  'What was published was deleted, by a rollback, an earlier prune or somebody, or is broken. Run the promotion of that release again: it publishes ids that are there. If nobody needs that release, delete its images.json or lower protect-releases. To prune before that, name the ids in use in protect, and leave protect-releases out.';

function releasesProtectNothing(
  regions: readonly RegionReport[],
  { projectId }: PruneOrder,
  named: readonly Named[],
): Problem | null {
  const ids = named.flatMap(({ imageId }) => imageId ?? []);
  if (named.length === 0 || !areRead(regions) || absentOf(regions, ids).length < ids.length) return null;
  return {
    message: `${namesOf(named)}: no custom image of project ${projectId} in the regions to prune has such an id, so no release protects anything, and nothing is deleted.`,
    advice: `Check project-id and regions. ${PUBLISH_ANEW}`,
  };
}

/** Where nothing is to go, nothing is in danger. */
function voidIn(report: RegionReport, { projectId, rules }: PruneOrder, named: readonly Named[]) {
  const { region, items, listed } = report;
  if (!items?.some(({ fate }) => fate === 'due')) return null;
  // Other families have their own prune.
  const isOfFamily = ({ name }: Named) => name === null || isLike(name, rules.name);
  const here = named.filter(
    (one) => isOfFamily(one) && isSameName(one.region, region) && isSameName(one.projectId, projectId),
  );
  const lacking = here.filter(({ imageId }) => imageId !== null && !isUsable(report, imageId));
  const end = `so what is in use in ${region} is not known, and nothing more is deleted there.`;
  if (lacking.length > 0) {
    const message = `${namesOf(lacking)}: no custom image of project ${projectId} that can be used has such an id there, ${end}`;
    return { message, advice: PUBLISH_ANEW };
  }
  const isProtected =
    here.some(({ imageId }) => imageId !== null) ||
    [...rules.protect.keys()].some((id) => isListed(listed, id));
  if (here.length === 0 || isProtected) return null;
  const which = enumerate([...new Set(here.map(({ release }) => release))], 4);
  return {
    message: `protect-releases: the copy to ${region} has failed in release ${which}, and no other that counts has one, ${end}`,
    advice: `Run that promotion again, or name the ids in use in ${region} in protect. If none is, prune ${region} without protect-releases.`,
  };
}

function namesOf(named: readonly Named[]): string {
  const images = named.filter(({ imageId }) => imageId !== null);
  const words = images.map(({ release, region, imageId }) => `${imageId} in ${region} (release ${release})`);
  return `protect-releases names ${enumerate(words, 4) || 'no image'}`;
}

function isUsable({ listed, items }: RegionReport, id: string): boolean {
  const isVoid = ({ image }: Item) =>
    isSameName(image.ImageId, id) && (image.State === 'Unavailable' || isDeleting(image));
  return isListed(listed, id) && !items?.some(isVoid);
}

function areRead(regions: readonly RegionReport[]): boolean {
  return regions.length > 0 && regions.every(({ items }) => items !== null);
}

/** None as long as a list is missing. */
function absentOf(regions: readonly RegionReport[], ids: Iterable<string>): string[] {
  if (!areRead(regions)) return [];
  return [...ids].filter((id) => !regions.some(({ listed }) => isListed(listed, id)));
}

function isListed(listed: readonly string[], id: string): boolean {
  return listed.some((one) => isSameName(one, id));
}
