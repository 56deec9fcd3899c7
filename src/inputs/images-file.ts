import type { Expected, ImagesFile } from '../verify/verify.ts';
import type { Spelled } from './spelling.ts';

const WRITTEN_BY = 'Give an images.json that this action has written (output-file), or that is on a release.';

/**
 * Reads images.json: `{schema: 1, name, source, images}`, or the list of images alone, as the output `images` has it and
 * as releases of the first version have it.
 */
export function imagesOfFile(text: string): Spelled<ImagesFile> {
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return { mistake: `is not JSON. ${WRITTEN_BY}` };
  }
  const whole = record(content);
  if (whole?.schema !== undefined && whole.schema !== 1) {
    return {
      mistake: `has the schema ${JSON.stringify(whole.schema)}; this version of the action knows schema 1.`,
    };
  }
  const list = Array.isArray(content) ? content : whole?.images;
  if (!Array.isArray(list)) return { mistake: `has no list "images". ${WRITTEN_BY}` };
  const images = list.map(expectedOf);
  const wrong = images.indexOf(null);
  if (wrong >= 0)
    return {
      mistake: `has no region, project and image id in entry ${wrong + 1} of its images. ${WRITTEN_BY}`,
    };
  if (images.length === 0) return { mistake: `names no image. ${WRITTEN_BY}` };
  const once = new Map((images as Expected[]).map((image) => [JSON.stringify(image), image]));
  return { value: { source: sourceOf(whole, list), images: [...once.values()] } };
}

function expectedOf(value: unknown): Expected | null {
  const entry = record(value);
  const region = id(entry?.region);
  const projectId = id(entry?.projectId);
  const imageId = entry?.imageId ?? null;
  if (!entry || !region || !projectId || (imageId !== null && !id(imageId))) return null;
  // The id of a copy that has failed is none to expect; one that was under way at the timeout may be ready by now.
  const isUnderWay = entry.state === 'Copying' || entry.state === 'Making';
  const usable = (entry.outcome !== 'failed' || isUnderWay) && entry.state !== 'Deleted';
  return {
    region,
    projectId,
    imageId: usable ? (id(imageId) ?? null) : null,
    name: typeof entry.name === 'string' ? entry.name : null,
  };
}

/** A target that is the source itself tells it where the file does not. */
function sourceOf(whole: Record<string, unknown> | undefined, list: unknown[]): ImagesFile['source'] {
  const isSource = (entry: unknown) => record(entry)?.outcome === 'source';
  const source = record(whole?.source) ?? record(list.find(isSource));
  const [region, imageId] = [id(source?.region), id(source?.imageId)];
  return region && imageId ? { region, imageId, projectId: id(source?.projectId) ?? null } : null;
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function id(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value) ? value : undefined;
}
