/**
 * Keys, token and signatures along every path that a step can take: nowhere but in the signed request. The emulator's
 * keys are random, so they are canaries by themselves; every run of these tests is searched (`judge` in support.ts).
 * The paths are run with debug logging, which shows the most.
 */
import { describe, expect } from 'vitest';
import type { FaultKind } from '../emulator/emulator.ts';
import { startGitHub, TOKEN } from '../github/github.ts';
import { PROXY_PASSWORD, startEcho, startProxy, startSecure } from './between.ts';
import { COPY, DELETE, leaks, type Result, type Stage, type Step, test, unfolded } from './support.ts';

const ALWAYS = Number.POSITIVE_INFINITY;
const BATCH = ['hk', 'sg'];

interface Path {
  outcome: Result['outcome'];
  /** In the log of main or post: the path was really taken. */
  told: RegExp;
  go: (it: Stage) => Promise<Result>;
}

const green = (told: RegExp, step: Step | ((it: Stage) => Step)): Path => ({
  outcome: 'success',
  told,
  go: (it) => it.run({ debug: true, ...(typeof step === 'function' ? step(it) : step) }),
});
const red = (told: RegExp, step: Step | ((it: Stage) => Step)): Path => ({
  ...green(told, step),
  outcome: 'failure',
});

/** Every call, or just this one, is answered so for good. */
const faulty = (told: RegExp, kind: FaultKind, action?: string, step: Step = {}): Path =>
  red(told, (it) => {
    it.cloud.faults.push({ kind, executed: false, times: ALWAYS, ...(action ? { action } : {}) });
    return { inputs: { timeout: '1m' }, ...step };
  });

const temporary = ({ cloud: { temporaryKeys } }: Stage) => ({
  UCLOUD_PUBLIC_KEY: temporaryKeys.publicKey,
  UCLOUD_PRIVATE_KEY: temporaryKeys.privateKey,
  UCLOUD_SECURITY_TOKEN: temporaryKeys.securityToken,
});

/** Signalled while its copies are under way. */
const signalled = async (it: Stage, what: 'cancel' | 'SIGKILL', step: Step = {}): Promise<Result> => {
  it.cloud.settings.copySeconds = ALWAYS;
  const { running, done } = it.start({ debug: true, regions: BATCH, ...step });
  await running.waitFor(/Started \d+ cop/);
  await it.polled(2);
  running.signal(what);
  return done;
};

async function release(it: Stage, token: string, status?: number): Promise<Result> {
  const github = await startGitHub();
  it.closers.push(() => github.close());
  await github.createRelease('Notes');
  it.secrets.push(token);
  if (status !== undefined) {
    // As a careless gateway: the answer holds the request.
    github.fail(({ headers }) => ({ status, body: { message: `Refused: ${headers.authorization}` } }));
  }
  const run = await it.run({
    debug: true,
    regions: BATCH,
    env: { GITHUB_API_URL: github.apiUrl, GITHUB_REPOSITORY: 'octo/app' },
    inputs: { 'release-tag': 'v1', 'github-token': token },
  });
  // Told before the first copy.
  if (run.outcome === 'failure') expect(it.changes).toEqual([]);
  return run;
}

const echoed = (answer: (body: string) => [number, string], told: RegExp): Path => ({
  outcome: 'failure',
  told,
  go: async (it) => {
    const url = await startEcho(it, answer);
    return it.run({ debug: true, env: temporary(it), inputs: { 'api-url': url, timeout: '1m' } });
  },
});

const PATHS: Record<string, Path> = {
  'one region': green(/is ready in hk/, {}),
  'a batch': green(/is ready in both regions/, { regions: BATCH }),
  'without debug logging': green(/is ready in hk/, { debug: false }),
  'a site without batches': green(/with one image, /, (it) => {
    it.cloud.settings.batch = false;
    return { regions: BATCH };
  }),
  'wait: false': green(/this step does not wait/, (it) => {
    it.cloud.settings.copySeconds = ALWAYS;
    return { inputs: { wait: 'false' } };
  }),
  'a dry run': green(/Dry run/, { inputs: { 'dry-run': 'true' } }),
  'a copy adopted': green(/reuse {2}hk/, (it) => {
    it.earlierCopy('hk');
    return {};
  }),
  'keys as inputs': green(/is ready/, ({ cloud: { keys } }) => ({
    inputs: { 'public-key': keys.publicKey, 'private-key': keys.privateKey },
  })),
  'keys in white space': green(/white space or a line break around the value was removed/, ({ cloud }) => ({
    inputs: { 'public-key': ` ${cloud.keys.publicKey}`, 'private-key': `${cloud.keys.privateKey}\r\n` },
  })),
  'keys with a line break inside': red(/private-key has white space/, ({ cloud: { keys } }) => ({
    inputs: { 'private-key': `${keys.privateKey.slice(0, 20)}\n${keys.privateKey.slice(20)}` },
  })),
  'keys with letters that no key has': red(
    /private-key \(from UCLOUD_PRIVATE_KEY\) has char/,
    ({ cloud }) => ({
      env: { UCLOUD_PRIVATE_KEY: `${cloud.keys.privateKey}é` },
    }),
  ),
  'wrong inputs': red(/3 invalid inputs/, { inputs: { timeout: 'x', wait: 'y', rollback: 'z' } }),
  'an api-url with a password': red(/plain base URL/, (it) => {
    it.secrets.push('url-canary-9f8e7d6c');
    return { inputs: { 'api-url': 'https://user:url-canary-9f8e7d6c@example.com/' } };
  }),
  'a channel key': {
    outcome: 'success',
    told: /is ready/,
    go: async (it) => {
      const key = 'ch_canary-5b1f0c9a7e';
      it.cloud.settings.channelKey = key;
      const run = await it.run({ debug: true, env: { UCLOUD_CHANNEL_KEY: key } });
      // Its header is where it belongs.
      expect(leaks(run, it.cloud, [key]).filter((place) => !/^request \d+: headers$/.test(place))).toEqual(
        [],
      );
      return run;
    },
  },
  'a wrong channel key': red(/RetCode 174/, (it) => {
    it.cloud.settings.channelKey = 'ch_right';
    return { inputs: { 'channel-key': 'ch_wrong-5b1f0c9a7e' } };
  }),
  'a secret that signs the marks': {
    outcome: 'cancelled',
    told: /Rolled back/,
    go: (it) => {
      it.secrets.push('mark-canary-3e7d19c4b8a2');
      return signalled(it, 'cancel', {
        inputs: { rollback: 'step', 'mark-secret': 'mark-canary-3e7d19c4b8a2' },
      });
    },
  },
  'a role whose keys live shorter than the copy takes': {
    outcome: 'success',
    told: /is ready/,
    go: async (it) => {
      it.cloud.settings.copySeconds = 40 * 60;
      const role = { 'role-urn': it.cloud.roleUrn, 'role-duration': '15m' };
      const run = await it.run({ debug: true, inputs: { ...role, 'output-file': 'images.json' } });
      expect(run.files).toContain('"status": "available"');
      const [, ...given] = it.cloud.sessions;
      expect(given.length).toBeGreaterThan(3);
      const [, ...renewals] = it.sent('AssumeRole').map(({ time }) => time);
      expect(renewals.map((at, last) => at < (given[last]?.expires ?? 0))).toEqual(renewals.map(() => true));
      // The emulator answers 174 to keys that have expired.
      expect(it.cloud.requests.filter(({ retCode }) => retCode !== 0)).toEqual([]);
      return run;
    },
  },
  'temporary keys': green(/is ready/, (it) => ({ env: temporary(it) })),
  'temporary keys that expired': red(/RetCode 174/, (it) => {
    it.cloud.temporaryKeys.expires = 0;
    return { env: temporary(it) };
  }),
  'a private key of another pair': red(/RetCode 171/, ({ cloud }) => ({
    env: { UCLOUD_PRIVATE_KEY: cloud.temporaryKeys.privateKey },
  })),
  'an unknown public key': red(/RetCode 172/, { env: { UCLOUD_PUBLIC_KEY: 'unknown-public-key' } }),
  'an address that is not allowed': faulty(/RetCode 294/, { retCode: 294 }),
  'a security lock': faulty(/RetCode 295/, { retCode: 295 }),
  'a denied call': faulty(/RetCode 299/, { retCode: 299 }, 'DescribeImage'),
  'a call that the site does not know': faulty(/RetCode 161/, { retCode: 161 }),
  'a throttle that does not end': faulty(/RetCode 153/, { retCode: 153 }),
  'an absent image': red(/there is no image/, { inputs: { 'source-image-id': 'uimage-nothere' } }),
  'a mistyped region': red(/no region atlantis/, { regions: ['atlantis'] }),
  'a quota': faulty(/RetCode 8095/, { retCode: 8095 }, COPY),
  'a copy that may have been made': faulty(/RetCode 110/, { retCode: 110 }, COPY),
  'a copy that a code of no table answers': faulty(/RetCode 4242/, { retCode: 4242, message: 'x' }, COPY),
  'HTTP 502': faulty(/HTTP 502/, { http: 502 }),
  'HTTP 403': faulty(/HTTP 403/, { http: 403 }),
  garbage: faulty(/no JSON with a RetCode/, 'garbage'),
  'connections that break': faulty(/broke before the answer was complete/, 'reset'),
  'answers cut off': faulty(/broke before the answer was complete/, 'truncated'),
  'an answer that is too large': faulty(/larger than/, 'huge', COPY, { inputs: { timeout: '30s' } }),
  'no answer': faulty(/no answer from/, 'hang', undefined, { inputs: { timeout: '40s' } }),
  'a redirect': faulty(/redirect, which the action does not follow/, 'redirect'),
  'no connection': red(/ECONNREFUSED/, { inputs: { 'api-url': 'http://127.0.0.1:1/', timeout: '30s' } }),
  'a page that echoes the request': echoed((body) => [400, body], /HTTP 400/),
  'a success that echoes the request': echoed((body) => [200, body], /no JSON with a RetCode/),
  'an error that echoes the request': echoed(
    (body) => [200, JSON.stringify({ RetCode: 230, Message: `Wrong: ${decodeURIComponent(body)}` })],
    /RetCode 230/,
  ),
  'an error that echoes key and signature alone': echoed((body) => {
    const { PublicKey, Signature, SecurityToken } = Object.fromEntries(new URLSearchParams(body));
    return [200, JSON.stringify({ RetCode: 171, Message: `${SecurityToken}${Signature} ${PublicKey}` })];
  }, /RetCode 171/),
  'a certificate that is not trusted': {
    outcome: 'failure',
    told: /is not trusted/,
    go: async (it) => {
      const { url } = await startSecure(it);
      return it.run({ debug: true, inputs: { 'api-url': url, timeout: '30s' } });
    },
  },
  'a proxy': {
    outcome: 'success',
    told: /is ready/,
    go: async (it) => {
      it.secrets.push(PROXY_PASSWORD);
      const { url } = await startProxy(it);
      return it.run({ debug: true, env: { HTTP_PROXY: url } });
    },
  },
  'a proxy that refuses its password': {
    outcome: 'failure',
    told: /HTTP 407/,
    go: async (it) => {
      it.secrets.push('wrong-canary-81Jk2Lm3', PROXY_PASSWORD);
      const { url } = await startProxy(it);
      const HTTP_PROXY = url.replace(/user:[^@]*@/, 'user:wrong-canary-81Jk2Lm3@');
      return it.run({ debug: true, env: { HTTP_PROXY }, inputs: { timeout: '30s' } });
    },
  },
  'a proxy that is no URL': red(/is not a URL/, (it) => {
    it.secrets.push(PROXY_PASSWORD);
    return { env: { http_proxy: `http://user:${PROXY_PASSWORD}@:x` } };
  }),
  'a copy that ends Unavailable': red(/ended Unavailable/, (it) => {
    it.cloud.settings.finalState = 'Unavailable';
    return {};
  }),
  'a timeout': red(/after the timeout of 1m/, (it) => {
    it.cloud.settings.copySeconds = ALWAYS;
    return { inputs: { timeout: '1m' } };
  }),
  'a cancel': { outcome: 'cancelled', told: /still copying/, go: (it) => signalled(it, 'cancel') },
  'a cancel, rolled back by the post step': {
    outcome: 'cancelled',
    told: /Rolled back/,
    go: (it) => signalled(it, 'cancel', { inputs: { rollback: 'step' } }),
  },
  'a kill, rolled back by the post step': {
    outcome: 'failure',
    told: /Rolled back/,
    go: (it) => signalled(it, 'SIGKILL', { inputs: { rollback: 'step' }, env: temporary(it) }),
  },
  'a rollback in the step': red(/Rolled back/, (it) => {
    it.cloud.settings.byRegion.sg = { finalState: 'Unavailable' };
    return { regions: BATCH, inputs: { rollback: 'step' } };
  }),
  'a rollback that is refused': green(/RetCode 299/, (it) => {
    it.cloud.settings.deniedActions = [DELETE];
    return { inputs: { rollback: 'job' }, laterStepFails: true };
  }),
  'a release': { outcome: 'success', told: /are on the release/, go: (it) => release(it, TOKEN) },
  'a release that is refused, token and all': {
    outcome: 'failure',
    told: /cannot be published on release v1/,
    go: (it) => release(it, TOKEN, 403),
  },
  'a release with a token that has a line break': {
    outcome: 'failure',
    told: /github-token has white space/,
    go: (it) => release(it, `${TOKEN.slice(0, 12)}\n${TOKEN.slice(12)}`),
  },
};

test('there are at least 50 paths', () => {
  expect(Object.keys(PATHS).length).toBeGreaterThanOrEqual(50);
});

describe('no key, token or signature is shown on this path', () => {
  test.concurrent.for(Object.entries(PATHS))('%s', async ([, { go, outcome, told }], { stage }) => {
    const it = await stage();
    const run = await go(it);
    expect(run.outcome, run.log).toBe(outcome);
    expect(unfolded(run.log + (run.post?.ran ? run.post.log : ''))).toMatch(told);
    // Masked before anything else is printed.
    const { sessions } = it.cloud;
    const given = sessions.flatMap(({ publicKey, privateKey, securityToken }) => [
      publicKey,
      privateKey,
      securityToken,
    ]);
    const lines = run.raw
      .split('\n')
      // The temporary keys of a role come later, and are masked before they are used.
      .filter((line) => !given.some((key) => line === `::add-mask::${key}`));
    const first = lines.findIndex((line) => !line.startsWith('::add-mask::'));
    expect(first).toBeGreaterThan(0);
    expect(lines.slice(first).some((line) => line.startsWith('::add-mask::'))).toBe(false);
    // What is in a request's body is its PublicKey, SecurityToken and Signature, and nothing else of them.
    expect(leaks(run, it.cloud, it.secrets)).toEqual([]);
  });
});

test('the search finds a canary in every place, whole or in part, plain or encoded', async ({ stage }) => {
  const it = await stage();
  const run = await it.run({ inputs: { rollback: 'job' }, laterStepFails: true });
  const { keys, requests } = it.cloud;
  const signature = requests.at(-1)?.params.Signature ?? '';
  expect(signature).toMatch(/^[0-9a-f]{40}$/);
  if (!run.post?.ran) throw new Error('The post step did not run');
  const { post } = run;
  const spellings = [
    keys.privateKey,
    keys.privateKey.slice(0, 16),
    keys.publicKey,
    encodeURIComponent(keys.publicKey),
    Buffer.from(`user:${keys.privateKey}`).toString('base64'),
    signature,
  ];
  for (const text of spellings) {
    expect(leaks({ ...run, raw: `${run.raw}\nkey ${text}` }, it.cloud)).toEqual(['main: raw']);
    expect(leaks({ ...run, files: text }, it.cloud)).toEqual(['files']);
    expect(leaks({ ...run, log: text }, it.cloud)).toEqual(['main: log']);
    expect(leaks({ ...run, summary: text }, it.cloud)).toEqual(['main: summary']);
    expect(leaks({ ...run, outputs: { a: text } }, it.cloud)).toEqual(['main: outputs']);
    expect(leaks({ ...run, state: { a: text } }, it.cloud)).toEqual(['main: state']);
    const annotations = [{ level: 'error' as const, message: text }];
    expect(leaks({ ...run, annotations }, it.cloud)).toEqual(['main: annotations']);
    expect(leaks({ ...run, post: { ...post, raw: text } }, it.cloud)).toEqual(['post: raw']);
    const [request] = requests;
    if (!request) throw new Error('No request came');
    const cloud = (change: Partial<typeof request>) => ({
      ...it.cloud,
      requests: [{ ...request, ...change }, ...requests.slice(1)],
    });
    expect(leaks(run, cloud({ url: `/?k=${text}` }))).toEqual(['request 0: url']);
    expect(leaks(run, cloud({ headers: { cookie: text } }))).toEqual(['request 0: headers']);
    const params = { ...request.params, Extra: text };
    expect(leaks(run, cloud({ params }))).toEqual(['request 0: other parameters']);
  }
  const body = new URLSearchParams({ PrivateKey: keys.privateKey }).toString();
  const [request, ...others] = requests;
  if (!request) throw new Error('No request came');
  expect(leaks(run, { ...it.cloud, requests: [{ ...request, body }, ...others] })).toEqual([
    'request 0: body',
  ]);
});
