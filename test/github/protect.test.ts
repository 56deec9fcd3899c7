import { createServer } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { idsOfReleases } from '../../src/github/protect.ts';
import { Stopped } from '../../src/promotion/context.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { listen, type Seen, startGitHub, TOKEN } from './github.ts';

let github: Awaited<ReturnType<typeof startGitHub>>;
/** Where GitHub keeps what is attached. */
const store = createServer((request, response) => {
  seenByStore.push(request.headers.authorization ?? 'no token');
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  response.end(files.get(Number(request.url?.slice(1))) ?? '');
});
const files = new Map<number, string>();
const seenByStore: string[] = [];
let storeUrl: string;

beforeAll(async () => {
  github = await startGitHub();
  storeUrl = await listen(store);
});
afterAll(async () => {
  store.close();
  await github.close();
});
beforeEach(() => {
  github.reset();
  files.clear();
  seenByStore.length = 0;
  github.fail(redirect);
});

/** As GitHub answers a request for the bytes of an asset. */
function redirect({ path, headers }: Seen) {
  const [, id] = /\/releases\/assets\/(\d+)$/.exec(path) ?? [];
  if (!id || headers.accept !== 'application/octet-stream') return undefined;
  return { status: 302, headers: { location: `${storeUrl}/${id}` } };
}

/** A release with that images.json; without one when there is no text. */
async function release(
  tag: string,
  text?: string,
  { draft = false, name = 'images.json' } = {},
): Promise<void> {
  const { id } = await github.createRelease('', { tag_name: tag, draft });
  if (text === undefined) await github.attach(id, 'notes.txt');
  else files.set((await github.attach(id, name)).id, text);
}

const target = { region: 'hk', projectId: 'org-prod' };
const images = (...ids: string[]) =>
  JSON.stringify({ schema: 1, images: ids.map((imageId) => ({ ...target, imageId })) });

async function read(count: number, some: object = {}) {
  const clock = new VirtualClock();
  const base = { token: TOKEN, apiUrl: github.apiUrl, repository: 'octo/app', env: {}, count, clock };
  return await clock.run(idsOfReleases({ ...base, ...some }));
}

const protectedIds = async (count: number) => Object.fromEntries((await read(count)).ids);

const refusal = (some?: object) =>
  read(2, some).then(
    () => expect.unreachable('it was read'),
    (error: unknown) => {
      if (!(error instanceof Stopped)) throw error;
      expect(error.message).not.toContain(TOKEN);
      return error.problems.map(({ message, advice }) => `${message} ${advice}`).join();
    },
  );

it('takes the newest releases that carry images.json, in either form, and sends no token to the store', async () => {
  await release('v1', images('uimage-1'));
  await release('v2', JSON.stringify([{ ...target, imageId: 'uimage-2', outcome: 'failed' }]));
  await release('notes');
  await release('v3', images('uimage-2', 'uimage-3'));
  await release('v4', images('uimage-4'), { draft: true });
  const ids = await protectedIds(2);
  expect(ids).toEqual({ 'uimage-2': 'in release v3', 'uimage-3': 'in release v3' });
  expect(Object.keys(await protectedIds(9))).toHaveLength(3);
  expect(new Set(seenByStore)).toEqual(new Set(['no token']));
});

it('tells what each release names for each target, with no id where the copy has failed', async () => {
  const failed = { region: 'sg', projectId: 'org-prod', imageId: 'uimage-2', outcome: 'failed' };
  await release('v1', JSON.stringify([{ ...target, imageId: 'uimage-1', name: 'web' }, failed]));
  expect((await read(1)).named).toEqual([
    { release: 'v1', ...target, imageId: 'uimage-1', name: 'web' },
    { release: 'v1', region: 'sg', projectId: 'org-prod', imageId: null, name: null },
  ]);
});

it('takes what a publication that broke off has left under the name in waiting', async () => {
  await release('v1', images('uimage-1'));
  await release('v2', images('uimage-2'), { name: 'images.new.json' });
  expect(await protectedIds(1)).toEqual({ 'uimage-2': 'in release v2' });
});

it('protects nothing by halves: whatever cannot be read stops the whole', async () => {
  expect(await refusal()).toMatch(
    /so nothing was deleted: no release of octo\/app has an images\.json\. Publish the ids with release-tag/,
  );
  await release('v1', '<html>');
  expect(await refusal()).toContain('images.json of release v1 is not JSON.');
  github.reset();
  github.fail(redirect);
  await release('v1', '{"schema":1}');
  expect(await refusal()).toContain('images.json of release v1 has no list "images".');
  github.reset();
  github.fail(redirect);
  await release('v1', images('uimage-1'));
  await release('v2', JSON.stringify([{ ...target, imageId: null }]));
  expect(await refusal()).toContain('images.json of release v2 names no image id.');
  github.fail(() => ({ status: 503, body: { message: 'down' } }));
  expect(await refusal()).toContain('GitHub answered HTTP 503');
  github.fail(() => ({ status: 403, body: { message: 'Resource not accessible by integration' } }));
  expect(await refusal()).toContain(
    'The token needs read access to the contents of octo/app: set `permissions: contents: read`',
  );
  expect(await refusal({ repository: 'app' })).toContain(`"app" is not a repository's owner/name.`);
});

it('takes the releases that were published last, though GitHub lists them by their drafts, and in small pages', async () => {
  const list = await Promise.all(
    [
      ['v3', '2026-01-03T00:00:00Z'],
      ['v2', '2026-02-02T00:00:00Z'],
      ['v1', '2026-03-01T00:00:00Z'],
    ].map(async ([tag = '', published_at], id) => {
      files.set(id, images(`uimage-${tag}`));
      const assets = [{ id, name: 'images.json' }];
      return { tag_name: tag, draft: false, created_at: '2025-01-01T00:00:00Z', published_at, assets };
    }),
  );
  github.fail((seen) => {
    if (!seen.path.includes('/releases?')) return redirect(seen);
    const page = Number(new URL(seen.path, github.apiUrl).searchParams.get('page'));
    const link = `<${github.apiUrl}/x?page=${page + 1}>; rel="next"`;
    return { status: 200, headers: page < 3 ? { link } : {}, body: list.slice(page - 1, page) };
  });
  expect(await protectedIds(2)).toEqual({ 'uimage-v1': 'in release v1', 'uimage-v2': 'in release v2' });
  for (const body of [{ message: 'odd' }, [null], [{ assets: 'none' }], [{ assets: [null] }]]) {
    github.fail(() => ({ status: 200, body }));
    expect(await refusal()).toContain('the answer is not as GitHub documents it');
  }
});
