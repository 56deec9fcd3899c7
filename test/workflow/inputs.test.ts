import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Inputs, type Read, readInputs } from '../../src/inputs/promote.ts';
import { anyCharacter } from '../any-character.ts';
import { inputs, read } from './step.ts';

const GOOD = {
  'public-key': 'public-canary',
  'private-key': 'private-canary',
  region: 'cn-bj2',
  'source-image-id': 'uimage-abc123',
  'target-project-id': 'org-prod',
  'target-regions': 'hk',
};

const NAMES = Object.keys((parse(read('action.yml')) as { inputs: object }).inputs);

function reading(given: Record<string, string | undefined>, env: Record<string, string> = {}): Read {
  const some = Object.entries({ ...GOOD, ...given }).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  return readInputs({ ...env, ...inputs(Object.fromEntries(some)) });
}

function good(given: Record<string, string | undefined>, env: Record<string, string> = {}): Inputs {
  const read = reading(given, env);
  expect(read.mistakes).toEqual([]);
  if (!read.inputs) throw new Error('no inputs');
  return read.inputs;
}

function mistakes(given: Record<string, string | undefined>, env: Record<string, string> = {}): string[] {
  const read = reading(given, env);
  expect(read.inputs).toBeUndefined();
  return read.mistakes;
}

describe('the least that is needed', () => {
  it('gives the defaults', () => {
    const read = good({});
    expect(read).toEqual({
      connection: {
        url: 'https://api.scloudsg.com/',
        publicKey: 'public-canary',
        privateKey: 'private-canary',
      },
      order: {
        source: { region: 'cn-bj2', imageId: 'uimage-abc123' },
        target: { projectId: 'org-prod', regions: ['hk'] },
        extraParameters: {},
        ifExists: 'adopt',
        wait: true,
        timeout: 7_200_000,
        dryRun: false,
        run: expect.any(String),
      },
      rollback: 'never',
      summary: true,
    });
  });

  it('may come from the environment as a whole', () => {
    const { inputs: read } = readInputs({
      UCLOUD_PUBLIC_KEY: 'public-env',
      UCLOUD_PRIVATE_KEY: 'private-env',
      UCLOUD_SECURITY_TOKEN: 'token-env',
      UCLOUD_API_BASE_URL: 'https://api.ucloud.cn',
      UCLOUD_REGION: 'hk',
      UCLOUD_PROJECT_ID: 'org-env',
      ...inputs({ 'source-image-name': 'web-*', 'target-project-id': 'org-prod', 'target-regions': 'sg' }),
    });
    expect(read?.connection).toEqual({
      url: 'https://api.ucloud.cn/',
      publicKey: 'public-env',
      privateKey: 'private-env',
      securityToken: 'token-env',
    });
    expect(read?.order.source).toEqual({ region: 'hk', projectId: 'org-env', name: 'web-*' });
    expect(read?.order.target.regions).toEqual(['sg']);
  });

  it('is told as missing, each by its input and its variable', () => {
    const { mistakes: told } = readInputs({});
    expect(told.map((text) => text.split(/[: ]/)[0])).toEqual([
      'public-key',
      'private-key',
      'region',
      'source-image-id',
      'target-project-id',
      'target-regions',
    ]);
    for (const variable of ['UCLOUD_PUBLIC_KEY', 'UCLOUD_PRIVATE_KEY', 'UCLOUD_REGION'])
      expect(told.join('\n')).toContain(variable);
  });
});

describe('an input and its environment variable', () => {
  const PAIRS = [
    ['public-key', 'UCLOUD_PUBLIC_KEY', (read: Inputs) => read.connection.publicKey],
    ['private-key', 'UCLOUD_PRIVATE_KEY', (read: Inputs) => read.connection.privateKey],
    ['security-token', 'UCLOUD_SECURITY_TOKEN', (read: Inputs) => read.connection.securityToken],
    ['channel-key', 'UCLOUD_CHANNEL_KEY', (read: Inputs) => read.connection.channelKey],
    ['region', 'UCLOUD_REGION', (read: Inputs) => read.order.source.region],
    ['project-id', 'UCLOUD_PROJECT_ID', (read: Inputs) => read.order.source.projectId],
    ['api-url', 'UCLOUD_API_BASE_URL', (read: Inputs) => read.connection.url],
  ] as const;

  it.each(PAIRS)('%s: the input wins, an empty one counts as not given', (input, variable, value) => {
    const url = input === 'api-url';
    const [given, fromEnv] = url ? ['https://a.test/', 'https://b.test/'] : ['given', 'from-env'];
    expect(value(good({ [input]: given }, { [variable]: fromEnv }))).toBe(given);
    for (const empty of ['', '  ', '\n', undefined])
      expect(value(good({ [input]: empty }, { [variable]: fromEnv }))).toBe(fromEnv);
  });

  it('a blank variable counts as not given, too', () => {
    expect(good({}, { UCLOUD_API_BASE_URL: ' ' }).connection.url).toBe('https://api.scloudsg.com/');
    expect(mistakes({ region: '' }, { UCLOUD_REGION: ' ' })).toHaveLength(1);
  });

  it.each(PAIRS)('%s: a mistake that comes from the variable names both', (input, variable) => {
    const wrong = input === 'api-url' ? 'ftp://x' : 'not good';
    const [told] = mistakes({ [input]: '' }, { [variable]: wrong });
    expect(told).toMatch(new RegExp(`^${input}\\b.*${variable}`));
    expect(mistakes({ [input]: wrong })[0]).not.toContain(variable);
  });
});

it('six wrong at once are six mistakes, in the order of action.yml, each beginning with its input', () => {
  const told = mistakes({
    'private-key': '',
    region: 'cn bj2',
    'target-project-id': '',
    'target-regions': 'hk;sg',
    timeout: '90',
    rollback: 'always',
  });
  expect(told.map((text) => text.split(/[: ]/)[0])).toEqual([
    'private-key',
    'region',
    'target-project-id',
    'target-regions',
    'timeout',
    'rollback',
  ]);
  expect(told.every((text) => !text.includes('\n'))).toBe(true);
});

it('everything wrong at once is told in the order of action.yml', () => {
  const free = ['source-image-name', 'packer-manifest', 'target-image-description', 'release-tag'];
  const wrong = NAMES.filter((name) => !free.includes(name));
  const told = mistakes({
    ...Object.fromEntries(wrong.map((name) => [name, 'not; good'])),
    region: '',
    'source-image-id': '',
    'target-project-id': '',
    'release-tag': 'v1',
    'github-token': '',
  });
  const first = (text: string) => text.split(/[: ]/)[0] ?? '';
  expect([...new Set(told.map(first))].filter((name) => name !== 'source-image-id')).toEqual(
    wrong.filter((name) => name !== 'source-image-id'),
  );
});

describe('the words of a mistake', () => {
  it.each([
    [
      'public-key',
      '',
      'is missing, and UCLOUD_PUBLIC_KEY is not set. Pass it from a secret. Secrets are empty in a pull request from a fork, and when the name is mistyped.',
    ],
    ['public-key', 'a b', 'has white space or a line break inside. Store the secret again, in one line.'],
    ['private-key', 'ké', 'has characters that no key has. Store the secret again.'],
    [
      'region',
      '',
      'is missing, and UCLOUD_REGION is not set. Give the region of the source image, for example cn-bj2.',
    ],
    ['region', '中', '"中" is not an id. Ids have letters, digits and - . _ : only.'],
    ['target-project-id', ' ', 'is missing. Give the project to copy to, for example org-abc123.'],
    [
      'target-regions',
      'h_k,,s;g',
      '"h_k", "s;g" are not region ids. Use one per line, commas, or a JSON array such as ["hk","sg"].',
    ],
    ['target-regions', '', 'is missing. Give the regions to copy to, one per line or with commas.'],
    [
      'target-image-name',
      'a b',
      '"a b" is not an image name. Image names have 1 to 63 letters, digits and - _ , . : [ ], without spaces.',
    ],
    ['wait', 'xtrue', 'must be true or false, not "xtrue".'],
    ['wait', 'falsex', 'must be true or false, not "falsex".'],
    ['if-exists', 'Copy', 'must be one of adopt, copy, fail, not "Copy".'],
    ['timeout', '90', '"90" has no unit. Add a unit: 90s, 90m or 90h.'],
    ['timeout', '0h0s', 'must be at least 1s.'],
    ['timeout', '120h1s', 'must be at most 120h.'],
    ['api-url', 'api.test:8443', 'is not a URL. Write it like https://api.scloudsg.com/'],
    [
      'api-url',
      'ftp://me:secret@api.test/',
      'must begin with https://, not ftp://. Write it like https://api.scloudsg.com/',
    ],
    [
      'api-url',
      'https://a@api.test/',
      'must be a plain base URL, without user, password, query or fragment.',
    ],
    [
      'api-url',
      'http://not-localhost/',
      'must be https, not http://not-localhost. For the VPC endpoint set allow-http: true.',
    ],
    [
      'release-tag',
      'v1',
      'github-token is empty, and release-tag needs it. Leave it out to use the token of the job.',
    ],
    ['zone', 'a'.repeat(60).concat(' '), ''],
    [
      'zone',
      `${'a'.repeat(59)}!`,
      `"${'a'.repeat(59)}!" is not an id. Ids have letters, digits and - . _ : only.`,
    ],
    [
      'zone',
      `${'a'.repeat(60)}!`,
      `"${'a'.repeat(60)}…" is not an id. Ids have letters, digits and - . _ : only.`,
    ],
  ])('%s: %j is told so', (name, value, words) => {
    const told = words.startsWith('github-token')
      ? words
      : `${name}${words.startsWith('"') ? ':' : ''} ${words}`;
    const expected = words === '' ? [] : [told];
    expect(reading({ [name]: value }).mistakes).toEqual(expected);
  });
});

describe('keys', () => {
  it('lose white space and line breaks around them, with a notice that does not show them', () => {
    const read = reading({ 'public-key': ' public-canary\n', 'private-key': 'private-canary\r\n' });
    expect(read.inputs?.connection).toMatchObject({
      publicKey: 'public-canary',
      privateKey: 'private-canary',
    });
    expect(read.notices).toHaveLength(2);
    expect(read.notices[0]).toMatch(/^public-key\b/);
    expect(read.notices.join()).not.toContain('canary');
    expect(reading({}).notices).toEqual([]);
  });

  it('are all to be masked, as they came and as they are used, also when other inputs are wrong', () => {
    const read = reading(
      {
        'private-key': ' private-canary\n',
        'security-token': 'token-canary',
        'github-token': 'ghs_canary',
        timeout: 'x',
      },
      { UCLOUD_PUBLIC_KEY: 'env-canary' },
    );
    expect(new Set(read.secrets)).toEqual(
      new Set(['public-canary', 'private-canary', ' private-canary\n', 'token-canary', 'ghs_canary']),
    );
    expect(read.inputs).toBeUndefined();
    expect(reading({ 'public-key': '' }, { UCLOUD_PUBLIC_KEY: 'env-canary' }).secrets).toContain(
      'env-canary',
    );
  });

  it.each([
    ['a line break', 'private\ncanary'],
    ['a space', 'private canary'],
    ['a letter no key has', 'private-canary-é'],
    ['a control character', 'private\u0001canary'],
  ])('with %s inside are a mistake that does not show them', (_, key) => {
    for (const input of ['public-key', 'private-key', 'security-token', 'github-token']) {
      const told = mistakes({ [input]: key });
      expect(told).toHaveLength(1);
      expect(told[0]).toMatch(new RegExp(`^${input}\\b`));
      expect(told[0]).not.toContain('canary');
    }
  });

  it('of one input in another are a mistake that does not show them', () => {
    const told = mistakes({
      'target-regions': 'hk, private-canary',
      'target-image-name': 'a b private-canary',
    });
    expect(told).toEqual(
      ['target-regions', 'target-image-name'].map(
        (input) => `${input} holds the value of private-key. Write there what belongs there.`,
      ),
    );
  });

  it('that are blank are no secret and no reason for a notice', () => {
    const { secrets, notices, mistakes: told } = reading({ 'security-token': ' ', 'github-token': ' \n' });
    expect(secrets).toEqual(['public-canary', 'private-canary']);
    expect(notices).toEqual([]);
    expect(told).toEqual([]);
  });

  it('may hold every sign of Base64, and the token may be absent', () => {
    expect(good({ 'public-key': '4E+/abc==' }).connection.publicKey).toBe('4E+/abc==');
    expect(good({ 'security-token': '' }).connection).not.toHaveProperty('securityToken');
  });
});

it('the passwords of proxies are secrets, as they are written and as they are meant', () => {
  const secrets = (env: Record<string, string>) => reading({}, env).secrets.slice(0, -2);
  expect(secrets({ https_proxy: 'http://user:p%40ssword@proxy:3128' })).toEqual(['p%40ssword', 'p@ssword']);
  for (const name of ['HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'])
    expect(secrets({ [name]: 'http://user:secret@proxy' })).toContain('secret');
  expect(secrets({ HTTP_PROXY: 'http://user:secre@proxy', HTTPS_PROXY: 'proxy', http_proxy: '' })).toEqual(
    [],
  );
  expect(secrets({ HTTPS_PROXY: 'user:secretword@proxy:3128' })).toEqual(['secretword', 'secretword']);
  expect(secrets({ HTTPS_PROXY: 'http://CORP\\user:secretword@proxy' })).toContain('secretword');
  expect(secrets({ HTTP_PROXY: 'http://user:bad%zzcoding@proxy' })).toEqual(['bad%zzcoding']);
});

it('a mark-secret of blanks only is a mistake', () => {
  expect(mistakes({ 'mark-secret': ' \n ' })).toEqual([
    'mark-secret is white space only. Store the secret again, or leave mark-secret out.',
  ]);
});

describe('api-url', () => {
  it.each([
    ['https://api.ucloud.cn', 'https://api.ucloud.cn/'],
    ['https://proxy.example:8443/ucloud/', 'https://proxy.example:8443/ucloud/'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/'],
    ['http://127.0.0.10', 'http://127.0.0.10/'],
    ['http://127.255.255.254', 'http://127.255.255.254/'],
    ['http://localhost:1', 'http://localhost:1/'],
    ['http://[::1]:8080/', 'http://[::1]:8080/'],
  ])('takes %s', (given, url) => {
    expect(good({ 'api-url': given }).connection.url).toBe(url);
  });

  it.each([
    'api.ucloud.cn',
    'ftp://api.ucloud.cn/',
    'https://',
    'file:///etc/passwd',
    'https://user:password@api.ucloud.cn/',
    'https://user@api.ucloud.cn/',
    'https://api.ucloud.cn/?Action=x',
    'https://api.ucloud.cn/#x',
    'http://api.ucloud.cn/',
    'http://127.0.0.1.evil.test/',
    'http://localhost.evil.test/',
    'http://10.0.0.1/',
  ])('refuses %s', (given) => {
    const told = mistakes({ 'api-url': given });
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^api-url\b/);
    expect(told[0]).not.toContain('password@');
  });

  it('may be plain http anywhere with allow-http, and in no other way', () => {
    const url = 'http://api-vpc.ucloud.cn/';
    expect(good({ 'api-url': url, 'allow-http': 'true' }).connection.url).toBe(url);
    expect(mistakes({ 'api-url': url, 'allow-http': 'false' })[0]).toMatch(/^api-url.*allow-http/);
    expect(mistakes({ 'api-url': '' }, { UCLOUD_API_BASE_URL: url })[0]).toMatch(
      /^api-url.*UCLOUD_API_BASE_URL/,
    );
  });
});

describe('ids', () => {
  const IDS = ['region', 'zone', 'project-id', 'source-image-id', 'target-project-id'];

  it.each(IDS)('%s: no spaces, no control characters, nothing that is no id', (input) => {
    for (const wrong of ['a b', 'a\nb', 'a,b', '-a', 'ä', '{{ x }}', 'a/b', '["a"]']) {
      const told = mistakes({ [input]: wrong });
      expect(told).toHaveLength(1);
      expect(told[0]).toMatch(new RegExp(`^${input}\\b`));
    }
  });

  it.each(IDS)('%s: white space around it goes', (input) => {
    expect(JSON.stringify(good({ [input]: ' some-1 \n' }).order)).toContain('"some-1"');
  });

  it('that are very long, or hold what a terminal would act on, are told short and on one line', () => {
    const [told] = mistakes({ region: `\u001b[31m${'x'.repeat(9_000)}\n` });
    expect(told?.length).toBeLessThan(300);
    expect(told).not.toContain('\u001b');
  });

  it('zone and project reach the order', () => {
    expect(good({ zone: 'cn-bj2-04', 'project-id': 'org-build' }).order.source).toEqual({
      region: 'cn-bj2',
      zone: 'cn-bj2-04',
      projectId: 'org-build',
      imageId: 'uimage-abc123',
    });
  });
});

describe('the source', () => {
  it('is given by exactly one of id and name', () => {
    expect(good({ 'source-image-id': '', 'source-image-name': 'web-*' }).order.source).toEqual({
      region: 'cn-bj2',
      name: 'web-*',
    });
    const [both] = mistakes({ 'source-image-name': 'web-*' });
    expect(both).toMatch(/^source-image-id.*source-image-name/);
    const [none] = mistakes({ 'source-image-id': '' });
    expect(none).toMatch(/^source-image-id.*source-image-name/);
  });
});

describe('the target', () => {
  it.each([
    ['hk', ['hk']],
    ['hk\nsg\n', ['hk', 'sg']],
    ['hk, sg,us-ca', ['hk', 'sg', 'us-ca']],
    ['\n  hk  \n\n, sg ,\r\n', ['hk', 'sg']],
    ['sg, hk, sg, hk', ['sg', 'hk']],
  ])('regions of %j', (given, regions) => {
    expect(good({ 'target-regions': given }).order.target.regions).toEqual(regions);
  });

  it.each(['hk;sg', 'hk/sg', 'hk, -sg', 'hk.sg'])('refuses regions of %j', (given) => {
    expect(mistakes({ 'target-regions': given })[0]).toMatch(/^target-regions\b/);
  });

  it('names all wrong regions in one mistake', () => {
    const told = mistakes({ 'target-regions': 'a_b\nhk\nc/d' });
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^target-regions: "a_b", "c\/d" are not region ids\./);
  });

  it.each(['web-1.4.2', '夜间构建', 'a', 'x'.repeat(63), 'web[1]:prod,x_y'])('takes the name %s', (name) => {
    expect(good({ 'target-image-name': name }).order.target.name).toBe(name);
  });

  it.each(['web server', 'x'.repeat(64), 'web/1', 'web\u00001', 'web*', 'wéb', '🚀'])(
    'refuses the name %j',
    (name) => {
      expect(mistakes({ 'target-image-name': name })[0]).toMatch(/^target-image-name\b/);
    },
  );

  it('takes any description and tag, trimmed', () => {
    const { target } = good({
      'target-image-description': ' für «Kunden» 🚀\nzwei ',
      'target-image-tag': ' shop ',
    }).order;
    expect(target).toMatchObject({ description: 'für «Kunden» 🚀\nzwei', tag: 'shop' });
    expect(good({ 'target-image-description': ' ' }).order.target).not.toHaveProperty('description');
  });
});

describe('extra-parameters', () => {
  it('are lines Name=Value; a value may hold anything', () => {
    const given = 'TargetEmail=ops@example.com\n\n  TgtChannelId = a = b&c \r\n  \nList.0=x\nEmpty=\n';
    expect(good({ 'extra-parameters': given }).order.extraParameters).toEqual({
      TargetEmail: 'ops@example.com',
      TgtChannelId: 'a = b&c',
      'List.0': 'x',
      Empty: '',
    });
  });

  it.each([
    ['TargetEmail', 1],
    ['A=1\n=2', 2],
    ['A=1\n\nB C=2', 3],
    ['A=1\nA=2', 2],
    ['1A=2', 1],
    ['__proto__=1', 1],
    ['Signature=x', 1],
    ['signature=x', 1],
    ['TargetRegionList.3=x', 1],
    ['targetregionlist=x', 1],
    ['Action=TerminateCustomImage', 1],
    ['SecurityToken=x', 1],
    ['PublicKey=x', 1],
    ['TargetImageDescription=x', 1],
  ])('refuses %j and names the line', (given, line) => {
    const told = mistakes({ 'extra-parameters': given });
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(new RegExp(`^extra-parameters line ${line}\\b`));
  });

  it('are told all that are wrong, each by its number', () => {
    const lines = ['Good=1', '', '  ', '=x', 'Zone=x', 'Good=2', 'Fine = a = b '];
    expect(mistakes({ 'extra-parameters': lines.join('\n') })).toEqual([
      'extra-parameters line 4 is not of the form Name=Value.',
      'extra-parameters line 5 sets Zone, which the action sets itself.',
      'extra-parameters line 6 sets Good a second time.',
    ]);
  });
});

describe('durations', () => {
  it.each([
    ['90s', 90_000],
    ['45m', 2_700_000],
    ['1h30m', 5_400_000],
    ['2h', 7_200_000],
    ['1h1m1s', 3_661_000],
    ['1s', 1_000],
    ['120h', 432_000_000],
    [' 10m ', 600_000],
    ['', 7_200_000],
  ])('timeout %s is %s ms', (given, ms) => {
    expect(good({ timeout: given }).order.timeout).toBe(ms);
  });

  it.each(['90', '0s', '0h', '121h', '-1h', '6d', '30m1h', 'h', 'forever', '99999999s'])(
    'timeout and poll-interval refuse %s',
    (given) => {
      for (const input of ['timeout', 'poll-interval']) {
        const told = mistakes({ [input]: given });
        expect(told).toHaveLength(1);
        expect(told[0]).toMatch(new RegExp(`^${input}\\b`));
      }
    },
  );

  it('poll-interval is adaptive unless it is given', () => {
    expect(good({}).order).not.toHaveProperty('pollInterval');
    expect(good({ 'poll-interval': '30s' }).order.pollInterval).toBe(30_000);
  });
});

describe('choices', () => {
  const SWITCHES = [
    ['wait', (read: Inputs) => read.order.wait, true],
    ['dry-run', (read: Inputs) => read.order.dryRun, false],
    ['summary', (read: Inputs) => read.summary, true],
  ] as const;

  it.each(SWITCHES)('%s is true or false, as YAML writes it', (input, value, otherwise) => {
    for (const text of ['true', 'True', 'TRUE', ' true ']) expect(value(good({ [input]: text }))).toBe(true);
    for (const text of ['false', 'False', 'FALSE']) expect(value(good({ [input]: text }))).toBe(false);
    expect(value(good({ [input]: '' }))).toBe(otherwise);
    for (const text of ['yes', '1', 'on', 'tRue', 'truefalse'])
      expect(mistakes({ [input]: text })[0]).toMatch(new RegExp(`^${input}\\b`));
  });

  it('allow-http is one, too', () => {
    expect(mistakes({ 'allow-http': 'yes' })[0]).toMatch(/^allow-http\b/);
  });

  it.each([
    ['if-exists', ['adopt', 'copy', 'fail'], (read: Inputs) => read.order.ifExists],
    ['rollback', ['never', 'step', 'job'], (read: Inputs) => read.rollback],
  ] as const)('%s is one of its words', (input, words, value) => {
    for (const word of words) expect(value(good({ [input]: word }, { GITHUB_STATE: '' }))).toBe(word);
    expect(value(good({ [input]: '' }))).toBe(words[0]);
    for (const wrong of ['Adopt', 'NEVER', 'always', 'copy,fail', 'toString']) {
      const [told] = mistakes({ [input]: wrong });
      expect(told).toMatch(new RegExp(`^${input}\\b.*${words.join('.*')}`));
    }
  });
});

describe('the release', () => {
  it('needs a token', () => {
    expect(good({ 'release-tag': 'v1', 'github-token': 'ghs_1' }).release).toEqual({
      tag: 'v1',
      token: 'ghs_1',
    });
    expect(mistakes({ 'release-tag': 'v1' })[0]).toMatch(/^github-token.*release-tag/);
    expect(good({ 'github-token': 'ghs_1' })).not.toHaveProperty('release');
  });

  it('needs a tag behind refs/tags/', () => {
    expect(mistakes({ 'release-tag': 'refs/tags/', 'github-token': 'ghs_1' })).toEqual([
      'release-tag: "refs/tags/" is not a tag. Give the name of a tag, such as v1.4.2.',
    ]);
  });
});

describe('the name of the run', () => {
  const run = (env: Record<string, string>) => good({}, env).order.run;

  it('tells the workflow run and attempt, and is another one for each step', () => {
    const env = { GITHUB_RUN_ID: '8123456789', GITHUB_RUN_ATTEMPT: '3' };
    expect(run(env)).toMatch(/^8123456789-3-[0-9a-z]{6}$/);
    expect(new Set(Array.from({ length: 50 }, () => run(env))).size).toBe(50);
  });

  it('is good for a mark wherever it runs', () => {
    expect(run({})).toMatch(/^local-[0-9a-z]{6}$/);
    for (const id of ['', '12a', 'a12', '1\n2', '] [evil'])
      expect(run({ GITHUB_RUN_ID: id })).toMatch(/^local-[0-9a-z]{6}$/);
    expect(run({ GITHUB_RUN_ID: '7' })).toMatch(/^7-1-/);
  });

  it('always ends in six letters', () => {
    // One name in seventy begins with a zero.
    for (let count = 0; count < 1_000; count++)
      expect(run({ GITHUB_RUN_ID: '7' })).toMatch(/^7-1-[0-9a-z]{6}$/);
  });
});

describe('whatever comes', () => {
  const texts = fc.oneof(
    fc.string({ unit: anyCharacter, maxLength: 80 }),
    fc.constantFrom(
      '',
      ' ',
      '\n',
      'true',
      '1h',
      '0s',
      'hk,sg',
      'A=1',
      'https://x/',
      'http://[',
      'x'.repeat(5_000),
    ),
    fc.string({ unit: fc.constantFrom(...'=,\n:/[]{}%h1ms- .*?"\\'), maxLength: 40 }),
  );
  const environments = fc.dictionary(
    fc.constantFrom(
      ...NAMES.map((name) => `INPUT_${name.toUpperCase()}`),
      'UCLOUD_PUBLIC_KEY',
      'UCLOUD_API_BASE_URL',
      'GITHUB_RUN_ID',
      'GITHUB_RUN_ATTEMPT',
    ),
    texts,
  );

  it('it never throws, and gives inputs or mistakes, each short, on one line, of a known input', () => {
    fc.assert(
      fc.property(environments, fc.boolean(), (env, complete) => {
        const read = readInputs(complete ? { ...inputs(GOOD), ...env } : env);
        expect(read.inputs === undefined).toBe(read.mistakes.length > 0);
        for (const text of read.mistakes) {
          expect(NAMES).toContain(text.split(/[: ]/)[0]);
          expect(text.length).toBeLessThan(2_000);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('no key is in a mistake or a notice', () => {
    const key = fc
      .string({ unit: fc.constantFrom(...'ab \n\té\u0001'), maxLength: 10 })
      .map((text) => `${text}canary${text}`);
    fc.assert(
      fc.property(
        key,
        fc.constantFrom('public-key', 'private-key', 'security-token', 'github-token'),
        (value, input) => {
          const { mistakes: told, notices, secrets } = reading({ [input]: value, timeout: 'x' });
          expect([...told, ...notices].join()).not.toContain('canary');
          expect(secrets).toContain(value);
        },
      ),
    );
  });
});

it('a region in both lists is optional, and that is said', () => {
  const { inputs: read, notices } = reading({ 'target-regions': 'hk, sg', 'optional-regions': 'sg' });
  expect(read?.order.target).toMatchObject({ regions: ['hk'], optionalRegions: ['sg'] });
  expect(notices).toEqual([
    'optional-regions: sg is in target-regions too; a failure there is a warning only.',
  ]);
  expect(reading({ 'optional-regions': 'sg' }).notices).toEqual([]);
});
