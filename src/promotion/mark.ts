/**
 * The mark ends the description of every copy: `[copy of cn-bj2/uimage-abc123 by 8123456789-1-k3f9za]`.
 * It is how a later run, or this one after a lost answer, knows its own copies.
 */
export interface Mark {
  region: string;
  imageId: string;
  run: string;
}

const MARK = /\s*\[copy of ([^\s/[\]]+)\/([^\s/[\]]+) by ([^\s[\]]+)\]/g;

/** The last mark in a description; null without one, or when the site has cut it. */
export function readMark(description: string | undefined): Mark | null {
  const [, region, imageId, run] = [...(description ?? '').matchAll(MARK)].at(-1) ?? [];
  return region && imageId && run ? { region, imageId, run } : null;
}

export function isMarkedBy(run: string, description: string | undefined): boolean {
  return readMark(description)?.run === run;
}

/** The description without older marks (the source may itself be a copy), then ours. */
export function withMark(description: string | undefined, mark: Mark): string {
  const text = (description ?? '').replace(MARK, '').trimEnd();
  return `${text} [copy of ${mark.region}/${mark.imageId} by ${mark.run}]`.trimStart();
}
