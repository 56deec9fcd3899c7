/** What is thrown at the action: answers of the API, and sets of inputs. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { parse } from 'yaml';
import { RETURN_CODES } from '../../src/cloud/return-codes.ts';
import { anyCharacter } from '../any-character.ts';
import { HOSTILE } from '../words/hostile.ts';
import { type Change, type Mutation, placesOf, Site, WIRE_FAULTS } from './site.ts';

export interface Case {
  env: Record<string, string>;
  mutations: Mutation[];
  /** A copy of an earlier run is in hk. */
  held: boolean;
  /** Milliseconds after the start at which the step is cancelled. */
  cancelAt: number | null;
  /** The answers come over real HTTP. */
  http: boolean;
}

const manifest = parse(
  readFileSync(fileURLToPath(new URL('../../action.yml', import.meta.url)), 'utf8'),
) as Record<'inputs' | 'outputs', Record<string, object>>;
export const INPUTS = Object.keys(manifest.inputs);
export const OUTPUTS = Object.keys(manifest.outputs);

const ACTIONS = ['GetRegion', 'GetProjectList', 'DescribeImage', 'CopyCustomImage', 'TerminateCustomImage'];
const PROTOTYPE_NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'then',
  'length',
];
/** What would be a stack if it stood in a line of its own. */
const STACK = 'Error: boom\n    at play (file:///srv/site.ts:12:34)\n    at node:internal/x:1:2';
const TEXTS = [
  ...HOSTILE,
  ...PROTOTYPE_NAMES,
  STACK,
  'ghadelimiter_0\nstatus=available',
  'a\n<<EOF\nEOF\n',
  '-'.repeat(63),
  '\r\n::error::x',
];

export const KEYS = {
  'INPUT_PUBLIC-KEY': 'public-canary-0123456789',
  'INPUT_PRIVATE-KEY': 'private-canary-0123456789',
  'INPUT_SECURITY-TOKEN': 'token-canary-0123456789',
};

const BASE: Record<string, string> = {
  ...KEYS,
  INPUT_REGION: 'cn-bj2',
  'INPUT_SOURCE-IMAGE-ID': 'uimage-source',
  'INPUT_TARGET-PROJECT-ID': 'org-prod',
  'INPUT_TARGET-REGIONS': 'hk\nsg',
  INPUT_TIMEOUT: '30m',
  GITHUB_RUN_ID: '8123456789',
  GITHUB_RUN_ATTEMPT: '1',
  GITHUB_REPOSITORY: 'owner/repo',
};

const json = (value: unknown) => JSON.stringify(value);
const deep = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth);

/** JSON texts, and some that only look so: of every type, empty, huge, nested, out of range, of another alphabet. */
const VALUES: readonly string[] = [
  '',
  'null',
  'true',
  '"true"',
  '0',
  '-1',
  '1e999',
  '-1e999',
  '0.1',
  '9007199254740993',
  '123456789012345678901234567890',
  '""',
  '"0"',
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '{"0":"a"}',
  '{"length":1e9}',
  '{"__proto__":{"State":"Available","ImageId":"uimage-evil"}}',
  '{"toString":1,"valueOf":null}',
  '{"then":true}',
  '"\\ud800"',
  '"\\u0000"',
  json(STACK),
  json('x'.repeat(200_000)),
  json(Array.from({ length: 3_000 }, (_, index) => ({ ImageId: `uimage-${index}`, Region: `r-${index}` }))),
  deep(50_000),
  deep(5_000, '{"a":', '}').replace('}', '1}'),
  'NaN',
  'undefined',
  '0x10',
  "'text'",
];

/** Each field of each call's answer takes each value once. */
export function everyField(): Mutation[] {
  const site = new Site(() => 0, []);
  const answers: Record<string, string> = {
    GetRegion: 'Action=GetRegion',
    GetProjectList: 'Action=GetProjectList',
    DescribeImage: 'Action=DescribeImage&Region=cn-bj2',
    CopyCustomImage: 'Action=CopyCustomImage&TargetRegionList.0=hk&TargetRegionList.1=sg',
    TerminateCustomImage: 'Action=TerminateCustomImage&ImageId=uimage-1',
  };
  return ACTIONS.flatMap((action) => {
    const places = placesOf(JSON.parse(site.reply(answers[action] ?? '').body.toString()));
    return places.flatMap(({ first }, place) =>
      (first ? VALUES : []).map((json): Mutation => {
        return { action, nth: 0, times: 2, change: { kind: 'field', place, json } };
      }),
    );
  });
}

const text = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: anyCharacter, maxLength: 200 }) },
  { weight: 1, arbitrary: fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code).repeat(3)) },
);
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 3, arbitrary: text.map(json) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.double().map(String) },
);
const codes = fc.oneof(fc.constantFrom(...Object.keys(RETURN_CODES).map(Number)), fc.integer());
const place = fc.nat({ max: 60 });

const fieldChange: fc.Arbitrary<Change> = fc.record({ kind: fc.constant('field'), place, json: value });
const codeChange: fc.Arbitrary<Change> = fc.record({
  kind: fc.constant('body'),
  text: fc
    .tuple(
      fc.oneof(
        codes.map(String),
        codes.map((code) => `"${code}"`),
        value,
      ),
      text,
    )
    .map(([code, message]) => `{"RetCode":${code || 'null'},"Message":${json(message)}}`),
});
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fieldChange },
  { weight: 4, arbitrary: codeChange },
  fc.record({
    kind: fc.constant('rename'),
    place,
    to: fc.constantFrom(...PROTOTYPE_NAMES, 'Infos', 'ImageId', ''),
  }),
  fc.record({ kind: fc.constant('repeat'), place, times: fc.constantFrom(0, 2, 30, 1_500) }),
  fc.record({
    kind: fc.constant('nest'),
    place,
    depth: fc.constantFrom(1, 2, 900, 20_000),
    open: fc.constant('['),
    close: fc.constant(']'),
  }),
  fc.record({ kind: fc.constant('cut'), keep: fc.nat({ max: 3_000 }) }),
  fc.record({
    kind: fc.constant('body'),
    text: fc.oneof(
      value,
      text,
      fc.constant('<html><body>Sign in</body></html>'),
      fc.constant('\u0000'.repeat(99)),
    ),
  }),
  fc.record({ kind: fc.constant('charset'), as: fc.constantFrom('utf16le', 'latin1', 'bom') }),
  fc.record({
    kind: fc.constant('status'),
    status: fc.oneof(
      fc.constantFrom(201, 204, 301, 304, 400, 403, 404, 407, 429, 500, 502, 599),
      fc.integer({ min: 200, max: 999 }),
    ),
  }),
  fc.record({
    kind: fc.constant('header'),
    value: fc.oneof(
      fc.constantFrom<(string | string[])[]>('', 'x'.repeat(5_000), ['a', 'b'], [], '::error::x'),
      text,
    ),
  }),
  fc.record({ kind: fc.constant('echo'), code: codes }),
  fc.record({ kind: fc.constant('drop'), reached: fc.boolean(), final: fc.boolean() }),
);

const struck = (changes: fc.Arbitrary<Change>, http: boolean): fc.Arbitrary<Mutation> =>
  fc.record({
    action: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('DescribeImage', 'CopyCustomImage') },
      { weight: 1, arbitrary: fc.constantFrom(...ACTIONS) },
    ),
    nth: fc.oneof(fc.constant(0), fc.nat({ max: 8 })),
    // Real requests take real time.
    times: fc.constantFrom(1, 1, 1, 2, 5, http ? 9 : 1_000),
    change: changes,
  });

const settings = fc
  .record({
    'INPUT_TARGET-REGIONS': fc.constantFrom('hk', 'hk\nsg', 'hk,sg,jpn-tky', 'cn-bj2', '', 'constructor,hk'),
    'INPUT_IF-EXISTS': fc.constantFrom('adopt', 'copy', 'fail'),
    INPUT_ROLLBACK: fc.constantFrom('never', 'step', 'job'),
    INPUT_WAIT: fc.constantFrom('true', 'true', 'true', 'false'),
    'INPUT_DRY-RUN': fc.constantFrom('false', 'false', 'false', 'true'),
    'INPUT_POLL-INTERVAL': fc.constantFrom('', '', '20s'),
    'INPUT_PROJECT-ID': fc.constantFrom('', 'org-build'),
    byName: fc.option(fc.constantFrom('web-*', 'web-*', 'web-*', '*', `${'*-'.repeat(12)}prod`), { freq: 2 }),
  })
  .map(
    ({ byName, ...given }): Record<string, string> => ({
      ...BASE,
      ...given,
      ...(byName ? { 'INPUT_SOURCE-IMAGE-ID': '', 'INPUT_SOURCE-IMAGE-NAME': byName } : {}),
    }),
  );

const answersCase = (changes: fc.Arbitrary<Change>, http: boolean): fc.Arbitrary<Case> =>
  fc.record({
    env: settings,
    mutations: fc.array(struck(changes, http), { minLength: 1, maxLength: 4 }),
    held: fc.boolean(),
    cancelAt: fc.option(fc.nat({ max: 120_000 }), { freq: 10 }),
    http: fc.constant(http),
  });

/** Answers through a transport that never leaves the process. */
export const anyAnswers = answersCase(change, false);
/** Answers over real HTTP, what the wire can do to them included. */
export const anyTraffic = answersCase(
  fc.oneof(change, fc.record({ kind: fc.constant('wire'), fault: fc.constantFrom(...WIRE_FAULTS) })),
  true,
);

const VARIABLES = [
  ...INPUTS.map((name) => `INPUT_${name.toUpperCase()}`),
  'UCLOUD_PUBLIC_KEY',
  'UCLOUD_PRIVATE_KEY',
  'UCLOUD_SECURITY_TOKEN',
  'UCLOUD_API_BASE_URL',
  'UCLOUD_REGION',
  'UCLOUD_PROJECT_ID',
  'GITHUB_RUN_ID',
  'GITHUB_RUN_ATTEMPT',
  'HTTPS_PROXY',
  'HTTP_PROXY',
];

/** Values that fit some input, and values that nearly do. */
const PLAUSIBLE = [
  'true',
  'FALSE',
  'yes',
  '0',
  'adopt',
  'copy',
  'fail',
  'never',
  'step',
  'job',
  'Job',
  '1s',
  '999ms',
  '0s',
  '120h',
  '121h',
  '999999h999999m999999s',
  '1h1h',
  '-5m',
  '٣s',
  '2h ',
  '1e3s',
  'hk',
  'hk,sg',
  'HK',
  'hk,,hk',
  'constructor',
  '__proto__',
  'a'.repeat(5_000),
  `${'r,'.repeat(4_000)}r`,
  '-',
  '镜像',
  'https://api.test/',
  'http://api.test/',
  'http://127.0.0.1:1/',
  'http://[::1]/',
  'http://localhost.evil/',
  'https://user:pass@x/',
  'https://x/?a=b',
  'ftp://x',
  '//x',
  'https://',
  'http://127.1/',
  'http://user:pass%40word@proxy:3128',
  'http://user:%zz%zz%zz@proxy',
  'https://xn--a/',
  `https://${'a'.repeat(300)}/`,
  'javascript:alert(1)',
  'TgtChannelId=1',
  'Region=x',
  ' region.0 = x',
  '=x',
  'a',
  'A=1\nA=2',
  'constructor=1\ntoString=2\n__proto__=3',
  `A${'b'.repeat(200)}=1`,
  Array.from({ length: 2_000 }, (_, index) => `P${index}=${index}`).join('\n'),
  'web-*',
  '*'.repeat(60),
  '*?'.repeat(40),
  '[',
  '(a+)+$',
  'uimage-source',
  'org-prod:cn-bj2:uimage-source',
  'org-prod',
  '["hk","sg"]',
  '- hk\n- sg',
  '1h 30m',
  'images.json',
  'deep/images.env',
  'x.tfvars.json',
  'refs/tags/v1',
  'v1.0.0',
  ' key ',
  'key\n',
  'ke y',
  'ké',
];

const inputValue = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...PLAUSIBLE) },
  { weight: 2, arbitrary: text },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '\n', '\u0000', '\ufeff', 'x'.repeat(100_000)) },
);

/** Sets of inputs of which some are wrong, on a site that answers as documented. */
export const anyInputs: fc.Arbitrary<Case> = fc.record({
  env: fc
    .tuple(
      settings,
      fc.array(fc.tuple(fc.constantFrom(...VARIABLES), fc.option(inputValue, { freq: 12 })), {
        maxLength: 7,
      }),
    )
    .map(([env, changes]) => {
      const changed = { ...env };
      for (const [name, given] of changes) {
        if (given === null) delete changed[name];
        else changed[name] = given;
      }
      return changed;
    }),
  mutations: fc.constant([]),
  held: fc.boolean(),
  cancelAt: fc.constant(null),
  http: fc.constant(false),
});

/** One change alone, in a run that makes the call: images are deleted after a cancel. */
export function alone(mutation: Mutation): Case {
  const deletes = mutation.action === 'TerminateCustomImage';
  return {
    env: { ...BASE, INPUT_ROLLBACK: deletes ? 'step' : 'never' },
    mutations: [mutation],
    held: false,
    cancelAt: deletes ? 30_000 : null,
    http: false,
  };
}
