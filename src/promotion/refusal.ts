import type { CloudError } from '../cloud/errors.ts';
import { asProblem } from './context.ts';
import type { Problem } from './model.ts';
import { type Held, type Place, type Run, WINDOW } from './place.ts';
import { resume, whole } from './words.ts';

/** The RetCode of a region that holds as many images as it may; of a policy; of an image that does not exist. */
const FULL = 8095;
const DENIED = 299;
const NO_IMAGE = 8956;

/** At most so many regions are named. */
const NAMED = 6;

export function refused({ region }: Place, { message, advice }: Problem): Problem {
  return { message: `${region}: not copied. ${message}`, advice };
}

/** For good, and looked behind. */
export function refusedUnseen({ region }: Place, { message, advice }: Problem): Problem {
  return {
    message: `${region}: not copied: no copy appeared within ${WINDOW / 1000} s. ${message}`,
    advice,
  };
}

export function sentAgainIn(error: CloudError, pause: number): string {
  return `${error.message}. The action sends it again in ${Math.ceil(pause / 1000)} s.`;
}

export function oneByOne(error: CloudError): string {
  return `${whole(error.message)} The action checks whether anything was created, then sends each region on its own.`;
}

/** What CopyCustomImage refused, with what this run knows beside it. */
export function refusal(run: Run, place: Place, error: CloudError): Problem {
  const { message, advice } = asProblem(error);
  if (error.code === FULL) return { message, advice: full(run, place, advice) };
  if (error.code === DENIED) return { message, advice: denied(run, advice) };
  if (error.kind === 'http' && error.verdict === 'final')
    return {
      message,
      advice: `This run could read the API, so a proxy, firewall or web filter between it and the runner refuses ${error.call} alone: let it pass.`,
    };
  return { message, advice: error.code === NO_IMAGE ? gone(run) : advice };
}

function full({ order, findings }: Run, { region }: Place, advice: string): string {
  const { projectId } = order.target;
  const count = findings.held.get(region)?.length;
  if (count === undefined) return advice;
  if (count > 0)
    return `Project ${projectId} has ${count} custom image${count === 1 ? '' : 's'} there. ${advice}`;
  return `Make room where the quota is used up: delete a custom image there that nobody uses, in another project of the account (${projectId} has none there), or ask the vendor for a larger quota, then re-run the job.`;
}

/** The same for every region, so that their rows stay one fact. */
function denied({ order: { source }, places }: Run, advice: string): string {
  if (source.projectId === undefined) return advice;
  const targets = places.filter(({ plan }) => plan === 'copy').map(({ region }) => region);
  const where = targets.length > NAMED ? `the ${targets.length} target regions` : targets.join(', ');
  return `${advice} It must hold in ${source.region} and in ${where}.`;
}

/** The check has seen it, so its id and its place are right. */
function gone({ order: { source }, findings }: Run): string {
  const project = source.projectId ?? findings.sourceProject ?? 'the default project';
  return `The action listed it at the start of this run. Look in the console, in ${source.region}, ${project}: if somebody has deleted it, choose another source; if it is still there, give the request id to the vendor's support.`;
}

/** RetCode of keys that have expired. */
const EXPIRED = 174;

export function unwatchable(
  { order }: Run,
  { region }: Place,
  { imageId }: Held,
  error: CloudError,
): Problem {
  const { message, advice } = asProblem(error);
  if (error.code === EXPIRED)
    return {
      message: `${region}: the API stopped accepting the keys while the action waited for ${imageId} (RetCode ${EXPIRED}${error.requestId ? `, request id ${error.requestId}` : ''}).`,
      advice: `Put new keys into the secrets: these have expired, or somebody revoked them. They must be valid for longer than the copies take (role-urn renews its own). ${resume(order)}`,
    };
  return {
    message: `${region}: the action can no longer watch ${imageId}: ${message}`,
    advice: `${advice} ${resume(order)}`,
  };
}
