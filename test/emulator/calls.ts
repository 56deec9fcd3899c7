import { newTemporaryKeys } from './keys.ts';
import { DEFAULT_REGION, REGIONS } from './regions.ts';
import { ApiError, invalidParameter, missingParameter } from './wire.ts';
import { type Image, ROLE_URN, type World } from './world.ts';

export type Answer = Record<string, unknown>;

const IMAGE_TYPES = ['Base', 'Business', 'Custom'];
const OS_TYPES = ['Linux', 'Windows'];
const IMAGE_NAME = /^[\p{L}\p{N}\-_,.:[\]]{1,63}$/u;
const DEFAULT_LIMIT = 20;
/** Images that DescribeImage answers at most, whatever Limit says. */
const PAGE = 100;
const ROLE_SECONDS = 12 * 3600;
const ROLE = /^ucs:iam::[^:/]+:role\/.+$/;
const SESSION_NAME = /^[\w.-]{1,64}$/;

/** The parameters of one call, read strictly: an empty value is an absent one. */
export class Params {
  readonly #params: ReadonlyMap<string, string>;

  constructor(params: ReadonlyMap<string, string>) {
    this.#params = params;
  }

  optional(name: string): string | undefined {
    return this.#params.get(name) || undefined;
  }

  required(name: string): string {
    const value = this.optional(name);
    if (value === undefined) throw missingParameter(name);
    return value;
  }

  oneOf(name: string, values: string[]): string | undefined {
    const value = this.optional(name);
    if (value !== undefined && !values.includes(value)) throw invalidParameter(name);
    return value;
  }

  count(name: string, otherwise: number, most = Number.POSITIVE_INFINITY, least = 0): number {
    const value = this.optional(name) ?? String(otherwise);
    if (!/^\d{1,9}$/.test(value) || Number(value) > most || Number(value) < least)
      throw invalidParameter(name);
    return Number(value);
  }

  /** `Name.0`, `Name.1`, … by their numbers. */
  list(name: string): string[] {
    if (this.#params.has(name)) throw invalidParameter(name);
    const items: [number, string][] = [];
    for (const [key, value] of this.#params) {
      if (!key.startsWith(`${name}.`)) continue;
      const index = key.slice(name.length + 1);
      if (!/^\d{1,4}$/.test(index) || value === '') throw invalidParameter(key);
      items.push([Number(index), value]);
    }
    return items.sort(([a], [b]) => a - b).map(([, value]) => value);
  }
}

function readRegion(params: Params): string {
  const region = params.required('Region');
  const known = REGIONS.get(region);
  if (!known) throw invalidParameter('Region');
  params.oneOf('Zone', known.zones);
  return region;
}

function knownProject(world: World, projectId: string): string {
  if (world.projects.some((project) => project.projectId === projectId)) return projectId;
  throw new ApiError(292, `Project [${projectId}] does not exist`);
}

function readProject(world: World, params: Params): string {
  const given = params.optional('ProjectId');
  return knownProject(world, given ?? world.projects.find((project) => project.isDefault)?.projectId ?? '');
}

function findCustomImage(world: World, region: string, projectId: string, imageId: string): Image {
  const image = world.visible(region, projectId).find((candidate) => candidate.imageId === imageId);
  if (image?.type !== 'Custom') throw new ApiError(8956, `Image [${imageId}] is not a custom image`);
  return image;
}

function getProjectList(world: World): Answer {
  return {
    ProjectCount: world.projects.length,
    ProjectSet: world.projects.map(({ projectId, name, isDefault }) => ({
      ProjectId: projectId,
      ProjectName: name,
      ParentId: '',
      ParentName: '',
      CreateTime: 1_700_000_000,
      IsDefault: isDefault,
      MemberCount: 1,
      ResourceCount: world.customImages(undefined, projectId).length,
    })),
  };
}

/** One row a zone. */
function getRegion(): Answer {
  return {
    Regions: [...REGIONS.values()].flatMap(({ region, regionId, name, zones }) =>
      zones.map((zone) => ({
        RegionId: regionId,
        RegionName: name,
        IsDefault: region === DEFAULT_REGION,
        BitMaps: '1111111111',
        Region: region,
        Zone: zone,
      })),
    ),
  };
}

function imageRow(image: Image): Answer {
  return {
    ImageId: image.imageId,
    ImageName: image.name,
    ImageType: image.type,
    ImageSize: image.size,
    ImageDescription: image.description,
    State: image.state,
    OsType: image.osType,
    OsName: image.osName,
    Features: image.features,
    CreateTime: image.createTime,
    DataSnapshotIds: image.dataSnapshotIds,
    MaintainEol: image.maintainEol,
    Tag: image.tag,
    Vendor: '',
    Links: '',
    ...(image.zone && { Zone: image.zone }),
  };
}

/** In the order of the ids, which are random: nobody may count on the newest being first, or last. */
function describeImage(world: World, params: Params): Answer {
  const region = readRegion(params);
  const projectId = readProject(world, params);
  const zone = params.optional('Zone');
  const type = params.oneOf('ImageType', IMAGE_TYPES);
  const osType = params.oneOf('OsType', OS_TYPES);
  const tag = params.optional('Tag');
  const imageId = params.optional('ImageId');
  const ids = [...params.list('ImageIds'), ...(imageId ? [imageId] : [])];
  const offset = params.count('Offset', 0);
  const limit = Math.min(params.count('Limit', DEFAULT_LIMIT), PAGE);
  const images = world
    .visible(region, projectId)
    .filter(({ listed }) => listed)
    .filter((image) => ids.length === 0 || ids.includes(image.imageId))
    .filter((image) => image.type === (type ?? image.type))
    .filter((image) => image.osType === (osType ?? image.osType))
    .filter((image) => image.tag === (tag ?? image.tag))
    .filter((image) => !zone || !image.zone || image.zone === zone)
    .sort((a, b) => (a.imageId < b.imageId ? -1 : 1));
  return {
    TotalCount: images.length,
    ImageSet: images.slice(offset, offset + limit).map(imageRow),
  };
}

/** Where a copy goes; on a site without batch the list is one more parameter that nobody reads. */
export function copyTargets(world: World, params: Params): { regions: string[]; batch: boolean } {
  const list = world.settings.batch ? params.list('TargetRegionList') : [];
  if (list.length > 0) return { regions: list, batch: true };
  return { regions: [params.optional('TargetRegion') ?? params.required('Region')], batch: false };
}

function copyCustomImage(world: World, params: Params): Answer {
  const { settings } = world;
  const region = readRegion(params);
  const projectId = readProject(world, params);
  const source = params.required('SourceImageId');
  const targetProjectId = knownProject(world, params.required('TargetProjectId'));
  const name = params.optional('TargetImageName');
  if (name !== undefined && !IMAGE_NAME.test(name)) throw invalidParameter('TargetImageName');
  const description = params.optional('TargetImageDescription');
  const tag = settings.batch ? params.optional('TargetImageTag') : undefined;
  const { regions, batch } = copyTargets(world, params);
  const image = findCustomImage(world, region, projectId, source);
  if (image.state !== 'Available') throw new ApiError(8961, `Image [${source}] is ${image.state}`);

  const refusal = (target: string, already: number): ApiError | undefined => {
    if (!REGIONS.has(target)) return invalidParameter(batch ? 'TargetRegionList' : 'TargetRegion');
    if (target === region && targetProjectId === projectId) {
      return new ApiError(8962, 'The target is the project of the source image');
    }
    const count = world.customImages(target, targetProjectId).length + already;
    if (count < world.copySettings(target).quota) return undefined;
    return new ApiError(8095, `The quota of custom images in [${target}] is used up`);
  };
  let accepted: string[] = [];
  let refused: { target: string; error: ApiError } | undefined;
  for (const target of regions) {
    const error = refusal(target, accepted.filter((other) => other === target).length);
    if (!error) accepted.push(target);
    else if (!batch || settings.batchRefusal === 'whole') throw error;
    else refused ??= { target, error };
  }
  if (refused && settings.batchRefusal === 'before') {
    accepted = accepted.slice(0, regions.indexOf(refused.target));
  } else refused = undefined;

  const infos = accepted.map((target) => {
    const { taskId, imageId } = world.copy(image, {
      region: target,
      projectId: targetProjectId,
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(tag !== undefined && { tag }),
    });
    return { ...(settings.taskIds && { TaskId: taskId }), TargetImageId: imageId, TargetRegion: target };
  });
  if (refused) throw refused.error;
  const { TargetRegion: _, ...first } = infos[0] ?? { TargetRegion: '' };
  if (!batch) return first;
  return { Infos: infos, ...(settings.batchAnswersBoth && first) };
}

function terminateCustomImage(world: World, params: Params): Answer {
  const region = readRegion(params);
  const projectId = readProject(world, params);
  const { imageId } = findCustomImage(world, region, projectId, params.required('ImageId'));
  world.terminate(imageId);
  return { ImageId: imageId };
}

function assumeRole(world: World, params: Params): Answer {
  const urn = params.required('RoleUrn');
  if (!ROLE.test(urn)) throw invalidParameter('RoleUrn');
  if (!SESSION_NAME.test(params.required('RoleSessionName'))) throw invalidParameter('RoleSessionName');
  if ((params.optional('Policy') ?? '').length > 2048) throw invalidParameter('Policy');
  if (urn !== ROLE_URN)
    throw new ApiError(299, `IAM permission denied: the role [${urn}] may not be assumed`);
  const seconds = params.count('DurationSeconds', 3600, ROLE_SECONDS, 900);
  const keys = newTemporaryKeys(world.settings.now() + seconds * 1000);
  world.sessions.push(keys);
  const { publicKey, privateKey, securityToken, expires } = keys;
  return {
    Credentials: {
      AccessKeyId: publicKey,
      AccessKeySecret: privateKey,
      SecurityToken: securityToken,
      Expiration: new Date(expires).toISOString(),
    },
  };
}

const CALLS: Record<string, (world: World, params: Params) => Answer> = {
  AssumeRole: assumeRole,
  GetProjectList: getProjectList,
  GetRegion: getRegion,
  DescribeImage: describeImage,
  CopyCustomImage: copyCustomImage,
  TerminateCustomImage: terminateCustomImage,
};

export const isKnown = (action: string): boolean => Object.hasOwn(CALLS, action);

/** The answer's own fields; an ApiError when refused. */
export function perform(world: World, action: string, params: Params): Answer {
  const call = CALLS[action];
  if (!call) throw new ApiError(161, `Action [${action}] does not exist`);
  return call(world, params);
}
