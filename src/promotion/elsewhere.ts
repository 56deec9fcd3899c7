/** API endpoints whose lists heed no Region: what is where is only known from the answers to the copies. */
import type { Image } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { type Newcomers, wasDoubted } from './last-look.ts';
import { readMark } from './mark.ts';
import type { Problem } from './model.ts';
import { tell } from './observe.ts';
import type { Place, Run } from './place.ts';

/** Region → why its list is not believed: a copy of the action stands in that of another region, too. */
export function mixedUp(lists: readonly [string, readonly Image[]][]): Map<string, CloudError> {
  const made = ({ ImageDescription }: Image) => readMark(ImageDescription) !== null;
  const found = new Map<string, CloudError>();
  for (const [region, images] of lists) {
    for (const [other, others] of lists) {
      const both = images.filter(made).find(({ ImageId }) => others.some((one) => one.ImageId === ImageId));
      if (region === other || !both) continue;
      const meaning = `${both.ImageId} is in the list of ${region} and in that of ${other}, so where it is is not known`;
      const advice = "The API endpoint does not heed Region as documented; the vendor's support should know.";
      const about = { call: 'DescribeImage', region, meaning, advice };
      found.set(region, new CloudError({ ...about, kind: 'unreadable', verdict: 'retry' }));
    }
  }
  return found;
}

function otherTargets({ places }: Run, place: Place): Place[] {
  return places.filter((other) => other !== place && other.plan === 'copy');
}

function has({ own, held }: Place, { ImageId }: Image): boolean {
  return own.includes(ImageId) || held?.imageId === ImageId;
}

/** The copy of another target: an API endpoint that heeds no Region lists it here, too. */
export function isOfAnother(run: Run, place: Place): (image: Image) => boolean {
  const others = otherTargets(run, place);
  const isSure = place.plan === 'copy' && place.problem === null;
  return (image) => !(isSure && has(place, image)) && others.some((other) => has(other, image));
}

/**
 * Without the copies of other targets, which an API endpoint may list in every region. Null where another target has found
 * its own by the mark alone: neither of the two is known to be here. Where the image that was answered is not listed, those
 * stay that no other target has seen: two ids may have been swapped.
 */
export function hereOnly(run: Run, place: Place, newcomers: Newcomers): Newcomers | null {
  const { held, doubt } = place;
  const isElsewhere = isOfAnother(run, place);
  const all = [...newcomers.ours, ...newcomers.twins];
  const elsewhere = all.filter(isElsewhere);
  if (elsewhere.length === 0) return newcomers;
  const isFound = (other: Place) =>
    (wasDoubted(other) || other.held?.created === false) && elsewhere.some((image) => has(other, image));
  const others = otherTargets(run, place);
  const isListed = newcomers.all.some(({ ImageId }) => ImageId === held?.imageId);
  if (held && !isListed) return without(newcomers, (image) => isSeenBy(others, image));
  const mixedUp = others.filter(isFound);
  const here = without(newcomers, isElsewhere);
  // Its own may be listed yet.
  const isEarly = doubt !== null && run.clock.now() < doubt.clearAt;
  const isSure =
    mixedUp.length === 0
      ? held !== null || here.ours.length > 0 || isEarly
      : held?.created && !wasDoubted(place);
  if (!isSure) {
    const ours = newcomers.ours.map(({ ImageId }) => ImageId);
    for (const one of [place, ...mixedUp]) {
      const problem = whichIsWhere(one, all);
      const own = [...new Set([...one.own, ...ours])];
      Object.assign(one, { problem, held: null, own, doubt: null, unclear: true });
    }
    return null;
  }
  if (held) tell(run, listedElsewhere(place, elsewhere));
  return here;
}

function isSeenBy(places: Place[], { ImageId }: Image): boolean {
  return places.some(({ held }) => held?.imageId === ImageId && held.seenAt !== null);
}

function without(newcomers: Newcomers, isOut: (image: Image) => boolean): Newcomers {
  const { ours, marked, twins } = newcomers;
  const left = (images: Image[]) => images.filter((image) => !isOut(image));
  return { ...newcomers, ours: left(ours), marked: left(marked), twins: left(twins) };
}

const ids = (images: Image[]) => images.map(({ ImageId }) => ImageId).join(', ');

export function listedElsewhere({ region }: Place, images: Image[]): Problem {
  return {
    message: `${region}: the list there holds ${ids(images)}, which this run has made in other regions: this API endpoint lists images of every region.`,
    advice: "There is nothing to delete. Tell the vendor's support.",
  };
}

export function whichIsWhere({ region, projectId }: Place, images: Image[]): Problem {
  return {
    message: `${region}: this run's copies are ${ids(images)}, and which of them is here is not known: no answer says so for certain, and this API endpoint lists images of other regions.`,
    advice: `Look at them in the console, in project ${projectId}, and use them by their ids. Do not re-run the job.`,
  };
}
