import type { Clock } from '../cloud/clock.ts';
import { details, type Octokit, type Patiently, type Release, type Repository, Stop } from './client.ts';

export const ASSET = 'images.json';
/** The new content waits under this name until the old asset is gone, so that one of the two is always there. */
export const ASSET_IN_WAITING = 'images.new.json';
const ASSET_ATTEMPTS = 4;
export const IMMUTABLE_ADVICE =
  'The ids are in the notes and in the outputs of this step. For the file too, turn off release immutability in ' +
  "the repository's settings before the release is published.";

export const ONE_AT_A_TIME =
  'Let one job at a time publish on a release (`concurrency`), then re-run this job.';

interface AssetOptions {
  /** The text of images.json. */
  images: string;
  clock: Clock;
  signal?: AbortSignal;
}

/**
 * Attaches images.json in the place of the earlier one. Resolves to a look whether it is still the one. `explain`: what
 * an error of GitHub means.
 */
export async function replaceAsset(
  octokit: Octokit,
  repository: Repository,
  release: Release,
  patiently: Patiently,
  { images, clock, signal }: AssetOptions,
  explain: (error: unknown) => { reason: string; advice: string },
): Promise<() => Promise<boolean>> {
  const { repos } = octokit.rest;
  if ((release as { immutable?: boolean }).immutable) {
    throw new Stop('the release is immutable: GitHub lets nobody change its assets.', IMMUTABLE_ADVICE);
  }
  const list = () => {
    const query = { ...repository, release_id: release.id, per_page: 100 };
    return patiently(() => octokit.paginate(repos.listReleaseAssets, query));
  };
  const isOneOf = async (...ids: (number | undefined)[]) =>
    (await list()).some(({ id, name }) => name === ASSET && ids.includes(id));
  const remove = async (name: string) => {
    for (const asset of (await list()).filter((asset) => asset.name === name)) {
      await patiently(() => unless([404], repos.deleteReleaseAsset({ ...repository, asset_id: asset.id })));
    }
  };
  const upload = async (name: string): Promise<number> => {
    // The address is a template: `…/assets{?name,label}`.
    const url = `${release.upload_url.replace(/\{.*$/, '')}?name=${name}`;
    const headers = { 'content-type': 'application/json' };
    return (await octokit.request({ method: 'POST', url, data: images, headers })).data.id;
  };

  let failure: unknown = new Stop(
    `other runs kept changing the release's assets, ${ASSET_ATTEMPTS} times in a row.`,
    ONE_AT_A_TIME,
  );
  let uploaded: number | undefined;
  for (let attempt = 1; attempt <= ASSET_ATTEMPTS; attempt++) {
    // What a broken run, or a failed upload of this one, left behind.
    await remove(ASSET_IN_WAITING);
    const waiting = await patiently(() => unless([], upload(ASSET_IN_WAITING)));
    uploaded = waiting ?? uploaded;
    if (waiting) {
      await remove(ASSET);
      const renamed = { ...repository, asset_id: waiting, name: ASSET };
      try {
        if (await patiently(() => unless([404], repos.updateReleaseAsset(renamed))))
          return () => isOneOf(waiting);
      } catch (error) {
        signal?.throwIfAborted();
        failure = error;
        break;
      }
    }
    // Another run is at it: after a while it is done.
    await clock.sleep(1000 * attempt * (0.5 + clock.random()), signal);
  }
  if (uploaded === undefined) throw failure;
  // The old one is gone and the new one cannot be renamed: there is another way to the name.
  try {
    const direct = await patiently(() => unless([], upload(ASSET)));
    const isNamed = () => isOneOf(direct, uploaded);
    if (await isNamed()) {
      // What is left over does no harm, and the next run removes it.
      await remove(ASSET_IN_WAITING).catch(() => undefined);
      return isNamed;
    }
  } catch {
    signal?.throwIfAborted();
    const { reason, advice } = explain(failure);
    throw new Stop(
      `the new content is on the release as ${ASSET_IN_WAITING} and could not be renamed, and the earlier ${ASSET} is deleted: ${reason}`,
      `Rename ${ASSET_IN_WAITING} to ${ASSET} there, or do this: ${advice}`,
    );
  }
  throw failure;
}

/** The answer; undefined when GitHub says that the name is taken, or gives one of these statuses. */
async function unless<T>(statuses: number[], request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    const { status, text } = details(error);
    if (statuses.includes(status) || (status === 422 && text.includes('already_exists'))) return undefined;
    throw error;
  }
}
