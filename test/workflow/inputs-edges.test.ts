/** The words of every mistake in the inputs, and the values at the edges of what is allowed. */
import { describe, expect, it } from 'vitest';
import { readInputs } from '../../src/inputs.ts';

const GOOD: Record<string, string> = {
  'INPUT_PUBLIC-KEY': 'public-canary',
  'INPUT_PRIVATE-KEY': 'private-canary',
  INPUT_REGION: 'cn-bj2',
  'INPUT_SOURCE-IMAGE-ID': 'uimage-abc123',
  'INPUT_TARGET-PROJECT-ID': 'org-prod',
};

const read = (given: Record<string, string>) => readInputs({ ...GOOD, ...given });
const input = (name: string) => `INPUT_${name.toUpperCase()}`;

it.each([
  [
    'public-key',
    '',
    'is missing (UCLOUD_PUBLIC_KEY is not set either): pass it from a secret. Secrets are empty in a pull request from a fork, and when the name is mistyped.',
  ],
  ['public-key', 'a b', 'has white space or a line break inside: store the secret again, in one line.'],
  ['private-key', 'ké', 'has characters that no key has: store the secret again.'],
  [
    'region',
    '',
    'is missing (UCLOUD_REGION is not set either): give the region of the source image, for example cn-bj2.',
  ],
  ['region', '中', 'is no id: "中". It takes letters, digits and - . _ : only.'],
  ['target-project-id', ' ', 'is missing: give the project to copy to, for example org-abc123.'],
  [
    'target-regions',
    'h k,,s;g',
    'has what is no region: "h k", "s;g". Give one a line, or separate them by commas.',
  ],
  ['target-regions', ' , ,', 'names no region: leave it out for the source region.'],
  [
    'target-image-name',
    'a b',
    'is no image name: "a b". It takes 1 to 63 letters, digits and - _ , . : [ ] without spaces.',
  ],
  ['wait', 'xtrue', 'must be true or false, not "xtrue".'],
  ['wait', 'falsex', 'must be true or false, not "falsex".'],
  ['if-exists', 'Copy', 'must be one of adopt, copy, fail, not "Copy".'],
  ['timeout', '90', 'is no duration: "90". Write it as 90s, 45m or 1h30m.'],
  ['timeout', '0h0s', 'must be at least 1s.'],
  ['timeout', '120h1s', 'must be at most 120h.'],
  ['api-url', 'xhttps://api.test/', 'is no URL: write it like https://api.scloudsg.com/'],
  ['api-url', 'https://a@api.test/', 'must be a plain base URL, without user, password, query or fragment.'],
  [
    'api-url',
    'http://not-localhost/',
    'must be https, not http://not-localhost. For the VPC endpoint set allow-http: true.',
  ],
  [
    'release-tag',
    'v1',
    'github-token is empty, and release-tag needs it: leave it out to use the token of the job.',
  ],
  ['zone', 'a'.repeat(60).concat(' '), ''],
  [
    'zone',
    `${'a'.repeat(59)}!`,
    `is no id: "${'a'.repeat(59)}!". It takes letters, digits and - . _ : only.`,
  ],
  [
    'zone',
    `${'a'.repeat(60)}!`,
    `is no id: "${'a'.repeat(60)}…". It takes letters, digits and - . _ : only.`,
  ],
])('%s: %j is told so', (name, value, words) => {
  const expected = words === '' ? [] : [words.startsWith('github-token') ? words : `${name} ${words}`];
  expect(read({ [input(name)]: value }).mistakes).toEqual(expected);
});

it('each line of the extra parameters is told by its number', () => {
  const lines = ['Good=1', '', '  ', '=x', 'Zone=x', 'Good=2', 'Fine = a = b '];
  expect(read({ [input('extra-parameters')]: lines.join('\n') }).mistakes).toEqual([
    'extra-parameters line 4 is not of the form Name=Value.',
    'extra-parameters line 5 sets Zone, which the action sets itself.',
    'extra-parameters line 6 sets Good a second time.',
  ]);
  const fine = read({ [input('extra-parameters')]: 'Good=1\n  \nFine = a = b \r' }).inputs;
  expect(fine?.order.extraParameters).toEqual({ Good: '1', Fine: 'a = b' });
});

describe('what is blank', () => {
  it('is no secret and no reason for a notice', () => {
    const { secrets, notices, mistakes } = read({
      [input('security-token')]: ' ',
      [input('github-token')]: ' \n',
    });
    expect(secrets).toEqual(['public-canary', 'private-canary']);
    expect(notices).toEqual([]);
    expect(mistakes).toEqual([]);
  });

  it('counts as not given in a variable too', () => {
    expect(read({ UCLOUD_API_BASE_URL: ' ' }).inputs?.api.url).toBe('https://api.scloudsg.com/');
    expect(readInputs({ ...GOOD, INPUT_REGION: '', UCLOUD_REGION: ' ' }).mistakes).toHaveLength(1);
  });
});

it('plain http goes to every address of loopback', () => {
  for (const host of ['127.0.0.10', '127.255.255.254', 'localhost:8080', '[::1]:1'])
    expect(read({ [input('api-url')]: `http://${host}/` }).inputs?.api.url).toBe(`http://${host}/`);
});

it('a run is named after a run number alone, and always by six letters', () => {
  const name = (env: Record<string, string>) => read(env).inputs?.order.run;
  for (const id of ['', '12a', 'a12', '1\n2']) expect(name({ GITHUB_RUN_ID: id })).toMatch(/^local-/);
  expect(read({}).inputs?.order.run).toMatch(/^local-/);
  // One name in seventy begins with a zero.
  for (let count = 0; count < 1_000; count++)
    expect(name({ GITHUB_RUN_ID: '12', GITHUB_RUN_ATTEMPT: '3' })).toMatch(/^12-3-[0-9a-z]{6}$/);
});

it('the passwords of proxies are secrets, as they are written and as they are meant', () => {
  const secrets = (env: Record<string, string>) => read(env).secrets.slice(2);
  expect(secrets({ https_proxy: 'http://user:p%40ssword@proxy:3128' })).toEqual(['p%40ssword', 'p@ssword']);
  for (const name of ['HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'])
    expect(secrets({ [name]: 'http://user:secret@proxy' })).toContain('secret');
  expect(secrets({ HTTP_PROXY: 'http://user:secre@proxy', HTTPS_PROXY: 'proxy', http_proxy: '' })).toEqual(
    [],
  );
  expect(secrets({ HTTPS_PROXY: 'user:secretword@proxy:3128' })).toEqual(['secretword', 'secretword']);
  expect(secrets({ HTTP_PROXY: 'http://user:bad%zzcoding@proxy' })).toEqual(['bad%zzcoding']);
});
