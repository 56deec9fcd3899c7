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
import { CloudError, COPY } from './errors.ts';
import { compact, id, number, record, records, text, texts } from './parse.ts';

const PAGE = 100;
/** The API's default, and the least that a site caps pages at. */
const SMALLEST_FULL_PAGE = 20;
const MOST_PAGES = 1_000;
/** Of a list that changes between two pages: in a busy account each read of it may. */
const MOST_READS = 3;

/** No such image. */
const NO_IMAGE = 8956;

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

/** In any case of letters and with any index: a server may be lenient about both. */
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
  for (let read = 1; read <= MOST_READS; read++) {
    const { images, changed } = await readList(client, query, options);
    if (!changed) return [...images.values()];
    for (const [id, image] of images) seen.set(id, image);
  }
  // Rather an image that is gone by now than none of one that is there: a caller would make it a second time.
  return [...seen.values()];
}

/** Once through all pages. `changed`: the total did, so an image may have moved to a page that was read before. */
async function readList(
  client: Client,
  query: ImageQuery,
  options: CallOptions | undefined,
): Promise<{ images: Map<string, Image>; changed: boolean }> {
  const call = 'DescribeImage';
  const wanted = query.ImageIds ?? [];
  const params = {
    Region: query.Region,
    ProjectId: query.ProjectId,
    ImageType: query.ImageType,
    ...(wanted.length === 1 ? { ImageId: wanted[0] } : { ImageIds: wanted }),
    Limit: PAGE,
  };
  const images = new Map<string, Image>();
  let offset = 0;
  let firstTotal: number | undefined;
  let changed = false;
  let stale = 0;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { body } = await client.call(call, { ...params, Offset: offset }, options).catch((error) => {
      // Some sites answer so where others answer with an empty list.
      if (wanted.length > 0 && isNoImage(error)) return { body: {} as Record<string, unknown> };
      throw error;
    });
    const total = number(body.TotalCount);
    firstTotal ??= total;
    if (total !== undefined && total !== firstTotal) changed = true;
    const rows = Array.isArray(body.ImageSet) ? body.ImageSet : [];
    if (rows.length === 0) return { images, changed };
    offset += rows.length;
    const before = images.size;
    for (const row of rows) {
      const image = readImage(row);
      if (!image) continue;
      // A site that ignores the ids must not hand out images nobody asked for.
      if (wanted.length > 0 && !wanted.includes(image.ImageId)) continue;
      images.set(image.ImageId, image);
    }
    if (wanted.length > 0 && images.size === new Set(wanted).size) return { images, changed: false };
    // A total below what has arrived already is no total.
    const sane = total !== undefined && total >= offset;
    if (sane ? total <= offset : rows.length < SMALLEST_FULL_PAGE) return { images, changed };
    // Nothing new: the site ignores Offset. Without a total that is the whole list, else some of it is missing.
    stale = images.size === before ? stale + 1 : 0;
    if (stale > (changed ? 2 : 0) && wanted.length === 0) {
      if (!sane && !changed) return { images, changed };
      break;
    }
  }
  throw new CloudError({
    call,
    region: query.Region,
    kind: 'unreadable',
    verdict: 'retry',
    meaning: `the list of images does not come to an end (${images.size} images after ${offset} rows)`,
    advice: "The site does not page its list as documented; the vendor's support should know.",
  });
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
    await client.call('TerminateCustomImage', { Region, ProjectId, ImageId }, options);
    return true;
  } catch (error) {
    if (isNoImage(error)) return false;
    throw error;
  }
}

function isNoImage(error: unknown): boolean {
  return error instanceof CloudError && error.code === NO_IMAGE;
}

function readImage(value: unknown): Image | undefined {
  const row = record(value);
  const imageId = id(row?.ImageId);
  if (!row || imageId === undefined) return undefined;
  return compact<Image>({
    ImageId: imageId,
    ImageName: text(row.ImageName),
    State: text(row.State),
    ImageDescription: text(row.ImageDescription),
    OsType: text(row.OsType),
    OsName: text(row.OsName),
    ImageType: text(row.ImageType),
    ImageSize: number(row.ImageSize),
    Features: texts(row.Features),
    CreateTime: number(row.CreateTime),
    DataSnapshotIds: texts(row.DataSnapshotIds),
    MaintainEol: text(row.MaintainEol),
  });
}
