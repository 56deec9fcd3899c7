import type { Image } from '../cloud/cloud.ts';
import { formatDuration } from '../promotion/duration.ts';
import { isLike } from '../promotion/glob.ts';
import { byAge } from '../promotion/images.ts';
import { type Mark, readMark, type Signer } from '../promotion/mark.ts';

export interface Rules {
  /** Name or glob of the family. */
  name: string;
  /** How many of the newest sound copies stay in each region; at least 1. */
  keep: number;
  /** Milliseconds. */
  minAge: number;
  /** Image id, in lower case → why it is protected. */
  protect: ReadonlyMap<string, string>;
  /** With it a marker counts only when its signature is valid. */
  signer?: Signer;
}

export interface Decision {
  readonly image: Image;
  readonly mark: Mark;
  readonly verdict: 'keep' | 'delete';
  readonly why: string;
}

/**
 * What is to become of each copy of the family among the custom images of one region, the newest first. All other
 * images are none of our business: they are not in the answer. `now` in Unix milliseconds.
 */
export function decide(images: readonly Image[], rules: Rules, now: number): Decision[] {
  const family = images.flatMap((image) => {
    const mark = readMark(image.ImageDescription, rules.signer);
    const ours = mark !== null && isLike(image.ImageName ?? '', rules.name);
    return ours && (image.ImageType ?? 'Custom') === 'Custom' ? [{ image, mark }] : [];
  });
  family.sort((a, b) => byAge(b.image, a.image));
  // One whose age nobody knows cannot be ranked: it takes no other's place, and stays by itself.
  const ranked = family.filter(({ image }) => image.State === 'Available' && createdAt(image, now) !== null);
  const newest = new Set(ranked.slice(0, rules.keep).map(({ image }) => image.ImageId));

  return family.map(({ image, mark }) => {
    const reason = whyKept(image, rules, now) ?? (newest.has(image.ImageId) ? newestOf(rules) : null);
    if (reason !== null) return { image, mark, verdict: 'keep', why: reason };
    const why = image.State === 'Available' ? `older than the newest ${rules.keep}` : 'cannot be used';
    return { image, mark, verdict: 'delete', why };
  });
}

/** The first rule by which the image stays, whatever the others are. */
function whyKept(image: Image, { protect, minAge }: Rules, now: number): string | null {
  const protection = protect.get(image.ImageId.toLowerCase());
  if (protection !== undefined) return protection;
  const created = createdAt(image, now);
  if (created === null) return 'its age is not known';
  if (now - created < minAge) return `younger than ${formatAge(minAge)}`;
  if (image.State === 'Available' || image.State === 'Unavailable') return null;
  if (image.State === undefined) return 'its state is not known';
  const pending = image.State === 'Copying' || image.State === 'Making';
  return pending ? `still ${image.State}` : `in the state ${image.State}, which this action does not know`;
}

function newestOf({ keep }: Rules): string {
  return keep === 1 ? 'the newest' : `one of the ${keep} newest`;
}

/** Milliseconds that the runner's clock may be behind the API's. */
const SKEW = 86_400_000;

/** Unix milliseconds; null when it is not told, or lies in the future. */
export function createdAt({ CreateTime }: Image, now: number): number | null {
  if (CreateTime === undefined || CreateTime <= 0) return null;
  return CreateTime * 1000 > now + SKEW ? null : CreateTime * 1000;
}

/** `12d`, from two days on, and of whole days; else hours and minutes. */
export function formatAge(ms: number): string {
  const days = ms / 86_400_000;
  return days >= 2 || days === 1 ? `${Math.floor(days)}d` : formatDuration(ms / 1000);
}
