import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clock, systemClock } from '../../src/cloud/clock.ts';
import { checkRelease, publishRelease, ReleaseError, type ReleaseOptions } from '../../src/github/release.ts';
import { certificate, startProxy } from '../sockets.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { type Answer, listen, type Seen, startGitHub, TOKEN } from './github.ts';
import { promotion } from './promotion.ts';

let github: Awaited<ReturnType<typeof startGitHub>>;
beforeAll(async () => {
  github = await startGitHub();
});
afterAll(() => github.close());
beforeEach(() => github.reset());
afterEach(() => vi.unstubAllEnvs());

function options(change: Partial<ReleaseOptions> = {}): ReleaseOptions {
  return {
    token: TOKEN,
    apiUrl: github.apiUrl,
    repository: 'octo/app',
    tag: 'v1',
    promotion: promotion({ hk: 'uimage-1', sg: 'uimage-2' }),
    images: '[{"region":"hk"}]',
    env: {},
    clock: systemClock,
    ...change,
  };
}

const publish = (change?: Partial<ReleaseOptions>) => publishRelease(options(change));

/** The error of a publication that must fail; whatever it is, no token in it. */
async function failure(
  change: Partial<ReleaseOptions> = {},
  clock = new VirtualClock(),
): Promise<ReleaseError> {
  const error = await clock.run(publish({ clock, ...change })).then(
    () => expect.unreachable('it was published'),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(ReleaseError);
  const { message, advice, stack, cause } = error as ReleaseError;
  expect(`${message}${advice}${stack}${JSON.stringify(error)}`).not.toContain(
    (change.token ?? TOKEN).trim() || '\0',
  );
  expect(cause).toBeUndefined();
  return error as ReleaseError;
}

/** An address at which nobody listens. */
async function deserted(): Promise<string> {
  const server = createServer();
  const url = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return url;
}

const isUpload = ({ method, path }: Seen) => method === 'POST' && path.includes('/assets?name=');
const isDirect = (seen: Seen) => isUpload(seen) && seen.path.endsWith('=images.json');
const isRename = ({ method, path }: Seen) => method === 'PATCH' && path.includes('/releases/assets/');
const isNotes = ({ method, path }: Seen) => method === 'PATCH' && /\/releases\/\d+$/.test(path);
const isDelete = ({ method }: Seen) => method === 'DELETE';
const isRead = ({ path }: Seen) => path.includes('/releases/tags/');
const isList = ({ method, path }: Seen) => method === 'GET' && path.includes('/assets?');
const isReleases = ({ path }: Seen) => path.includes('/releases?');
const sent = (which: (seen: Seen) => boolean) => github.requests.filter(which);

const NOTES = [
  '# Release\n\nBy *hand*.\n',
  'no line break at the end',
  'from a browser  \r\n\r\n* one\r\n* two\t\r\n\r\n\r\n',
  '<details>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n</details>   ',
  '<!-- copy-custom-image:begin -->\nhalf a section',
];

describe('two runs', () => {
  it.each(NOTES)('leave one section, one asset and the notes byte for byte: %j', async (notes) => {
    const { id } = await github.createRelease(notes);
    const apiUrl = github.direct;
    const first = await publish({ apiUrl });
    const between = (await github.release()).body ?? '';
    const second = await publish({ apiUrl, promotion: promotion({ hk: 'uimage-8', sg: 'uimage-9' }) });

    const { body, assets } = await github.release();
    expect(first).toEqual({ url: `${github.direct}/octo/app/releases/tag/v1` });
    expect(second).toEqual(first);
    expect(body?.startsWith(notes)).toBe(true);
    expect(body).toBe(between.replace('uimage-1', 'uimage-8').replace('uimage-2', 'uimage-9'));
    expect(body?.match(/copy-custom-image:end/g)).toHaveLength(1);
    expect(body).toContain('`uimage-8`');
    expect(assets.map(({ name, content_type }) => [name, content_type])).toEqual([
      ['images.json', 'application/json'],
    ]);
    expect(id).toBe(1);
  });

  it('of the same promotion do not touch the notes again', async () => {
    await github.createRelease('notes');
    await publish();
    await publish();
    expect(sent(isNotes)).toHaveLength(1);
  });

  it('fill notes that are empty', async () => {
    await github.createRelease('', { body: null });
    await publish();
    expect((await github.release()).body).toMatch(/^<!-- copy-custom-image:begin -->/);
  });
});

it('keeps to GitHub Enterprise Server’s paths, for the API and for uploads', async () => {
  await github.createRelease('notes');
  await publish({ apiUrl: `${github.apiUrl}/` });
  const { assets } = await github.release();
  expect(assets).toHaveLength(1);
  expect(github.contents.get(assets[0]?.id ?? 0)).toBe('[{"region":"hk"}]');
  expect(new Set(github.requests.map(({ headers }) => headers.authorization))).toEqual(
    new Set([`token ${TOKEN}`]),
  );
});

it('finds a tag with a slash', async () => {
  await github.createRelease('notes', { tag_name: 'image/v1' });
  await publish({ tag: 'image/v1' });
  expect(sent(isNotes)).toHaveLength(1);
});

it('leaves the release as it is when no target holds an image', async () => {
  const none = promotion({ hk: 'uimage-1' }, { outcome: 'failed' });
  expect(await publish({ promotion: none })).toBeNull();
  expect(github.requests).toEqual([]);
});

describe('says what is wrong and what to do', () => {
  it('when there is no such release', async () => {
    const { message, advice } = await failure();
    expect(message).toBe(
      'The image ids were not published on release v1 of octo/app: there is no published release with this tag.',
    );
    expect(advice).toContain('Create the release before this step');
  });

  it.each(['front', 'direct'])('when the release is a draft (%s)', async (way) => {
    await github.createRelease('notes', { draft: true });
    const { message, advice } = await failure(way === 'direct' ? { apiUrl: github.direct } : {});
    expect(message).toContain('the release is still a draft');
    expect(advice).toContain('Publish it');
    expect((await github.release()).body).toBe('notes');
  });

  it('when the token may only read', async () => {
    await github.createRelease('notes');
    const { message, advice } = await failure({ token: await github.readOnlyToken(), apiUrl: github.direct });
    expect(message).toMatch(/not published .* HTTP 403: /);
    expect(advice).toContain('permissions: contents: write');
    expect((await github.release()).body).toBe('notes');
  });

  it('when the repository is not there for the token', async () => {
    const { message, advice } = await failure({ repository: 'octo/other' });
    expect(message).toContain('HTTP 404');
    expect(advice).toContain('octo/other');
  });

  it.each<[string, Answer, RegExp, RegExp]>([
    [
      'the token is wrong',
      { status: 401, body: { message: 'Bad credentials' } },
      /HTTP 401: Bad credentials\.$/,
      /github-token/,
    ],
    ['GitHub echoes the token', { status: 418, body: { message: `no ${TOKEN}` } }, /no \*\*\*/, /./],
    ['GitHub refuses', { status: 422, body: { message: 'Nope\nno' } }, /HTTP 422: Nope no/, /./],
  ])('when %s', async (_, answer, message, advice) => {
    github.fail(() => answer);
    const error = await failure();
    expect(error.message).toMatch(message);
    expect(error.advice).toMatch(advice);
    expect(github.requests).toHaveLength(1);
  });

  it.each(['', 'tok3n\ntok3n', 'tok3n ', 'sécret'])('when the token cannot be one: %j', async (token) => {
    expect((await failure({ token })).message).toContain('github-token');
    expect(github.requests).toEqual([]);
  });

  it.each(['', 'octo', 'octo/app/more', '/app'])('when the repository is %j', async (repository) => {
    expect((await failure({ repository })).advice).toContain('GITHUB_REPOSITORY');
  });

  it('when the notes would grow over GitHub’s limit', async () => {
    const notes = 'x'.repeat(124_900);
    await github.createRelease(notes);
    expect((await failure()).advice).toContain('Shorten');
    expect((await github.release()).body).toBe(notes);
  });

  it('when the release is immutable: the ids are in the notes then', async () => {
    await github.createRelease('notes');
    github.fail((seen) =>
      isUpload(seen)
        ? { status: 422, body: { message: 'Cannot upload assets to an immutable release.' } }
        : undefined,
    );
    const { message, advice } = await failure();
    expect(message).toMatch(
      /^The image ids are in the notes of release v1 of octo\/app, but images.json is not/,
    );
    expect(advice).toContain('immutability');
    expect(sent(isUpload)).toHaveLength(1);
    expect((await github.release()).body).toContain('uimage-1');
  });

  it('when the release says that it is immutable', async () => {
    const release = await github.createRelease('notes');
    github.fail((seen) =>
      isRead(seen) ? { status: 200, body: { ...release, immutable: true } } : undefined,
    );
    expect((await failure()).message).toMatch(/ids are in the notes .* the release is immutable/);
    expect(sent(isNotes)).toHaveLength(1);
    expect(sent(isUpload)).toHaveLength(0);
  });

  it.each<[string, (seen: Seen) => boolean, string]>([
    ['the release', isRead, 'null'],
    ['the release', isRead, '{}'],
    ['the release', isRead, '{"id":1,"assets":[],"body":[]}'],
    ['the list of releases', isReleases, '[null]'],
    ['the list of releases', isReleases, '{}'],
    ['the list of assets', isList, '[null]'],
    ['the new asset', isUpload, 'null'],
  ])('when %s cannot be used', async (_, which, text) => {
    await github.createRelease('notes', { draft: which === isReleases });
    github.fail((seen) => (which(seen) ? { status: 200, text } : undefined));
    expect((await failure()).message).toMatch(/gave no answer to work with \(the answer is (not as|cut off)/);
  });

  it('when nobody listens', async () => {
    const apiUrl = await deserted();
    const { message, advice } = await failure({ apiUrl });
    expect(message).toContain(`${apiUrl} gave no answer to work with (connect ECONNREFUSED`);
    expect(advice).toContain('HTTPS_PROXY');
  });
});

describe('before the first copy', () => {
  const check = (more: Partial<Parameters<typeof checkRelease>[0]> = {}) =>
    checkRelease({
      token: TOKEN,
      apiUrl: github.apiUrl,
      repository: 'octo/app',
      tag: 'v1',
      env: {},
      clock: systemClock,
      write: true,
      ...more,
    });

  it('a release that can be written is left byte for byte as it is', async () => {
    await github.createRelease('notes\r\n', { name: 'One' });
    const before = await github.release();
    expect(await check()).toEqual({ stop: [], doubt: [] });
    expect(await github.release()).toEqual(before);
  });

  it('one that is missing, a draft, or out of the reach of the token stops the promotion', async () => {
    const [missing] = (await check()).stop;
    expect(missing?.message).toMatch(
      /^release-tag: .* release v1 of octo\/app: there is no published release/,
    );
    await github.createRelease('notes');
    const [readOnly] = (await check({ token: await github.readOnlyToken(), apiUrl: github.direct })).stop;
    expect(readOnly?.message).toContain('HTTP 403');
    expect(readOnly?.advice).toContain('permissions: contents: write');
    for (const more of [
      { token: 'tok3n ' },
      { repository: 'octo' },
      { repository: 'octo/other' },
      { tag: 'v2' },
    ])
      expect((await check(more)).stop).toHaveLength(1);
  });

  it('a dry run only reads', async () => {
    await github.createRelease('notes');
    expect(await check({ write: false })).toEqual({ stop: [], doubt: [] });
    expect(github.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  it('what GitHub cannot say now is a doubt, and stops nothing', async () => {
    github.fail(() => ({ status: 502, body: { message: `Bad gateway for ${TOKEN}` } }));
    const clock = new VirtualClock();
    const { stop, doubt } = await clock.run(check({ clock }));
    expect(stop).toEqual([]);
    expect(doubt[0]?.message).toMatch(/was not checked: GitHub answered HTTP 502: Bad gateway for \*\*\*/);
  });
});

describe('what passes', () => {
  const steps = { isRead, isNotes, isList, isUpload, isRename, isDelete };

  it.each(Object.entries(steps))('is waited for: 502 twice (%s)', async (_, step) => {
    const { id } = await github.createRelease('notes');
    await github.attach(id, 'images.json');
    const left = new Map<string, number>();
    github.fail((seen) => {
      const key = seen.method + seen.path;
      left.set(key, (left.get(key) ?? 0) + 1);
      return step(seen) && (left.get(key) ?? 0) <= 2
        ? { status: 502, body: { message: 'Bad gateway' } }
        : undefined;
    });
    const clock = new VirtualClock();
    await clock.run(publish({ clock }));
    expect(sent(step).length).toBeGreaterThanOrEqual(3);
    expect(clock.elapsed).toBeLessThan(15_000);
    const { body, assets } = await github.release();
    expect(body).toContain('uimage-1');
    expect(assets.map(({ name }) => name)).toEqual(['images.json']);
  });

  it.each(Object.entries(steps))('is made good: an answer lost on its way (%s)', async (_, step) => {
    const { id } = await github.createRelease('notes');
    await github.attach(id, 'images.json');
    let lost = 0;
    github.fail((seen) => (step(seen) && lost++ === 0 ? 'lost' : undefined));
    const clock = new VirtualClock();
    await clock.run(publish({ clock }));
    expect(lost).toBeGreaterThan(0);
    const { body, assets } = await github.release();
    expect(body?.match(/copy-custom-image:begin/g)).toHaveLength(1);
    expect(assets.map(({ name }) => name)).toEqual(['images.json']);
    expect(github.contents.get(assets[0]?.id ?? 0)).toBe('[{"region":"hk"}]');
  });

  it.each<[string, Answer | 'lost', number]>([
    ['GitHub did not take the notes', { status: 503, body: { message: 'Unavailable' } }, 2],
    ['the answer to the notes was lost', 'lost', 1],
  ])('leaves what somebody wrote meanwhile: %s', async (_, verdict, writes) => {
    const { id } = await github.createRelease('notes');
    let failed = false;
    github.fail((seen) => {
      if (!isNotes(seen) || failed) return undefined;
      failed = true;
      return verdict;
    });
    const clock: Clock = {
      ...systemClock,
      sleep: async () => {
        await github.edit(id, `by hand\n${(await github.release()).body}`);
      },
    };
    await publish({ clock });
    const { body } = await github.release();
    expect(body).toMatch(/^by hand\nnotes\n\n<!-- copy-custom-image:begin -->/);
    expect(body?.match(/copy-custom-image:begin/g)).toHaveLength(1);
    expect(sent(isNotes)).toHaveLength(writes);
  });

  it('ends after half a minute', async () => {
    github.fail(() => ({ status: 503, body: { message: 'Unavailable' } }));
    const clock = new VirtualClock();
    const error = await clock.run(publish({ clock })).catch((error: unknown) => error);
    expect(error).toMatchObject({
      message: expect.stringContaining('HTTP 503'),
      advice: expect.stringContaining('githubstatus.com'),
    });
    expect(clock.elapsed).toBeLessThanOrEqual(30_000);
    expect(clock.elapsed).toBeGreaterThan(10_000);
  });

  it('is not hammered when GitHub does not say how long', async () => {
    const clock = new VirtualClock();
    github.fail(() => ({ status: 403, headers: { 'x-ratelimit-remaining': '0' } }));
    expect((await failure({}, clock)).advice).toContain('used up its requests');
    expect(github.requests.length).toBeLessThan(8);
    expect(clock.elapsed).toBeLessThanOrEqual(30_000);
  });

  it('is waited for as long as GitHub asks', async () => {
    await github.createRelease('notes');
    let first = true;
    github.fail(() => {
      const answer = first
        ? { status: 403, headers: { 'retry-after': '7' }, body: { message: 'secondary rate limit' } }
        : undefined;
      first = false;
      return answer;
    });
    const clock = new VirtualClock();
    await clock.run(publish({ clock }));
    expect(clock.elapsed).toBe(7000);
  });

  it.each<[string, (now: number) => Answer]>([
    ['retry-after', () => ({ status: 429, headers: { 'retry-after': '3600' } })],
    [
      'x-ratelimit-reset',
      (now) => ({
        status: 403,
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(now / 1000 + 3600) },
      }),
    ],
  ])('is not waited for when it takes an hour (%s)', async (_, answer) => {
    const clock = new VirtualClock();
    github.fail(() => answer(clock.now()));
    const error = await failure({}, clock);
    expect(error.advice).toContain('used up its requests');
    expect(clock.elapsed).toBe(0);
  });
});

it('reads no half answer: the notes would be lost', async () => {
  await github.createRelease('notes');
  let cut = 0;
  github.fail((seen) =>
    isRead(seen) && cut++ < 2 ? { status: 200, text: '{"id":1,"upload_url":"http' } : undefined,
  );
  const clock = new VirtualClock();
  await clock.run(publish({ clock }));
  // The last is the look in the end.
  expect(cut).toBe(4);
  expect((await github.release()).body).toMatch(/^notes\n\n<!-- copy-custom-image:begin -->/);
});

it('logs nothing of its own, and nothing of what GitHub warns of', async () => {
  await github.createRelease('notes');
  const sinks = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => vi.spyOn(console, name));
  const link = '<http://x>; rel="deprecation"';
  let first = true;
  github.fail(() => {
    const answer = first
      ? { status: 500, headers: { deprecation: 'yes', link, sunset: '::error::x' } }
      : undefined;
    first = false;
    return answer;
  });
  const clock = new VirtualClock();
  await clock.run(publish({ clock }));
  expect(sinks.flatMap(({ mock }) => mock.calls)).toEqual([]);
  vi.restoreAllMocks();
});

describe('the asset', () => {
  it('is always there: the old one goes when the new one has arrived', async () => {
    const { id } = await github.createRelease('notes');
    await github.attach(id, 'images.json');
    await publish();
    const order = github.requests
      .filter((seen) => isUpload(seen) || isDelete(seen) || isRename(seen))
      .map(({ method }) => method);
    expect(order).toEqual(['POST', 'DELETE', 'PATCH']);
  });

  it('stays when the new one cannot be uploaded', async () => {
    const { id } = await github.createRelease('notes');
    await github.attach(id, 'images.json');
    github.fail((seen) => (isUpload(seen) ? { status: 500 } : undefined));
    expect((await failure()).message).toContain('but images.json is not up to date');
    expect((await github.release()).assets.map(({ name }) => name)).toEqual(['images.json']);
  });

  it.each([500, 403])(
    'is uploaded under its name when the new one cannot be renamed: HTTP %d',
    async (status) => {
      const { id } = await github.createRelease('notes');
      await github.attach(id, 'images.json');
      github.fail((seen) => (isRename(seen) ? { status, body: { message: 'Nope' } } : undefined));
      const clock = new VirtualClock();
      await clock.run(publish({ clock }));
      const { assets } = await github.release();
      expect(assets.map(({ name }) => name)).toEqual(['images.json']);
      expect(github.contents.get(assets[0]?.id ?? 0)).toBe('[{"region":"hk"}]');
    },
  );

  it('that can neither be renamed nor uploaded again is told where it is', async () => {
    const { id } = await github.createRelease('notes');
    await github.attach(id, 'images.json');
    github.fail((seen) =>
      isRename(seen) || isDirect(seen) ? { status: 500, body: { message: 'Nope' } } : undefined,
    );
    const { message, advice } = await failure();
    expect(message).toMatch(
      /as images\.new\.json and could not be renamed, and the earlier images\.json is deleted: .* 500: Nope\.$/,
    );
    expect(advice).toMatch(/^Rename images\.new\.json to images\.json there/);
    expect((await github.release()).assets.map(({ name }) => name)).toEqual(['images.new.json']);
  });

  it('is put right after a run that broke off', async () => {
    const { id } = await github.createRelease('notes');
    await github.attach(id, 'images.new.json');
    await github.attach(id, 'other.zip');
    await publish();
    expect((await github.release()).assets.map(({ name }) => name).sort()).toEqual([
      'images.json',
      'other.zip',
    ]);
  });

  it('survives another run at the same moment', async () => {
    const { id } = await github.createRelease('notes');
    let once = true;
    let other = Promise.resolve<unknown>(undefined);
    github.fail((seen) => {
      if (isUpload(seen) && once) {
        once = false;
        // The other run has come first with its upload.
        other = github.attach(id, 'images.new.json');
        return { status: 422, body: { message: 'Validation Failed', errors: [{ code: 'already_exists' }] } };
      }
      return undefined;
    });
    const clock = new VirtualClock();
    await clock.run(publish({ clock }));
    await other;
    const { assets } = await github.release();
    expect(assets.map(({ name }) => name)).toEqual(['images.json']);
    expect(github.contents.get(assets[0]?.id ?? 0)).toBe('[{"region":"hk"}]');
  });

  it('is left to the others when they never stop', async () => {
    await github.createRelease('notes');
    github.fail((seen) => {
      if (isRename(seen)) return { status: 404, body: { message: 'Not Found' } };
      const errors = [{ code: 'already_exists' }];
      return isDirect(seen) ? { status: 422, body: { message: 'Validation Failed', errors } } : undefined;
    });
    const { message, advice } = await failure();
    expect(message).toContain('other runs kept changing');
    expect(advice).toContain('concurrency');
  });

  it('is one of two whole ones when two runs race', async () => {
    await github.createRelease('notes');
    const clock: Clock = {
      ...systemClock,
      sleep: (_, signal) => systemClock.sleep(20 * Math.random(), signal),
    };
    const results = await Promise.allSettled([
      publish({ clock, images: '["a"]' }),
      publish({ clock, images: '["b"]' }),
    ]);
    const { assets } = await github.release();
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(assets.filter(({ name }) => name === 'images.json')).toHaveLength(1);
    expect(['["a"]', '["b"]']).toContain(
      github.contents.get(assets.find(({ name }) => name === 'images.json')?.id ?? 0),
    );
  });
});

describe('another run that writes over this one', () => {
  it('is noticed in the end: notes and asset become those of one', async () => {
    await github.createRelease('notes');
    github.fail((seen) => (isList(seen) && sent(isList).length === 1 ? { status: 503 } : undefined));
    let other: Promise<unknown> | undefined;
    const sleep = async () => {
      other ??= publish({ promotion: promotion({ hk: 'uimage-8' }), images: '["uimage-8"]' });
      await other;
    };
    await publish({ clock: { ...systemClock, sleep } });
    const { body, assets } = await github.release();
    expect(body).toContain('uimage-1');
    expect(body).not.toContain('uimage-8');
    expect(assets.map(({ id, name }) => [name, github.contents.get(id)])).toEqual([
      ['images.json', '[{"region":"hk"}]'],
    ]);
  });

  it('is not blamed for a read that lags behind: it is read again before anything is written again', async () => {
    const release = await github.createRelease('notes');
    let lagging = 1;
    github.fail((seen) =>
      isRead(seen) && sent(isRename).length > 0 && lagging-- > 0 ? { status: 200, body: release } : undefined,
    );
    const clock = new VirtualClock();
    await clock.run(publish({ clock }));
    expect([sent(isRename).length, sent(isNotes).length]).toEqual([1, 1]);
  });

  it('and has taken the place of its asset alone is noticed as well', async () => {
    await github.createRelease('notes');
    github.fail((seen) => {
      const [before] = github.requests.slice(-2);
      const isLook = isList(seen) && before && isRead(before) && sent(isRename).length > 0;
      return isLook ? { status: 200, body: [] } : undefined;
    });
    expect((await failure()).message).toContain('may be those of another run');
  });

  it('again and again is left to it, and told', async () => {
    const release = await github.createRelease('notes');
    github.fail((seen) => {
      if (!isRead(seen) || sent(isRename).length === 0) return undefined;
      return { status: 200, body: { ...release, body: 'of another run' } };
    });
    const { message, advice } = await failure();
    expect(message).toMatch(
      /^The images on release v1 of octo\/app may be those of another run: it was published/,
    );
    expect(advice).toContain('concurrency');
    expect(sent(isRename)).toHaveLength(2);
  });

  it('may have done so where that cannot be read', async () => {
    await github.createRelease('notes');
    const down = { status: 503, body: { message: 'down' } };
    github.fail((seen) => (isRead(seen) && sent(isRename).length > 0 ? down : undefined));
    expect((await failure()).message).toMatch(
      /^Whether release v1 of octo\/app still names the images of this run is not known: .*503/,
    );
  });
});

describe('a cancel', () => {
  const reason = new Error('cancelled');

  it.each(['silent', 'lost'] as const)(
    'ends a request under way, with its own reason (%s)',
    async (verdict) => {
      const controller = new AbortController();
      github.fail(() => {
        controller.abort(reason);
        return verdict;
      });
      await expect(publish({ signal: controller.signal })).rejects.toBe(reason);
      expect(github.requests).toHaveLength(1);
    },
  );

  it('ends a wait', async () => {
    const controller = new AbortController();
    // Nobody winds this clock: only the signal can end the wait.
    const clock = new VirtualClock();
    github.fail(() => ({ status: 503 }));
    const sleep = vi.spyOn(clock, 'sleep');
    const published = publish({ signal: controller.signal, clock });
    await vi.waitFor(() => expect(sleep).toHaveBeenCalled());
    controller.abort(reason);
    await expect(published).rejects.toBe(reason);
  });
});

it('sends no token to a server whose certificate nobody signed, NODE_TLS_REJECT_UNAUTHORIZED or not', async () => {
  const seen: string[] = [];
  const { authority: _, ...pair } = certificate();
  const server = createSecureServer(pair, (request, response) => {
    seen.push(String(request.headers.authorization));
    response.end('{}');
  });
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  try {
    const url = (await listen(server)).replace('http://127.0.0.1', 'https://localhost');
    const { message } = await failure({ apiUrl: url });
    expect(message).toContain('certificate');
    expect(seen).toEqual([]);
  } finally {
    server.close();
  }
});

describe('a proxy', () => {
  // Proxies are read from the argument alone: with these nothing could be reached.
  beforeEach(() => {
    for (const name of ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'])
      vi.stubEnv(name, 'http://127.0.0.1:1');
  });

  it('is used for the API and for uploads, and NO_PROXY wins over it', async () => {
    await github.createRelease('notes');
    const proxy = await startProxy();
    try {
      await publish({ env: { HTTP_PROXY: proxy.url } });
      const { origin } = new URL(github.apiUrl);
      expect(proxy.seen.map((line) => new URL(line.split(' ')[1] ?? '').origin)).toEqual(
        github.requests.map(() => origin),
      );
      expect(proxy.seen.some((line) => line.startsWith(`POST ${origin}/api/uploads/`))).toBe(true);
      proxy.seen.length = 0;
      await publish({ env: { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' } });
      expect(proxy.seen).toEqual([]);
    } finally {
      await proxy.close();
    }
  });

  it('in HTTP_PROXY is not asked for https', async () => {
    const proxy = await startProxy();
    try {
      const apiUrl = (await deserted()).replace('http:', 'https:');
      const { message } = await failure({ apiUrl, env: { HTTP_PROXY: proxy.url, http_proxy: proxy.url } });
      expect(message).toContain('connect ECONNREFUSED 127.0.0.1');
      expect([proxy.seen, proxy.refused()]).toEqual([[], 0]);
    } finally {
      await proxy.close();
    }
  });

  it('with an address that is none is told, without its password, and nothing is sent', async () => {
    const clock = new VirtualClock();
    const { message, advice } = await failure({ env: { HTTP_PROXY: 'http://user:pa55word@:x' } }, clock);
    expect(message).toBe(
      'The image ids were not published on release v1 of octo/app: the proxy in HTTP_PROXY is not a URL.',
    );
    expect(advice).toContain('Write HTTP_PROXY as http://host:port');
    expect(message + advice).not.toContain('pa55word');
    expect(clock.elapsed).toBe(0);
    expect(github.requests).toEqual([]);
  });

  it.each([
    ['that refuses', 'http://user:pa55word@'],
    ['without a scheme that refuses', 'user:pa55word@'],
    ['without a scheme or a user that refuses', ''],
  ])('%s is told, without its password', async (_, before) => {
    const proxy = await startProxy({ password: 'another' });
    try {
      const { message, advice } = await failure({
        apiUrl: 'https://api.github.example',
        env: { HTTPS_PROXY: proxy.url.replace('http://user:another@', before) },
      });
      expect(message).toContain(
        'https://api.github.example gave no answer to work with (Proxy response (407)',
      );
      expect(message + advice).not.toContain('pa55word');
      expect(proxy.seen).toEqual([]);
      expect(proxy.refused()).toBeGreaterThan(0);
    } finally {
      await proxy.close();
    }
  });
});

describe('a redirect', () => {
  it('of a renamed repository is followed', async () => {
    await github.createRelease('notes');
    github.fail(({ method, path }) =>
      path.startsWith('/repos/octo/former/')
        ? {
            status: method === 'GET' ? 301 : 307,
            headers: { location: github.apiUrl + path.replace('/former/', '/app/') },
          }
        : undefined,
    );
    await publish({ repository: 'octo/former' });
    expect(github.requests.filter(({ path }) => path.includes('/former/')).length).toBeGreaterThan(1);
    const { body, assets } = await github.release();
    expect(body).toContain('`uimage-1`');
    expect(assets.map(({ name }) => name)).toEqual(['images.json']);
  });

  it('to another origin is followed without the token', async () => {
    await github.createRelease('notes');
    const seen: (string | undefined)[] = [];
    const other = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    });
    const location = await listen(other);
    try {
      github.fail((request) => (isNotes(request) ? { status: 307, headers: { location } } : undefined));
      await failure();
      expect(seen).toEqual([undefined]);
    } finally {
      other.closeAllConnections();
      other.close();
    }
  });
});
