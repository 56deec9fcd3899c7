/** A small site that answers as documented, and what can become of one of its answers. */

export type Fields = Record<string, unknown>;

/** Where a mutation strikes: the `nth` answer to `action` and those after it, `times` in all. */
export interface Mutation {
  action: string;
  nth: number;
  times: number;
  change: Change;
}

export type Change =
  /** The field, of all in the answer the one at this place, becomes this JSON text; '' takes it away. */
  | { kind: 'field'; place: number; json: string }
  | { kind: 'rename'; place: number; to: string }
  | { kind: 'repeat'; place: number; times: number }
  | { kind: 'nest'; place: number; depth: number; open: string; close: string }
  /** The text of the body, cut off or replaced. */
  | { kind: 'cut'; keep: number }
  | { kind: 'body'; text: string }
  | { kind: 'charset'; as: 'utf16le' | 'latin1' | 'bom' }
  | { kind: 'status'; status: number }
  | { kind: 'header'; value: string | string[] }
  /** The API's message quotes the request. */
  | { kind: 'echo'; code: number }
  | { kind: 'drop'; reached: boolean; final: boolean }
  /** Over real HTTP only. */
  | { kind: 'wire'; fault: WireFault };

export const WIRE_FAULTS = [
  'reset',
  'half',
  'garbage',
  'gzip',
  'long header',
  'informational',
  'bad chunk',
  'huge',
  'redirect',
] as const;
export type WireFault = (typeof WIRE_FAULTS)[number];

export interface Reply {
  status: number;
  headers: Record<string, string | string[]>;
  body: Buffer;
  drop?: { reached: boolean; final: boolean };
  wire?: WireFault;
}

const BUILD = 'org-build';
const PROD = 'org-prod';
const COPY_TIME = 60_000;

const source = {
  ImageId: 'uimage-source',
  ImageName: 'web-1.4.2',
  State: 'Available',
  ImageDescription: 'nginx and friends',
  Tag: 'Default',
  ImageType: 'Custom',
  OsType: 'Linux',
  OsName: 'Ubuntu 24.04',
  ImageSize: 40,
  Features: ['NetEnhanced', 'CloudInit'],
  CreateTime: 1_700_000_000,
  DataSnapshotIds: ['snap-1'],
  MaintainEol: '2025/01/31',
  Zone: 'cn-bj2-04',
};

export class Site {
  /** Answers that were changed. */
  changed = 0;
  readonly signatures: string[] = [];
  readonly #now: () => number;
  readonly #mutations: readonly Mutation[];
  readonly #asked = new Map<string, number>();
  readonly #images: { region: string; project: string; image: Fields; readyAt: number }[] = [];

  constructor(now: () => number, mutations: readonly Mutation[], held = false) {
    this.#now = now;
    this.#mutations = mutations;
    this.#images.push({ region: 'cn-bj2', project: BUILD, image: source, readyAt: 0 });
    if (held) {
      const description = '[copy of cn-bj2/uimage-source by 8123456789-1-abcdef] nginx';
      const image = { ...source, ImageId: 'uimage-old', ImageDescription: description };
      this.#images.push({ region: 'hk', project: PROD, image, readyAt: 0 });
    }
  }

  reply(form: string): Reply {
    const params = Object.fromEntries(new URLSearchParams(form));
    const action = params.Action ?? '';
    this.signatures.push(params.Signature ?? '');
    const count = this.#asked.get(action) ?? 0;
    this.#asked.set(action, count + 1);
    const answer = { RetCode: 0, Action: `${action}Response`, ...this.#answer(action, params) };
    const reply: Reply = {
      status: 200,
      headers: { 'x-ucloud-request-uuid': `request-${count}` },
      body: Buffer.from(JSON.stringify(answer)),
    };
    for (const { action: struck, nth, times, change } of this.#mutations) {
      if (struck !== action || count < nth || count >= nth + times) continue;
      this.changed++;
      apply(change, reply, answer, form);
    }
    return reply;
  }

  #answer(action: string, params: Record<string, string>): Fields {
    const list = (name: string) =>
      Object.entries(params).flatMap(([key, value]) => (key.startsWith(`${name}.`) ? [value] : []));
    if (action === 'GetRegion') {
      const row = (Region: string, Zone: string) => ({
        Region,
        Zone,
        RegionName: `Name ${Region}`,
        IsDefault: false,
      });
      const regions = ['hk', 'sg', 'jpn-tky', 'constructor'].map((region) => row(region, `${region}-01`));
      return {
        Regions: [{ ...row('cn-bj2', 'cn-bj2-04'), IsDefault: true }, row('cn-bj2', 'cn-bj2-05'), ...regions],
      };
    }
    if (action === 'GetProjectList') {
      const ProjectSet = [
        { ProjectId: BUILD, ProjectName: 'build', IsDefault: true },
        { ProjectId: PROD, ProjectName: 'production', IsDefault: false },
      ];
      return { ProjectCount: 2, ProjectSet };
    }
    const region = params.Region ?? '';
    const project = params.ProjectId ?? BUILD;
    const now = this.#now();
    if (action === 'DescribeImage') {
      const ids = [...list('ImageIds'), ...(params.ImageId ? [params.ImageId] : [])];
      const rows = this.#images
        .filter((held) => held.region === region && held.project === project)
        .map(({ image, readyAt }) => (now < readyAt ? { ...image, State: 'Copying' } : image))
        .filter(({ ImageId }) => ids.length === 0 || ids.includes(String(ImageId)));
      const offset = Number(params.Offset ?? 0);
      return { TotalCount: rows.length, ImageSet: rows.slice(offset, offset + Number(params.Limit ?? 20)) };
    }
    if (action === 'CopyCustomImage') {
      const batch = list('TargetRegionList');
      const made = (batch.length > 0 ? batch : [params.TargetRegion ?? region]).map((target) => {
        const ImageId = `uimage-new-${this.#images.length}`;
        this.#images.push({
          region: target,
          project: params.TargetProjectId ?? '',
          image: {
            ...source,
            ImageId,
            ImageName: params.TargetImageName,
            ImageDescription: params.TargetImageDescription,
            CreateTime: Math.floor(now / 1000),
          },
          readyAt: now + COPY_TIME,
        });
        return { TargetRegion: target, TargetImageId: ImageId, TaskId: `task-${this.#images.length}` };
      });
      const [first] = made;
      return batch.length > 0
        ? { Infos: made }
        : { TargetImageId: first?.TargetImageId, TaskId: first?.TaskId };
    }
    return { ImageId: params.ImageId };
  }
}

interface Place {
  holder: Fields | unknown[];
  key: string;
  /** In the first item of each list that it is in: the others are alike. */
  first: boolean;
}

/** Every field of an answer, nested ones and items of lists too, the outer ones first. */
export function placesOf(value: unknown, first = true): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Fields;
  const isFirst = (key: string) => first && !(Array.isArray(value) && key !== '0');
  const places = Object.keys(holder).map((key): Place => ({ holder, key, first: isFirst(key) }));
  return [...places, ...Object.entries(holder).flatMap(([key, inner]) => placesOf(inner, isFirst(key)))];
}

function apply(change: Change, reply: Reply, answer: Fields, form: string): void {
  const { kind } = change;
  if (kind === 'field' || kind === 'rename' || kind === 'repeat' || kind === 'nest') {
    reply.body = Buffer.from(withField(change, structuredClone(answer)));
  } else if (kind === 'cut') reply.body = reply.body.subarray(0, change.keep % (reply.body.length + 1));
  else if (kind === 'body') reply.body = Buffer.from(change.text);
  else if (kind === 'charset') {
    const text = reply.body.toString();
    reply.body = change.as === 'bom' ? Buffer.from(`\uFEFF${text}`) : Buffer.from(`${text}é镜`, change.as);
  } else if (kind === 'status') reply.status = change.status;
  else if (kind === 'header') reply.headers['x-ucloud-request-uuid'] = change.value;
  else if (kind === 'echo') reply.body = Buffer.from(JSON.stringify({ RetCode: change.code, Message: form }));
  else if (kind === 'drop') reply.drop = change;
  else reply.wire = change.fault;
}

/** JSON cannot say everything that a text can (1e999, two fields of one name): the change is made in the text. */
function withField(change: Change & { place: number }, answer: Fields): string {
  const places = placesOf(answer);
  const place = places[change.place % places.length];
  if (!place) return '{}';
  const { key } = place;
  const holder = place.holder as Fields;
  const hole = '\u0001hole\u0001';
  const before = JSON.stringify(holder[key]) ?? 'null';
  if (change.kind === 'field' && change.json === '') {
    if (Array.isArray(place.holder)) place.holder.splice(Number(key), 1);
    else delete holder[key];
    return JSON.stringify(answer);
  }
  if (change.kind === 'rename') {
    if (Array.isArray(place.holder)) return JSON.stringify(answer);
    const entries = Object.entries(holder).map(
      ([name, value]) => [name === key ? change.to : name, value] as const,
    );
    for (const name of Object.keys(holder)) delete holder[name];
    // Not an assignment: that would set the prototype where the name is __proto__.
    for (const [name, value] of entries) {
      Object.defineProperty(holder, name, { value, enumerable: true, configurable: true });
    }
    return JSON.stringify(answer);
  }
  holder[key] = hole;
  return JSON.stringify(answer).replace(JSON.stringify(hole), () => {
    if (change.kind === 'field') return change.json;
    if (change.kind === 'nest')
      return change.open.repeat(change.depth) + before + change.close.repeat(change.depth);
    const times = change.kind === 'repeat' ? change.times : 1;
    const value: unknown = JSON.parse(before);
    if (typeof value === 'string') return JSON.stringify(value.repeat(times));
    if (Array.isArray(value)) return JSON.stringify(Array.from({ length: times }, () => value).flat());
    return typeof value === 'number' ? before.repeat(times) : before;
  });
}
