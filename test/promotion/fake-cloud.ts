import type {
  CallOptions,
  Cloud,
  CopyAnswer,
  CopyOptions,
  CopyRequest,
  Image,
  ImageQuery,
  Project,
  ProjectList,
  Region,
} from '../../src/cloud/cloud.ts';
import { CloudError, COPY, judge } from '../../src/cloud/errors.ts';
import { RETURN_CODES, UNKNOWN_CODE } from '../../src/cloud/return-codes.ts';
import { withMark } from '../../src/promotion/mark.ts';
import type { VirtualClock } from '../virtual-clock.ts';

export type Action =
  | 'GetRegion'
  | 'GetProjectList'
  | 'DescribeImage'
  | 'CopyCustomImage'
  | 'TerminateCustomImage';

export { COPY };
export const LIST = 'DescribeImage';
export const DELETE = 'TerminateCustomImage';

export const HERE = 'cn-bj2';
export const BUILD = 'org-build';
export const PROD = 'org-prod';
export const RUN = '8123456789-1-k3f9za';

/** The image that every scenario promotes unless it says otherwise. */
export const SOURCE: Image = {
  ImageId: 'uimage-source',
  ImageName: 'web-1.4.2',
  State: 'Available',
  ImageDescription: 'nginx and friends',
  ImageType: 'Custom',
  OsType: 'Linux',
  OsName: 'Ubuntu 24.04',
  ImageSize: 40,
  Features: ['NetEnhanced', 'CloudInit'],
  CreateTime: 1_700_000_000,
};

/** The description of a copy of SOURCE that `run` made. */
export const markedBy = (run: string, imageId = SOURCE.ImageId) =>
  withMark('nginx and friends', { region: HERE, imageId, run });

export interface Sent {
  /** Virtual milliseconds since the start. */
  at: number;
  action: Action;
  /** The Region parameter; empty for calls without. */
  region: string;
  /** Where a copy goes; for other calls the same as `region`. */
  targets: string[];
  projectId: string | undefined;
  imageIds: string[];
  copy?: CopyRequest;
  patience: number | undefined;
}

interface Stored {
  region: string;
  projectId: string;
  image: Image;
  listedAt: number;
  /** Until when its State is `image.State`. */
  settlesAt: number;
  finalState: string;
}

/** Plays a call: `execute` carries it out and gives the usual answer. */
type Fault = (
  execute: () => unknown,
  sent: Sent,
  signal: AbortSignal | undefined,
  unsent?: AbortSignal,
) => unknown;

export function refused(call: string, code: number, region?: string, imageId?: string): CloudError {
  const entry = RETURN_CODES[code] ?? UNKNOWN_CODE;
  const fields = { call, region, imageId, code, requestId: `request-${code}` };
  return new CloudError({ ...fields, kind: 'api', ...judge(call, entry) });
}

export function broken(call: string, kind: 'connection' | 'lost' | 'http' | 'unreadable'): CloudError {
  const verdict = call === COPY && kind !== 'connection' ? 'ambiguous' : 'retry';
  return new CloudError({
    call,
    kind,
    verdict,
    meaning: `the line is ${kind}`,
    advice: 'Look at the network.',
  });
}

/** The call is not carried out. */
export const fails =
  (code: number): Fault =>
  (_execute, { action, region, imageIds }) => {
    throw refused(action, code, region, imageIds[0]);
  };

/** The call is carried out and its answer is this error. */
export const doneBut =
  (code: number): Fault =>
  (execute, { action, region, imageIds }) => {
    execute();
    throw refused(action, code, region, imageIds[0]);
  };

/** The API in virtual time, small: images, copies that take a while, and faults that a scenario plays. */
export class FakeCloud implements Cloud {
  readonly sent: Sent[] = [];
  readonly stored: Stored[] = [];
  closed = false;
  latency = 100;
  batch = true;
  /** Lists and deletes heed Region. */
  regional = true;
  regions: Region[] = [
    { Region: HERE, RegionName: 'Beijing 2' },
    { Region: 'hk', RegionName: 'Hong Kong' },
    { Region: 'sg', RegionName: 'Singapore' },
    { Region: 'us-ca', RegionName: 'Los Angeles' },
    { Region: 'jpn-tky', RegionName: 'Tokyo' },
  ];
  projects: Project[] = [
    { ProjectId: BUILD, ProjectName: 'build', IsDefault: true },
    { ProjectId: PROD, ProjectName: 'production', IsDefault: false },
  ];
  projectsAreAll = true;
  /** By region, in seconds. */
  copySeconds: Record<string, number> = {};
  listingSeconds: Record<string, number> = {};
  finalState: Record<string, string> = {};
  /** What copies have other than their source. */
  differing: Partial<Image> = {};
  describe = (description: string): string | undefined => description;
  #clock: VirtualClock;
  #faults: { action: Action; region: string | undefined; left: number; skip: number; act: Fault }[] = [];
  #made = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.add(SOURCE);
  }

  add(
    image: Image,
    { region = HERE, projectId = BUILD, settles = 0, finalState = image.State ?? '' } = {},
  ): void {
    const settlesAt = this.#clock.now() + settles * 1000;
    this.stored.push({ region, projectId, image, listedAt: 0, settlesAt, finalState });
  }

  /** A copy of SOURCE that some earlier run made. */
  addCopy(
    region: string,
    some: Partial<Image> = {},
    more: { settles?: number; finalState?: string } = {},
  ): void {
    const image = {
      ...SOURCE,
      ImageId: `uimage-old-${region}`,
      ImageDescription: markedBy('77-1-old000'),
      ...some,
    };
    this.add(image, { region, projectId: PROD, ...more });
  }

  /** What an earlier run made, listed and settled by now. */
  inherit(earlier: FakeCloud): void {
    this.#made = earlier.#made;
    const made = earlier.stored.filter(({ image }) => image !== SOURCE);
    this.stored.push(...made.map((stored) => ({ ...stored, listedAt: 0, settlesAt: 0 })));
  }

  remove(imageId: string): void {
    const at = this.stored.findIndex(({ image }) => image.ImageId === imageId);
    if (at < 0) throw new Error(`no image ${imageId}`);
    this.stored.splice(at, 1);
  }

  /** Of the calls that fit and were not met yet, the first `skip` go well and the next `times` are played by `act`. */
  fault(
    action: Action,
    act: Fault,
    { region, times = 1, skip = 0 }: { region?: string; times?: number; skip?: number } = {},
  ): void {
    this.#faults.push({ action, region, left: times, skip, act });
  }

  calls(action: Action): Sent[] {
    return this.sent.filter((sent) => sent.action === action);
  }

  /** Ids of the images that are there, SOURCE aside. */
  ids(region?: string): string[] {
    return this.stored
      .filter((stored) => (region === undefined || stored.region === region) && stored.image !== SOURCE)
      .map(({ image }) => image.ImageId);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  async getRegions(options?: CallOptions): Promise<Region[]> {
    return this.#call({ action: 'GetRegion', region: '' }, options, () => this.regions);
  }

  async getProjects(options?: CallOptions): Promise<ProjectList> {
    return this.#call({ action: 'GetProjectList', region: '' }, options, () => ({
      projects: this.projects,
      whole: this.projects.length > 0 && this.projectsAreAll,
    }));
  }

  async describeImages(query: ImageQuery, options?: CallOptions): Promise<Image[]> {
    const { Region: region, ProjectId: projectId = BUILD, ImageIds: imageIds = [], ImageType: type } = query;
    return this.#call({ action: 'DescribeImage', region, projectId, imageIds }, options, () => {
      const now = this.#clock.now();
      return this.stored
        .filter(
          (stored) => this.#isIn(region, stored) && stored.projectId === projectId && now >= stored.listedAt,
        )
        .filter(({ image }) => imageIds.length === 0 || imageIds.includes(image.ImageId))
        .filter(({ image }) => type === undefined || (image.ImageType ?? 'Custom') === type)
        .map(({ image, settlesAt, finalState }) =>
          now < settlesAt || finalState === '' ? { ...image } : { ...image, State: finalState },
        );
    });
  }

  async copyCustomImage(copy: CopyRequest, options?: CopyOptions): Promise<CopyAnswer> {
    const list = this.batch ? (copy.TargetRegionList ?? []) : [];
    const targets = list.length > 0 ? list : [copy.TargetRegion ?? copy.Region];
    const { Region: region, ProjectId: projectId, SourceImageId } = copy;
    const sent = { action: COPY as Action, region, projectId, imageIds: [SourceImageId], targets, copy };
    return this.#call(sent, options, () => {
      const infos = targets.map((target) => this.make(copy, target));
      if (list.length > 0) return { Infos: infos };
      const { TargetImageId, TaskId } = infos[0] ?? { TargetImageId: '', TaskId: '' };
      return { TargetImageId, TaskId };
    });
  }

  make(copy: CopyRequest, target: string): { TargetRegion: string; TargetImageId: string; TaskId: string } {
    const source = this.stored.find(
      ({ image, region }) => image.ImageId === copy.SourceImageId && region === copy.Region,
    );
    if (!source) throw refused(COPY, 8956, copy.Region);
    const now = this.#clock.now();
    if ((now < source.settlesAt ? source.image.State : source.finalState) !== 'Available')
      throw refused(COPY, 8961, copy.Region);
    if (source.region === target && source.projectId === copy.TargetProjectId)
      throw refused(COPY, 8962, target);
    const serial = ++this.#made;
    const description = this.describe(copy.TargetImageDescription ?? '');
    this.stored.push({
      region: target,
      projectId: copy.TargetProjectId,
      image: {
        ...source.image,
        ImageId: `uimage-new-${target}-${serial}`,
        ImageName: copy.TargetImageName ?? '',
        ImageDescription: description ?? '',
        CreateTime: Math.floor(now / 1000),
        State: 'Copying',
        ...this.differing,
      },
      listedAt: now + (this.listingSeconds[target] ?? 0) * 1000,
      settlesAt: now + (this.copySeconds[target] ?? 60) * 1000,
      finalState: this.finalState[target] ?? 'Available',
    });
    return {
      TargetRegion: target,
      TargetImageId: `uimage-new-${target}-${serial}`,
      TaskId: `task-${target}-${serial}`,
    };
  }

  async terminateCustomImage(
    image: { Region: string; ProjectId?: string; ImageId: string },
    options?: CallOptions,
  ): Promise<boolean> {
    const { Region: region, ProjectId: projectId, ImageId } = image;
    return await this.#call(
      { action: 'TerminateCustomImage', region, projectId, imageIds: [ImageId] },
      options,
      () => {
        const there = this.stored.some(
          (stored) =>
            stored.image.ImageId === ImageId && this.#isIn(region, stored) && stored.projectId === projectId,
        );
        if (!there) throw new Error(`asked to delete ${ImageId}, which is not in ${region}, ${projectId}`);
        this.remove(ImageId);
        return true;
      },
    );
  }

  #isIn(region: string, stored: Stored): boolean {
    return !this.regional || stored.region === region;
  }

  /** Reads and deletes are repeated as the real client repeats them; a copy never is. */
  async #call<T>(
    some: Pick<Sent, 'action' | 'region'> & Partial<Sent>,
    options: (CallOptions & CopyOptions) | undefined,
    execute: () => T,
  ): Promise<T> {
    const { signal, patience = 0, persist = false } = options ?? {};
    const startedAt = this.#clock.now();
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(some, options, execute);
      } catch (error) {
        if (!(error instanceof CloudError) || some.action === COPY) throw error;
        if (error.verdict !== 'retry' && (!persist || error.decisive)) throw error;
        const until = startedAt + (error.slow ? patience : Math.min(patience, 120_000));
        const delay = Math.max((error.waitSeconds ?? 0) * 1_000, Math.min(20_000, 1_000 * 2 ** attempt));
        if (this.#clock.now() + delay > until) throw error;
        await this.#clock.sleep(delay, signal);
      }
    }
  }

  async #once<T>(
    some: Pick<Sent, 'action' | 'region'> & Partial<Sent>,
    { signal, patience, unsent }: CallOptions & CopyOptions = {},
    execute: () => T,
  ): Promise<T> {
    signal?.throwIfAborted();
    unsent?.throwIfAborted();
    const at = this.#clock.elapsed;
    const sent: Sent = { targets: [some.region], projectId: undefined, imageIds: [], patience, at, ...some };
    this.sent.push(sent);
    const act = this.#take(sent);
    try {
      return (act ? await act(execute, sent, signal, unsent) : execute()) as T;
    } finally {
      await this.#clock.sleep(this.latency, signal);
    }
  }

  #take({ action, targets }: Sent): Fault | undefined {
    for (const fault of this.#faults) {
      if (fault.action !== action || fault.left === 0) continue;
      if (fault.region !== undefined && !targets.includes(fault.region)) continue;
      if (fault.skip > 0) {
        fault.skip -= 1;
        continue;
      }
      fault.left -= 1;
      return fault.act;
    }
    return undefined;
  }
}
