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
  /** Calls that IAM denies: 299. */
  deniedActions: string[];
  /** A brand whose header `channel-key` must be this. Undefined: a brand that must not get one. */
  channelKey: string | undefined;
  /** false: an older site, which ignores TargetRegionList and TargetImageTag, and answers without Infos. */
  batch: boolean;
  /** false: CopyCustomImage answers without TaskId. */
  taskIds: boolean;
  /** true: a batch answer carries TargetImageId and TaskId beside Infos, as the example in the API's page does. */
  batchAnswersBoth: boolean;
  /**
   * What a batch does about a region it cannot copy to: refuse the `whole` batch; `drop` that region's entry; or refuse,
   * though the regions `before` it in the list are copied to.
   */
  batchRefusal: 'whole' | 'drop' | 'before';
  retCodeAsString: boolean;
  /** Seconds after its answer that a delete is carried out; Infinity: it is accepted and never is. */
  deleteSeconds: number;
}

export function defaultSettings(): Settings {
  return {
    copySeconds: 0.05,
    listingDelaySeconds: 0,
    finalState: 'Available',
    quota: Number.POSITIVE_INFINITY,
    copiesDiffer: {},
    byRegion: {},
    now: Date.now,
    latencyMs: 0,
    throttle: undefined,
    deniedActions: [],
    channelKey: undefined,
    batch: true,
    taskIds: true,
    batchAnswersBoth: false,
    batchRefusal: 'whole',
    retCodeAsString: false,
    deleteSeconds: 0,
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
  goneAt: number;
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
  readonly #deleted: StoredImage[] = [];

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
      goneAt: Number.POSITIVE_INFINITY,
    };
  }

  #show(record: StoredImage): Image {
    const { pendingState, finalState, settlesAt, listedAt, goneAt: _, ...image } = record;
    const now = this.settings.now();
    return {
      ...image,
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
    const { region, osType, osName, size, features, maintainEol } = source;
    const record = this.#fill({
      osType,
      osName,
      size,
      features,
      maintainEol,
      name: source.name,
      ...target,
      ...settings.copiesDiffer,
      state: 'Copying',
      settlesInSeconds: settings.copySeconds,
      finalState: settings.finalState,
      listedInSeconds: settings.listingDelaySeconds,
    });
    record.copyOf = { region, imageId: source.imageId };
    record.taskId = newTaskId();
    this.#images.set(record.imageId, record);
    return this.#show(record);
  }

  /** A project's own images, listed or not, and the public ones. */
  visible(region: string, projectId: string): Image[] {
    this.#sweep();
    return [...this.#publicImages, ...this.#images.values()]
      .filter((image) => image.region === region && ['', projectId].includes(image.projectId))
      .map((image) => this.#show(image));
  }

  deletedImages(): Image[] {
    return this.#deleted.map((image) => this.#show(image));
  }

  /** Every custom image that exists, listed or not. */
  customImages(region?: string, projectId?: string): Image[] {
    this.#sweep();
    return [...this.#images.values()]
      .filter((image) => image.region === (region ?? image.region))
      .filter((image) => image.projectId === (projectId ?? image.projectId))
      .map((image) => this.#show(image));
  }

  #find(imageId: string): StoredImage {
    this.#sweep();
    const record = this.#images.get(imageId);
    if (!record) throw new Error(`No such image: ${imageId}`);
    return record;
  }

  /** By the API: carried out when the site carries deletes out. */
  terminate(imageId: string): void {
    const image = this.#find(imageId);
    image.goneAt = Math.min(image.goneAt, this.settings.now() + this.settings.deleteSeconds * 1000);
    this.#sweep();
  }

  #sweep(): void {
    const now = this.settings.now();
    for (const image of [...this.#images.values()]) if (now >= image.goneAt) this.#remove(image);
  }

  #remove(image: StoredImage): void {
    this.#images.delete(image.imageId);
    this.#deleted.push(image);
  }

  delete(imageId: string): void {
    this.#remove(this.#find(imageId));
  }

  /** From now on and for good. */
  setState(imageId: string, state: string): void {
    const record = this.#find(imageId);
    record.finalState = state;
    record.settlesAt = this.settings.now();
  }
}
