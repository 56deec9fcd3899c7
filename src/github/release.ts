import type { Dispatcher } from 'undici';
import { createDispatcher } from '../cloud/proxy.ts';
import { isUsable } from '../outcome.ts';
import type { Problem, Promotion } from '../promotion/model.ts';
import { ASSET, IMMUTABLE_ADVICE, ONE_AT_A_TIME, replaceAsset } from './asset.ts';
import {
  connect,
  createPatience,
  details,
  explainFailure,
  type GitHubOptions,
  isRefused,
  type Octokit,
  type Patiently,
  type Release,
  type Repository,
  Stop,
} from './client.ts';
import { renderSection, withSection } from './notes.ts';

/** GitHub's limit on a release's notes, in characters. */
const NOTES_LIMIT = 125_000;
export interface TagOptions extends GitHubOptions {
  tag: string;
}

/** The token needs `contents: write`. */
export interface ReleaseOptions extends TagOptions {
  promotion: Promotion;
  /** The text of images.json. */
  images: string;
}

/** Why the ids are not, or not fully, on the release. The promotion itself stands. */
export class ReleaseError extends Error implements Problem {
  override readonly name = 'ReleaseError';
  readonly advice: string;

  constructor({ message, advice }: Problem) {
    super(message);
    this.advice = advice;
  }
}

/** How often the ids are written when another run writes over them. */
const ROUNDS = 2;

/**
 * Puts the ids into the notes of the tag's release and attaches images.json, each in the place of the earlier one. Looks
 * at both in the end: of two runs at a time the one may leave its notes, and the other its file.
 * Resolves to the release's address, or to null when no target holds an image: then the release is left as it is.
 * Throws a ReleaseError, or the signal's reason.
 */
export async function publishRelease(options: ReleaseOptions): Promise<{ url: string } | null> {
  const { promotion, tag, clock, signal } = options;
  if (!promotion.copies.some(isUsable)) return null;
  const repository = parseRepository(options.repository);
  checkToken(options.token);
  const section = renderSection(promotion);
  const where = `release ${tag} of ${options.repository}`;
  let failing = `The image ids were not published on ${where}`;
  try {
    return await onGitHub(options, async (octokit, patiently) => {
      const read = () => findRelease(octokit, repository, tag);
      for (let round = 1; round <= ROUNDS; round++) {
        // Both again: what somebody wrote into the notes meanwhile would be lost.
        const release = await patiently(async () => {
          const found = await read();
          await writeNotes(octokit, repository, found, section);
          return found;
        });
        failing = `The image ids are in the notes of ${where}, but ${ASSET} is not up to date`;
        const isAttached = await replaceAsset(octokit, repository, release, patiently, options, (error) =>
          explain(error, options),
        );
        failing = `Whether ${where} still names the images of this run is not known`;
        const isThere = async () => {
          const { body } = await patiently(read);
          return body && withSection(body, section) === body && (await isAttached());
        };
        if (await isThere()) return { url: release.html_url };
        // The read may lag behind.
        await clock.sleep(1000 * (0.5 + clock.random()), signal);
        if (await isThere()) return { url: release.html_url };
      }
      failing = `The images on ${where} may be those of another run`;
      throw new Stop('it was published there at the same time.', ONE_AT_A_TIME);
    });
  } catch (error) {
    throw new ReleaseError(problemOf(error, failing, options));
  }
}

/**
 * Whether the ids can be published in the end: the release exists, and, with `write`, the token may change it. `stop` is
 * why not; `doubt` why that is not known. Throws the signal's reason.
 */
export async function checkRelease(
  options: TagOptions & { write: boolean },
): Promise<{ stop: Problem[]; doubt: Problem[] }> {
  const failing = `release-tag: the image ids cannot be published on release ${options.tag} of ${options.repository}`;
  try {
    const repository = parseRepository(options.repository);
    checkToken(options.token);
    await onGitHub(options, (octokit, patiently) =>
      patiently(async () => {
        const { id, prerelease } = await findRelease(octokit, repository, options.tag);
        // As it is already: it changes nothing, but needs the right to.
        if (options.write)
          await octokit.rest.repos.updateRelease({ ...repository, release_id: id, prerelease });
      }),
    );
    return { stop: [], doubt: [] };
  } catch (error) {
    if (error instanceof ReleaseError) return { stop: [error], doubt: [] };
    const isDecided = error instanceof Stop || isRefused(error);
    if (isDecided) return { stop: [problemOf(error, failing, options)], doubt: [] };
    const unsure = `Whether release ${options.tag} of ${options.repository} can be written was not checked`;
    const { message } = problemOf(error, unsure, options);
    return { stop: [], doubt: [{ message, advice: 'The action tries again when the copies are done.' }] };
  }
}

/** Throws the signal's reason, or what the work throws. */
async function onGitHub<T>(
  options: GitHubOptions,
  work: (octokit: Octokit, patiently: Patiently) => Promise<T>,
): Promise<T> {
  // @actions/github chooses a proxy once, for the API's host; assets go to another host. It leaves sockets open, too.
  let dispatcher: Dispatcher | undefined;
  try {
    dispatcher = createDispatcher(new URL(options.apiUrl), options.env);
    return await work(await connect(options, dispatcher), createPatience(options));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    await dispatcher?.destroy();
  }
}

function problemOf(error: unknown, failing: string, options: TagOptions): Problem {
  options.signal?.throwIfAborted();
  const { reason, advice } = explain(error, options);
  return { message: `${failing}: ${reason}`.replaceAll(options.token, '***'), advice };
}

function parseRepository(repository: string): Repository {
  const [owner, repo, ...more] = repository.split('/');
  if (owner && repo && more.length === 0) return { owner, repo };
  throw new ReleaseError({
    message: `The image ids were not published on a release: "${repository}" is not a repository's owner/name.`,
    advice:
      'GITHUB_REPOSITORY names the repository; a workflow runner sets it. Set it when you run the action elsewhere.',
  });
}

/** fetch quotes a header that it refuses, token and all. */
function checkToken(token: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return;
  const what = token === '' ? 'is empty' : 'holds a space, a line break or a letter that no token has';
  throw new ReleaseError({
    message: `The image ids were not published on a release: github-token ${what}.`,
    advice:
      "Leave github-token out to use the job's own token, or store the secret again without a line break.",
  });
}

async function findRelease(octokit: Octokit, repository: Repository, tag: string): Promise<Release> {
  let release: Release | undefined;
  try {
    release = (await octokit.rest.repos.getReleaseByTag({ ...repository, tag })).data;
  } catch (error) {
    if (details(error).status !== 404) throw error;
    // GitHub does not find a draft by its tag. The newest hundred releases are where a draft would be.
    const { data } = await octokit.rest.repos.listReleases({ ...repository, per_page: 100 });
    release = data.find(({ tag_name }) => tag_name === tag);
  }
  if (!release) {
    throw new Stop(
      'there is no published release with this tag.',
      'Create the release before this step (a tag alone is not a release), or correct release-tag. ' +
        'Then re-run the job: it reuses the copies that exist.',
    );
  }
  if (release.draft) {
    throw new Stop(
      'the release is still a draft.',
      'Publish it, then re-run the job: it reuses the copies that exist. ' +
        "Or trigger the workflow by the release's publication: `on: release: types: [published]`.",
    );
  }
  return release;
}

async function writeNotes(
  octokit: Octokit,
  repository: Repository,
  release: Release,
  section: string,
): Promise<void> {
  const before = release.body ?? '';
  const after = withSection(before, section);
  if (after === before) return;
  if (after.length > NOTES_LIMIT) {
    throw new Stop(
      `with them the notes would have ${after.length} characters; GitHub allows ${NOTES_LIMIT}.`,
      "Shorten the release's notes, then re-run the job.",
    );
  }
  await octokit.rest.repos.updateRelease({ ...repository, release_id: release.id, body: after });
}

function explain(error: unknown, options: TagOptions): { reason: string; advice: string } {
  if (error instanceof Stop) return { reason: error.message, advice: error.advice };
  if (/immutable/i.test(details(error).text)) {
    const { reason } = explainFailure(error, options, WORDS);
    return { reason, advice: IMMUTABLE_ADVICE };
  }
  return explainFailure(error, options, WORDS);
}

const WORDS = {
  again: 'Re-run the job: it reuses the copies that exist.',
  access:
    'set `permissions: contents: write` on the job, or give a fine-grained token Contents: read and write. A run for a pull request from a fork never gets it.',
  right: 'write access',
};
