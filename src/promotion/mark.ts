import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Image } from '../cloud/cloud.ts';
import type { Order } from './model.ts';

/**
 * The mark begins the description of every copy: `[copy of cn-bj2/uimage-abc123 by 8123456789-1-k3f9za]`.
 * It is how a later run, or this one after a lost answer, knows its own copies. It comes first, so that an API endpoint
 * that cuts descriptions cuts the text and not the mark.
 */
export interface Mark {
  region: string;
  imageId: string;
  run: string;
}

/** What a mark is signed with: `mark-secret`, and the project that the copy is for. */
export interface Signer {
  secret: string;
  projectId: string;
}

/** Nothing else was ever written by the action: at the start, and by a run of this form. */
const MARK =
  /^\s*\[copy of ([^\s/[\]]{1,64})\/([^\s/[\]]{1,128}) by ((?:\d{1,40}-\d{1,20}|local)-[a-z0-9]{6})(?: sig ([\w-]{1,64}))?\]/;
const ALL_MARKS = /\[copy of [^\s/[\]]{1,64}\/[^\s/[\]]{1,128} by [^\s[\]]{1,64}(?: sig [\w-]{1,64})?\]/g;

/** Characters of a description that are sent. The API's limit is not known; the shortest that was met is 255. */
const LONGEST = 250;

/** 96 bits, which nobody guesses: as many as 16 characters hold. */
const SIGNATURE_LENGTH = 16;

/** The mark at the start of a description; null without one, when it was cut, or when its signature is not that of `signer`. */
export function readMark(description: string | undefined, signer?: Signer): Mark | null {
  const [, region, imageId, run, signature] = MARK.exec(description ?? '') ?? [];
  if (!region || !imageId || !run) return null;
  const mark = { region, imageId, run };
  return !signer || isSigned(mark, signer, signature ?? '') ? mark : null;
}

export function isMarkedBy(run: string, description: string | undefined, signer?: Signer): boolean {
  return readMark(description, signer)?.run === run;
}

/** Whether a later run takes an image with this mark for a copy of the source. Some API endpoints change letters. */
export function isMarkOf(mark: Mark | null, region: string, imageId: string): boolean {
  return mark?.imageId === imageId && mark.region.toLowerCase() === region.toLowerCase();
}

/** Some API endpoints escape or strip what is no letter, or write capitals: what is left begins like a mark. */
export function isChangedMark(text: string): boolean {
  return /^copyof/.test(text.toLowerCase().replace(/&#?\w{1,8};|%[0-9a-f]{2}|[^a-z0-9]/g, ''));
}

/** Our mark, then the text without older marks (the source may itself be a copy), cut where both are too long. */
export function withMark(description: string | undefined, mark: Mark, signer?: Signer): string {
  const signature = signer ? ` sig ${signatureOf(mark, signer)}` : '';
  const ours = `[copy of ${mark.region}/${mark.imageId} by ${mark.run}${signature}]`;
  const text = (description ?? '')
    .slice(0, 8 * LONGEST)
    .replace(ALL_MARKS, '')
    .trim();
  const letters = Array.from(text);
  const room = LONGEST - ours.length - 1;
  const kept = letters.length <= room ? text : `${letters.slice(0, Math.max(0, room - 1)).join('')}…`;
  return `${ours} ${kept}`.trimEnd();
}

function signatureOf({ region, imageId, run }: Mark, { secret, projectId }: Signer): string {
  const signed = createHmac('sha256', secret).update([region, imageId, projectId, run].join('\n'));
  return signed.digest('base64url').slice(0, SIGNATURE_LENGTH);
}

function isSigned(mark: Mark, signer: Signer, signature: string): boolean {
  const wanted = Buffer.from(signatureOf(mark, signer));
  const given = Buffer.from(signature);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Milliseconds after which a copy that is still under way no longer stands before a younger one: it is stuck. */
const STUCK = 3 * 3_600_000;

/**
 * Of images with one run's mark in one place only the oldest counts: a description can be copied. `images` are sorted by
 * age, `now` is in Unix milliseconds; those whose ids are `known` count all the same.
 */
export function withoutCopiedMarks(images: Image[], now: number, known: readonly string[] = []): Image[] {
  const runs = new Set<string>();
  return images.filter((image) => {
    const run = readMark(image.ImageDescription)?.run;
    const isFirst = run === undefined || !runs.has(run);
    const isStuck = image.State !== 'Available' && now - (image.CreateTime ?? 0) * 1000 > STUCK;
    if (run !== undefined && !isStuck) runs.add(run);
    return isFirst || known.includes(image.ImageId);
  });
}

/** Undefined without a `mark-secret`. */
export function signerOf({ target, markSecret }: Pick<Order, 'target' | 'markSecret'>): Signer | undefined {
  return markSecret ? { secret: markSecret, projectId: target.projectId } : undefined;
}

/** The description that a copy of `image` is sent with: our mark, then the user's or the source's text. */
export function descriptionOf(order: Order, image: Image): string {
  const { source, target, run } = order;
  const mark = { region: source.region, imageId: image.ImageId, run };
  return withMark(target.description ?? image.ImageDescription, mark, signerOf(order));
}
