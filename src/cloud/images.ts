import type { Client } from './client.ts';
import type {
  CallOptions,
  CopyAnswer,
  CopyInfo,
  CopyOptions,
  CopyRequest,
  Image,
  ImageQuery,
} from './cloud.ts';
import { CloudError, COPY, DELETE } from './errors.ts';
import { compact, id, number, record, records, text, texts } from './parse.ts';

const LIST = 'DescribeImage';

const PAGE = 100;
/** The API's default, and the least that an endpoint caps pages at. */
const SMALLEST_FULL_PAGE = 20;
const MOST_PAGES = 1_000;
const MOST_ROWS = 20_000;
/** Of a list that changes between two pages: in a busy account each read of it may. */
const MOST_READS = 3;

/** No such image. */
const NO_IMAGE = 8956;
/** A parameter is not valid. */
const INVALID = 230;

const STATES = new Map(
  ['Available', 'Making', 'Copying', 'Unavailable'].map((state) => [state.toLowerCase(), state]),
);

/** Parameters of CopyCustomImage that the action sets itself, so that extra parameters may not. */
export const OWN_PARAMETERS: readonly string[] = [
  'Action',
  'PublicKey',
  'Signature',
  'SecurityToken',
  'Region',
  'Zone',
  'ProjectId',
  'SourceImageId',
  'TargetProjectId',
  'TargetRegion',
  'TargetRegionList',
  'TargetImageName',
  'TargetImageDescription',
  'TargetImageTag',
];

/** In any case of letters and with any index: the API may be lenient about both. */
export function isOwnParameter(name: string): boolean {
  const plain = name.trim().replace(/\..*$/s, '').toLowerCase();
  return OWN_PARAMETERS.some((own) => own.toLowerCase() === plain);
}

export async function describeImages(
  client: Client,
  query: ImageQuery,
  options?: CallOptions,
): Promise<Image[]> {
  const seen = new Map<string, Image>();
  let least = 0;
  for (let read = 1; read <= MOST_READS; read++) {
    const { images, changed, missing } = await readList(client, query, options);
    if (!changed) return [...images.values()];
    for (const [id, image] of images) seen.set(id, image);
    least = images.size + missing;
  }
  // Rather an image that is gone by now than none of one that is there: a caller would make it a second time.
  if (seen.size >= least) return [...seen.values()];
  throw unreadable(query, `each read of the list shows other images: ${seen.size} of ${least} in all`);
}

interface List {
  images: Map<string, Image>;
  /** The total or the order did, so an image may have been passed over. */
  changed: boolean;
  /** So many as the total tells have not been seen, since others came twice. */
  missing: number;
}

/** Once through all pages. */
async function readList(client: Client, query: ImageQuery, options: CallOptions | undefined): Promise<List> {
  const wanted = new Set(query.ImageIds);
  const images = new Map<string, Image>();
  const seen = new Set<string>();
  let limit = wanted.size === 1 ? SMALLEST_FULL_PAGE : PAGE;
  let offset = 0;
  /** As the last page that has one tells it. */
  let total: number | undefined;
  /** TotalCount counts the page, not the list. */
  let perPage = false;
  let changed = false;
  let stale = 0;
  /** Rows of images that an earlier page has shown. */
  let again = 0;
  for (let page = 0; page < MOST_PAGES && offset < MOST_ROWS; page++) {
    const body = await readPage(client, query, { limit, offset, total }, options).catch((error) => {
      // Some endpoints answer so where others answer with an empty list.
      if (wanted.size > 0 && isNoImage(error)) return {} as Record<string, unknown>;
      if (!refusesPage(error)) throw error;
      // All had arrived: others refuse to read beyond the end.
      if (total === offset && offset > 0) return {};
      if (limit === SMALLEST_FULL_PAGE) throw error;
      limit = SMALLEST_FULL_PAGE;
      return readPage(client, query, { limit, offset, total }, options);
    });
    const rows = records(body.ImageSet) ?? [];
    // It was read on although all had arrived.
    if (total === offset && offset > 0) {
      if (rows.length === 0) return { images, changed, missing: 0 };
      perPage = true;
    }
    const told = perPage ? undefined : (number(body.TotalCount) ?? total);
    if (!perPage && told !== (total ?? told)) changed = true;
    total = told;
    if (rows.length === 0) {
      const missing = Math.max(0, (told ?? 0) - offset + again);
      return { images, changed: changed || missing > 0, missing };
    }
    offset += rows.length;
    const earlier = new Set(seen);
    const before = again;
    for (const row of rows) {
      const image = readImage(row);
      if (earlier.has(image.ImageId)) again++;
      seen.add(image.ImageId);
      // An endpoint that ignores the ids must not hand out images nobody asked for.
      if (wanted.size === 0 || wanted.has(image.ImageId)) images.set(image.ImageId, image);
    }
    if (wanted.size > 0 && images.size === wanted.size) return { images, changed: false, missing: 0 };
    const isStale = seen.size === earlier.size;
    // An image of an earlier page beside new ones: the order changed, and another may have been passed over.
    if (again > before && !isStale) changed = true;
    const arrived = offset - again;
    // A total below what has arrived already is no total.
    const sane = told !== undefined && told >= arrived;
    const missing = sane ? told - arrived : 0;
    // Its total may count the page.
    if (page === 0 && missing === 0 && (rows.length === limit || rows.length === SMALLEST_FULL_PAGE))
      continue;
    if (sane ? missing === 0 : rows.length < SMALLEST_FULL_PAGE) return { images, changed, missing };
    // Nothing new: the endpoint ignores Offset. Without a total that is the whole list, else some of it is missing.
    stale = isStale ? stale + 1 : 0;
    if (stale > (changed ? 2 : 0)) {
      if (!sane && !changed) return { images, changed, missing };
      break;
    }
  }
  throw unreadable(
    query,
    `the list of images does not come to an end (${seen.size} images after ${offset} rows)`,
  );
}

function unreadable({ Region }: ImageQuery, meaning: string): CloudError {
  return new CloudError({
    call: LIST,
    region: Region,
    kind: 'unreadable',
    verdict: 'retry',
    blames: 'target',
    meaning,
    advice: "The API endpoint does not page its list as documented; the vendor's support should know.",
  });
}

async function readPage(
  client: Client,
  query: ImageQuery,
  { limit, ...read }: { limit: number; offset: number; total: number | undefined },
  options: CallOptions | undefined,
): Promise<Record<string, unknown>> {
  const { Region, ProjectId, ImageType, ImageIds = [] } = query;
  const ids = ImageIds.length === 1 ? { ImageId: ImageIds[0] } : { ImageIds };
  const params = { Region, ProjectId, ImageType, ...ids, Limit: limit, Offset: read.offset };
  const flaw = (body: Record<string, unknown>) => flawOf(body, read);
  return (await client.call(LIST, params, { ...options, flaw })).body;
}

/** A page that ends a list is a fact only when the total, if any, agrees: else an image that exists is denied. */
function flawOf(
  { ImageSet, TotalCount }: Record<string, unknown>,
  { offset, total: before }: { offset: number; total: number | undefined },
): string | undefined {
  const total = number(TotalCount) ?? before;
  if (!Array.isArray(ImageSet))
    return total !== undefined && total <= offset ? undefined : 'the answer has no list of images';
  // Left out, it would be denied, and made again.
  if (!ImageSet.every(hasId)) return 'the list holds an image without an id that can be used';
  const twice = contradicted(ImageSet);
  if (twice !== undefined) return `the list holds ${twice} twice, and the two differ`;
  if (ImageSet.length > 0 || total === undefined || total <= offset) return undefined;
  return `the list of images is cut: ${total} in all, and none after ${offset}`;
}

/** The id of an image of which two rows say different things: neither is known to be true. */
function contradicted(rows: readonly unknown[]): string | undefined {
  const seen = new Map<string, Record<string, unknown>>();
  for (const row of records(rows) ?? []) {
    const imageId = String(row.ImageId);
    const other = seen.get(imageId);
    if (other && JSON.stringify(readImage(other)) !== JSON.stringify(readImage(row))) return imageId;
    seen.set(imageId, row);
  }
  return undefined;
}

function hasId(row: unknown): boolean {
  return id(record(row)?.ImageId) !== undefined;
}

export async function copyCustomImage(
  client: Client,
  request: CopyRequest,
  options?: CopyOptions,
): Promise<CopyAnswer> {
  const { extra = {}, ...own } = request;
  const allowed = Object.entries(extra).filter(([name]) => !isOwnParameter(name));
  const { body, requestId } = await client.call(COPY, { ...Object.fromEntries(allowed), ...own }, options);
  return compact<CopyAnswer>({
    TargetImageId: id(body.TargetImageId),
    TaskId: id(body.TaskId),
    Infos: records(body.Infos)?.map((info) =>
      compact<CopyInfo>({
        TargetRegion: text(info.TargetRegion),
        TargetImageId: id(info.TargetImageId),
        TaskId: id(info.TaskId),
      }),
    ),
    requestId,
  });
}

export async function terminateCustomImage(
  client: Client,
  image: { Region: string; ProjectId?: string; ImageId: string },
  options?: CallOptions,
): Promise<boolean> {
  const { Region, ProjectId, ImageId } = image;
  try {
    await client.call(DELETE, { Region, ProjectId, ImageId }, options);
    return true;
  } catch (error) {
    if (isNoImage(error)) return false;
    throw error;
  }
}

/** The code's only decisive form. */
function refusesPage(error: unknown): boolean {
  return error instanceof CloudError && error.code === INVALID && error.decisive;
}

function isNoImage(error: unknown): boolean {
  return error instanceof CloudError && error.code === NO_IMAGE;
}

function readImage(row: Record<string, unknown>): Image {
  const state = text(row.State)?.trim();
  const size = number(row.ImageSize);
  return compact<Image>({
    // The flaw of a page whose rows have none.
    ImageId: id(row.ImageId) ?? '',
    ImageName: text(row.ImageName),
    State: STATES.get(state?.toLowerCase() ?? '') ?? state,
    ImageDescription: text(row.ImageDescription),
    OsType: text(row.OsType),
    OsName: text(row.OsName),
    ImageType: text(row.ImageType),
    ImageSize: size !== undefined && size > 0 ? size : undefined,
    Features: texts(row.Features),
    CreateTime: number(row.CreateTime),
    DataSnapshotIds: texts(row.DataSnapshotIds),
    MaintainEol: text(row.MaintainEol),
  });
}
