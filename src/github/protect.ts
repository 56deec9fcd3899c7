import type { Dispatcher } from 'undici';
import { createDispatcher } from '../cloud/proxy.ts';
import { imagesOfFile } from '../inputs/images-file.ts';
import { idsOf } from '../inputs/spelling.ts';
import { Stopped } from '../promotion/context.ts';
import type { Named } from '../prune/protection.ts';
import type { Expected } from '../verify/verify.ts';
import { ASSET, ASSET_IN_WAITING } from './asset.ts';
import {
  connect,
  createPatience,
  explainFailure,
  type GitHubOptions,
  type Octokit,
  type Patiently,
  type Repository,
} from './client.ts';

/** GitHub lists no more than a thousand releases, and may answer with smaller pages than were asked for. */
const PAGES = 100;

interface ProtectOptions extends GitHubOptions {
  /** So many of the newest releases that carry images.json. */
  count: number;
}

/**
 * `ids`: image id, in lower case → the release that names it; `named`: what should be where. Throws Stopped when
 * anything of it could not be read, or when no release names an image: what a reader takes for protected must not be
 * deleted.
 */
export async function idsOfReleases(
  options: ProtectOptions,
): Promise<{ ids: Map<string, string>; named: Named[] }> {
  const { count, repository, token, signal } = options;
  const [owner, repo, ...more] = repository.split('/');
  if (!owner || !repo || more.length > 0) {
    throw stop(`"${repository}" is not a repository's owner/name.`, 'Set GITHUB_REPOSITORY; a runner does.');
  }
  let dispatcher: Dispatcher | undefined;
  try {
    dispatcher = createDispatcher(new URL(options.apiUrl), options.env);
    const octokit = await connect(options, dispatcher);
    const patiently = createPatience(options);
    const releases = await readReleases(octokit, patiently, { owner, repo });
    if (releases.length === 0) {
      const advice = 'Publish the ids with release-tag, or leave protect-releases out.';
      throw stop(`no release of ${repository} has an ${ASSET}.`, advice);
    }
    const ids = new Map<string, string>();
    const named: Named[] = [];
    for (const { tag, assets } of releases.slice(0, count)) {
      for (const { id: asset_id, name } of assets) {
        const headers = { accept: 'application/octet-stream' };
        const answer = await patiently(() =>
          octokit.rest.repos.getReleaseAsset({ owner, repo, asset_id, headers }),
        );
        const file = contentOf(answer.data, `${name} of release ${tag}`);
        for (const id of file.ids) if (!ids.has(id)) ids.set(id, `in release ${tag}`);
        named.push(...file.images.map((image) => ({ ...image, release: tag })));
      }
    }
    return { ids, named };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof Stopped) throw error;
    const { reason, advice } = explainFailure(error, options, WORDS);
    throw stop(reason.replaceAll(token, '***'), advice);
  } finally {
    await dispatcher?.destroy();
  }
}

/** Those that carry ids, the last published first: GitHub lists them by when they were drafted. */
async function readReleases(
  octokit: Octokit,
  patiently: Patiently,
  repository: Repository,
): Promise<{ tag: string; assets: { id: number; name: string }[] }[]> {
  const releases: { tag: string; at: number; assets: { id: number; name: string }[] }[] = [];
  for (let page = 1; page <= PAGES; page++) {
    const query = { ...repository, per_page: 100, page };
    const { data, headers } = await patiently(() => octokit.rest.repos.listReleases(query));
    for (const { tag_name: tag, assets, draft, published_at, created_at } of data) {
      // A publication that broke off may have left the one without the other.
      const named = assets.filter(({ name }) => name === ASSET || name === ASSET_IN_WAITING);
      // A draft may never be released: it takes no release's place.
      if (named.length === 0 || draft) continue;
      releases.push({ tag, at: Date.parse(published_at ?? created_at) || 0, assets: named });
    }
    const isFull = data.length === 100;
    if (!isFull && !/\brel="?next\b/.test(headers.link ?? '')) return releases.sort((a, b) => b.at - a.at);
  }
  throw stop('the list of releases does not come to an end.', WORDS.again);
}

const WORDS = {
  again: 'Run the job again.',
  right: 'read access',
  access: 'set `permissions: contents: read` on the job, or give a fine-grained token Contents: read.',
};

/** `ids`: every one that is named there, those of copies that have failed as well. */
function contentOf(data: unknown, what: string): { ids: string[]; images: Expected[] } {
  const advice = 'Replace that file, or delete it from the release.';
  const bytes = data instanceof ArrayBuffer ? Buffer.from(data) : JSON.stringify(data);
  const text = bytes.toString().replace(/^\uFEFF/, '');
  const { value, mistake } = imagesOfFile(text);
  if (!value) throw stop(`${what} ${mistake}`, advice);
  const content = JSON.parse(text);
  // Of the first version it is the list alone.
  const ids = idsOf(JSON.stringify(content.images ?? content)).value ?? [];
  if (ids.length === 0) throw stop(`${what} names no image id.`, advice);
  return { ids, images: value.images };
}

function stop(reason: string, advice: string): Stopped {
  return new Stopped({
    message: `The images to protect could not be read (protect-releases), so nothing was deleted: ${reason}`,
    advice,
  });
}
