import type { ImageRef, Order, Promotion } from './model.ts';

/** What a run has made, or may have made: enough for another process to undo it. */
export interface Traces {
  run: string;
  /** Ids that CopyCustomImage gave to this run. Adopted images are never among them. */
  created: ImageRef[];
  /** Where images may be whose ids are not known: the mark finds them. */
  places: { region: string; projectId: string; unasked?: true }[];
  /** An answer was lost: an image may yet be listed. */
  unclear: boolean;
  /** Unix milliseconds: nothing that was made before is this run's. */
  since?: number;
  /** Unix seconds: an API endpoint may give a copy the time of its source. */
  sourceTime?: number;
  /** The API endpoint keeps marks: an image without one is none of this run's. */
  marked?: true;
}

/** What of a promotion a rollback would have to undo. Nothing is anywhere before the first copy was sent. */
export function tracesOf(
  { run, source, target }: Order,
  { copies, source: image }: Pick<Promotion, 'copies' | 'source'>,
  submitted: boolean,
): Traces {
  const sent = copies.filter(({ plan }) => plan === 'copy');
  const places: Traces['places'] = sent.map(({ region, projectId }) => ({ region, projectId }));
  // An API endpoint that ignores the list of a batch makes its one image in the source region.
  if (sent.length > 1 && !sent.some(({ region }) => region === source.region))
    places.push({ region: source.region, projectId: target.projectId, unasked: true });
  const starts = sent.flatMap(({ startedAt }) => startedAt ?? []);
  return {
    run,
    ...(starts.length > 0 ? { since: Math.min(...starts) } : {}),
    ...(image?.CreateTime ? { sourceTime: image.CreateTime } : {}),
    places: submitted ? places : [],
    unclear: sent.some(({ unclear }) => unclear),
    ...(copies.some(({ marked, created }) => marked && created) ? { marked: true } : {}),
    created: copies.flatMap(({ created, imageId, others, region, projectId }) =>
      [...(created && imageId !== null ? [imageId] : []), ...others].map((id) => ({
        region,
        projectId,
        imageId: id,
      })),
    ),
  };
}

/** No page says that an id is unlike those of other regions. */
export function keyOf({ region, projectId, imageId }: ImageRef): string {
  return `${region} ${projectId} ${imageId}`;
}
