import { randomBytes } from 'node:crypto';
import type { TemporaryKeys } from './keys.ts';
import { REGIONS } from './regions.ts';

/** How copies into a region go. */
export interface CopySettings {
  /** From the copy's start until it settles; Infinity: never. */
  copySeconds: number;
  /** From the copy's start until DescribeImage lists it. */
  listingDelaySeconds: number;
  finalState: string;
  /** Custom images that one project may have in the region. */
  quota: number;
  /** What copies have other than their source. */
  copiesDiffer: Partial<ImageFields>;
  /** `drop`, or the number of characters that a copy's description is cut to. */
  descriptions: 'keep' | 'drop' | number;
  /** `lower`: a copy's name is kept in small letters. */
  names: 'keep' | 'lower';
  /** From the copy's start until it has a size; before, ImageSize is 0. */
  sizeDelaySeconds: number;
  /** How long DescribeImage lists an image that was deleted. */
  deletedListedSeconds: number;
}

export interface Role {
  /** `ucs:iam::<company>:role/<name>`. */
  urn: string;
  maxSeconds: number;
}

/** Everything that may be changed while the emulator runs. */
export interface Settings extends CopySettings {
  byRegion: Record<string, Partial<CopySettings>>;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** How long each answer is held back. */
  latencyMs: number;
  /** More calls than this within the window get 153. */
  throttle: { calls: number; seconds: number } | undefined;
  /** Images that DescribeImage answers at most, whatever Limit says. */
  pageCap: number;
  /** A larger Limit is refused with 230. */
  maxLimit: number;
  /** false: DescribeImage leaves TotalCount out. */
  totalCount: boolean;
  /** Fields that DescribeImage leaves out of every image. */
  omitFields: string[];
  /** Calls that this site does not know: 161. */
  unknownActions: string[];
  /** Calls that IAM denies: 299. */
  deniedActions: string[];
  /** Under the account's security lock deletes are refused with 295; reads and copies go through. */
  securityLock: boolean;
  /** ProjectId must be sent: without it 220, or the code given. */
  subAccount: boolean | 230 | 292 | 299;
  /** A brand whose header `channel-key` must be this. Undefined: a brand that must not get one. */
  channelKey: string | undefined;
  /** What AssumeRole may take. */
  roles: Role[];
  /** false: an older site, which ignores TargetRegionList and TargetImageTag, and answers without Infos. */
  batch: boolean;
  /** false: CopyCustomImage answers without TaskId. */
  taskIds: boolean;
  /** true: a batch answer carries TargetImageId and TaskId beside Infos, as the example in the API's page does. */
  batchAnswersBoth: boolean;
  /**
   * What a batch does about a region it cannot copy to: refuse the `whole` batch; `drop` that region's entry; or refuse,
   * though the regions `before` it in the list, or all `others`, are copied to.
   */
  batchRefusal: 'whole' | 'drop' | Partly;
  retCodeAsString: boolean;
  /** Bodies are compressed, though nobody asked for it. */
  gzip: boolean;
  /** `reset`: a connection is reset when it is used a second time. `close`: each answer announces its end. */
  reuse: 'keep' | 'reset' | 'close';
}

/** The regions of a batch that are copied to although its answer is an error that one region brought about. */
export type Partly = 'before' | 'others';

export const partOf = (part: Partly, regions: string[], region: string): string[] =>
  part === 'before'
    ? regions.slice(0, Math.max(0, regions.indexOf(region)))
    : regions.filter((other) => other !== region);

export function defaultSettings(): Settings {
  return {
    copySeconds: 0.05,
    listingDelaySeconds: 0,
    finalState: 'Available',
    quota: Number.POSITIVE_INFINITY,
    copiesDiffer: {},
    descriptions: 'keep',
    names: 'keep',
    sizeDelaySeconds: 0,
    deletedListedSeconds: 0,
    byRegion: {},
    now: Date.now,
    latencyMs: 0,
    throttle: undefined,
    pageCap: 100,
    maxLimit: Number.POSITIVE_INFINITY,
    totalCount: true,
    omitFields: [],
    unknownActions: [],
    deniedActions: [],
    securityLock: false,
    subAccount: false,
    channelKey: undefined,
    roles: [{ urn: ROLE_URN, maxSeconds: 12 * 3600 }],
    batch: true,
    taskIds: true,
    batchAnswersBoth: false,
    batchRefusal: 'whole',
    retCodeAsString: false,
    gzip: false,
    reuse: 'keep',
  };
}

export interface ImageFields {
  name: string;
  description: string;
  tag: string;
  type: 'Base' | 'Business' | 'Custom';
  osType: string;
  osName: string;
  /** GB. */
  size: number;
  features: string[];
  dataSnapshotIds: string[];
  /** YYYY/MM/DD, or empty. */
  maintainEol: string;
  /** Empty: the image has none. */
  zone: string;
  /** Unix seconds. */
  createTime: number;
}

export interface Image extends ImageFields {
  readonly imageId: string;
  readonly region: string;
  readonly projectId: string;
  readonly state: string;
  /** Whether DescribeImage shows it yet. */
  readonly listed: boolean;
  readonly copyOf?: { region: string; imageId: string };
  readonly taskId?: string;
}

export interface NewImage extends Partial<ImageFields> {
  imageId?: string;
  region?: string;
  projectId?: string;
  /** Its state until it settles; without settlesInSeconds, for good. */
  state?: string;
  settlesInSeconds?: number;
  finalState?: string;
  listedInSeconds?: number;
}

interface StoredImage extends ImageFields {
  imageId: string;
  region: string;
  projectId: string;
  pendingState: string;
  finalState: string;
  settlesAt: number;
  listedAt: number;
  sizedAt: number;
  copyOf?: { region: string; imageId: string };
  taskId?: string;
}

export interface Project {
  projectId: string;
  name: string;
  isDefault: boolean;
}

export const PROJECTS = { source: 'org-build1', target: 'org-prod22', other: 'org-stage3' } as const;

export const ROLE_URN = 'ucs:iam::50002087:role/image-promoter';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

export function randomText(length: number, alphabet: string): string {
  return Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join('');
}

const newImageId = () => `uimage-${randomText(12, `${LETTERS}0123456789`)}`;
const newTaskId = () => randomText(16, LETTERS + LETTERS.toUpperCase());

/** Projects, regions, and images with their states over time. States follow from the clock: nothing runs in between. */
export class World {
  readonly settings: Settings;
  /** The temporary keys that were given out, expired or not. */
  readonly sessions: TemporaryKeys[] = [];
  readonly projects: Project[] = [
    { projectId: PROJECTS.source, name: 'build', isDefault: true },
    { projectId: PROJECTS.target, name: 'production', isDefault: false },
    { projectId: PROJECTS.other, name: 'staging', isDefault: false },
  ];
  readonly #images = new Map<string, StoredImage>();
  readonly #publicImages: StoredImage[] = [];
  readonly #deleted: { image: StoredImage; listedUntil: number }[] = [];

  constructor(settings: Settings) {
    this.settings = settings;
    for (const region of REGIONS.keys()) {
      for (const [type, name] of [
        ['Base', 'Ubuntu 24.04 64bit'],
        ['Base', 'Rocky 9.4 64bit'],
        ['Business', 'WordPress'],
      ] as const) {
        const image = this.#fill({ region, type, name, tag: '', description: `${name}, ready to use` });
        this.#publicImages.push({ ...image, projectId: '', zone: '' });
      }
    }
  }

  copySettings(region: string): CopySettings {
    return { ...this.settings, ...this.settings.byRegion[region] };
  }

  #fill(image: NewImage): StoredImage {
    const now = this.settings.now();
    const region = image.region ?? [...REGIONS.keys()][0] ?? '';
    const pendingState = image.state ?? 'Available';
    return {
      name: image.name ?? 'web-server',
      description: image.description ?? '',
      tag: image.tag ?? 'Default',
      type: image.type ?? 'Custom',
      osType: image.osType ?? 'Linux',
      osName: image.osName ?? 'Ubuntu 24.04 64bit',
      size: image.size ?? 40,
      features: image.features ?? ['NetEnhanced', 'HotPlug', 'CloudInit', 'IPv6'],
      dataSnapshotIds: image.dataSnapshotIds ?? [],
      maintainEol: image.maintainEol ?? '2034/04/30',
      zone: image.zone ?? REGIONS.get(region)?.zones.at(-1) ?? '',
      createTime: image.createTime ?? Math.floor(now / 1000),
      imageId: image.imageId ?? newImageId(),
      region,
      projectId: image.projectId ?? PROJECTS.source,
      pendingState,
      finalState: image.finalState ?? (image.settlesInSeconds === undefined ? pendingState : 'Available'),
      settlesAt: now + (image.settlesInSeconds ?? 0) * 1000,
      listedAt: now + (image.listedInSeconds ?? 0) * 1000,
      sizedAt: now,
    };
  }

  #show(record: StoredImage): Image {
    const { pendingState, finalState, settlesAt, listedAt, sizedAt, ...image } = record;
    const now = this.settings.now();
    return {
      ...image,
      size: now < sizedAt ? 0 : image.size,
      state: now < settlesAt ? pendingState : finalState,
      listed: now >= listedAt,
    };
  }

  add(image: NewImage): Image {
    const record = this.#fill(image);
    if (!REGIONS.has(record.region)) throw new Error(`No such region: ${record.region}`);
    if (this.#images.has(record.imageId)) throw new Error(`The image ${record.imageId} is there already`);
    this.#images.set(record.imageId, record);
    return this.#show(record);
  }

  /** The system disk only: data-disk snapshots stay behind. */
  copy(source: Image, target: { region: string; projectId: string } & Partial<ImageFields>): Image {
    const settings = this.copySettings(target.region);
    const description = target.description ?? '';
    const { region, osType, osName, size, features, maintainEol } = source;
    const record = this.#fill({
      osType,
      osName,
      size,
      features,
      maintainEol,
      name: source.name,
      ...target,
      description:
        settings.descriptions === 'keep'
          ? description
          : [...description].slice(0, settings.descriptions === 'drop' ? 0 : settings.descriptions).join(''),
      ...settings.copiesDiffer,
      state: 'Copying',
      settlesInSeconds: settings.copySeconds,
      finalState: settings.finalState,
      listedInSeconds: settings.listingDelaySeconds,
    });
    record.copyOf = { region, imageId: source.imageId };
    record.taskId = newTaskId();
    record.sizedAt += settings.sizeDelaySeconds * 1000;
    if (settings.names === 'lower') record.name = record.name.toLowerCase();
    this.#images.set(record.imageId, record);
    return this.#show(record);
  }

  /** A project's own images, listed or not, and the public ones. */
  visible(region: string, projectId: string): Image[] {
    return [...this.#publicImages, ...this.#images.values()]
      .filter((image) => image.region === region && ['', projectId].includes(image.projectId))
      .map((image) => this.#show(image));
  }

  /** What DescribeImage shows, deleted images that are listed still among it. */
  listed(region: string, projectId: string): Image[] {
    const now = this.settings.now();
    const deleted = this.#deleted
      .filter(({ image, listedUntil }) => now < listedUntil && image.region === region)
      .filter(({ image }) => image.projectId === projectId)
      .map(({ image }) => this.#show(image));
    return [...this.visible(region, projectId).filter(({ listed }) => listed), ...deleted];
  }

  deletedImages(): Image[] {
    return this.#deleted.map(({ image }) => this.#show(image));
  }

  /** Every custom image that exists, listed or not. */
  customImages(region?: string, projectId?: string): Image[] {
    return [...this.#images.values()]
      .filter((image) => image.region === (region ?? image.region))
      .filter((image) => image.projectId === (projectId ?? image.projectId))
      .map((image) => this.#show(image));
  }

  #find(imageId: string): StoredImage {
    const record = this.#images.get(imageId);
    if (!record) throw new Error(`No such image: ${imageId}`);
    return record;
  }

  delete(imageId: string): void {
    const image = this.#find(imageId);
    const { deletedListedSeconds } = this.copySettings(image.region);
    this.#images.delete(imageId);
    this.#deleted.push({ image, listedUntil: this.settings.now() + deletedListedSeconds * 1000 });
  }

  /** As somebody does in the console. */
  edit(imageId: string, change: Partial<Pick<ImageFields, 'name' | 'description'>>): void {
    Object.assign(this.#find(imageId), change);
  }

  /** From now on and for good. */
  setState(imageId: string, state: string): void {
    const record = this.#find(imageId);
    record.finalState = state;
    record.settlesAt = this.settings.now();
  }
}
