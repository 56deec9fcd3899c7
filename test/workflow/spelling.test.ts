import { describe, expect, it } from 'vitest';
import { type Inputs, readInputs } from '../../src/inputs/promote.ts';
import { inputs } from './step.ts';

const GOOD = {
  'public-key': 'public-canary',
  'private-key': 'private-canary',
  region: 'cn-bj2',
  'source-image-id': 'uimage-abc123',
  'target-project-id': 'org-prod',
  'target-regions': 'hk',
  'github-token': 'ghs_canary',
};

const reading = (given: Record<string, string>) => readInputs(inputs({ ...GOOD, ...given }));

const minutes = (count: number) => count * 60_000;

/** As people write them: what is taken for it, or the one message that names the spelling. */
const SPELLINGS: [string, string, unknown][] = [
  ['target-regions', 'hk', ['hk']],
  ['target-regions', 'hk\nsg', ['hk', 'sg']],
  ['target-regions', 'hk,sg', ['hk', 'sg']],
  ['target-regions', ' hk , sg ,', ['hk', 'sg']],
  ['target-regions', 'hk sg', ['hk', 'sg']],
  ['target-regions', 'hk\r\nsg\r\n', ['hk', 'sg']],
  ['target-regions', 'hk\tsg', ['hk', 'sg']],
  ['target-regions', '- hk\n- sg', ['hk', 'sg']],
  ['target-regions', '- hk - sg', ['hk', 'sg']],
  ['target-regions', '  - "hk"\n  - \'sg\'', ['hk', 'sg']],
  ['target-regions', 'hk  # Hong Kong, the main one\nsg # Singapore', ['hk', 'sg']],
  ['target-regions', '# all of them\nhk\n\nsg', ['hk', 'sg']],
  ['target-regions', '"hk", "sg"', ['hk', 'sg']],
  ['target-regions', "'hk','sg'", ['hk', 'sg']],
  ['target-regions', '["hk","sg"]', ['hk', 'sg']],
  ['target-regions', '[\n  "hk",\n  "sg"\n]\n', ['hk', 'sg']],
  ['target-regions', '[ "hk" ]', ['hk']],
  ['target-regions', '[hk, sg]', ['hk', 'sg']],
  ['target-regions', "['hk', 'sg']", ['hk', 'sg']],
  ['target-regions', 'sg, hk, sg', ['sg', 'hk']],
  ['target-regions', '[]', /^target-regions: "\[\]" is an empty list\. .*\["hk","sg"\]/],
  ['target-regions', ' , ,', /^target-regions: ", ," is an empty list/],
  ['target-regions', '# none', /^target-regions: "# none" is an empty list/],
  ['target-regions', '["hk"', /^target-regions: .* is not a whole JSON array/],
  ['target-regions', 'hk"]', /^target-regions: "hk\\"\]" is not a region id.*JSON array/],
  ['target-regions', '["hk", 1]', /^target-regions: .* is not a whole JSON array of texts/],
  ['target-regions', '[["hk"]]', /^target-regions: .* is not a whole JSON array of texts/],
  ['target-regions', '{"hk":"uimage-1"}', /^target-regions is a JSON object, not a list/],
  ['target-regions', 'hk;sg', /^target-regions: "hk;sg" is not a region id\. Use one per line/],
  ['target-regions', 'hk|sg', /^target-regions: "hk\|sg" is not a region id/],
  ['target-regions', 'hk，sg', /^target-regions: "hk，sg" is not a region id/],
  ['target-regions', '*', /^target-regions: "\*" is not a region id/],
  ['target-regions', '$REGIONS', /^target-regions: "\$REGIONS" is not a region id/],
  ['optional-regions', '["sg"]', ['sg']],
  ['optional-regions', '[]', undefined],
  ['timeout', '90s', minutes(1.5)],
  ['timeout', '1h30m', minutes(90)],
  ['timeout', '1h 30m', minutes(90)],
  ['timeout', '1h 02m', minutes(62)],
  ['timeout', '45M', minutes(45)],
  ['timeout', '2 hours', minutes(120)],
  ['timeout', '1 hour 30 minutes', minutes(90)],
  ['timeout', '90 min', minutes(90)],
  ['timeout', '1.5h', minutes(90)],
  ['timeout', '1d', minutes(1440)],
  ['timeout', '30', /^timeout: "30" has no unit\. Add a unit: 30s, 30m or 30h\.$/],
  ['timeout', '1h30', /^timeout: "1h30" is not a duration\. Write it as 90s, 45m or 1h30m\.$/],
  ['timeout', '500ms', /^timeout: "ms" in "500ms" is not a unit of time/],
  ['timeout', '30m 1h', /^timeout: .* give each unit once, the largest first/],
  ['timeout', '00:30:00', /^timeout: "00:30:00" is not a duration/],
  ['timeout', 'PT1H', /^timeout: "PT1H" is not a duration/],
  ['timeout', '1,5h', /^timeout: "1,5h" is not a duration/],
  ['poll-interval', '3h', /^poll-interval is longer than timeout/],
  ['dry-run', 'True', true],
  ['dry-run', ' TRUE\n', true],
  ['dry-run', 'yes', /^dry-run must be true or false, not "yes"\.$/],
  ['dry-run', '1', /^dry-run must be true or false/],
  ['dry-run', '"true"', /^dry-run must be true or false/],
  ['source-image-id', 'org-b:cn-bj2:uimage-1', { region: 'cn-bj2', projectId: 'org-b', imageId: 'uimage-1' }],
  ['source-image-id', 'org-b:hk:uimage-1', /^source-image-id names "hk", but region is "cn-bj2"\.$/],
  ['source-image-id', '"uimage-1"', /^source-image-id: .* is not an id/],
  ['source-image-id', 'web server', /^source-image-id: "web server" is not an id.*source-image-name/],
  ['source-image-id', 'web-*', /^source-image-id: "web-\*" is not an id.*source-image-name/],
  ['target-image-tag', 'web_1.2-生产', 'web_1.2-生产'],
  ['target-image-tag', 'web:1', /^target-image-tag: "web:1" is not a tag/],
  ['target-image-tag', 'x'.repeat(64), /^target-image-tag: .* is not a tag/],
  ['release-tag', 'refs/tags/v1.2', 'v1.2'],
  ['release-tag', 'refs/heads/main', /^release-tag: "refs\/heads\/main" is not a tag\./],
  ['release-tag', 'v1\nv2', /^release-tag: "v1\\nv2" is not a tag\./],
  ['release-tag', 'v*', /^release-tag: "v\*" is not a tag\./],
  ['api-url', 'https://api.test/\nhttps://b.test/', /^api-url is not a URL\./],
  ['role-urn', 'ucs:iam::1:role/promote', 'ucs:iam::1:role/promote'],
  ['role-urn', 'promote', /^role-urn is not the URN of a role/],
  ['output-file', 'ids.yaml', /^output-file: "ids\.yaml" has an ending that says no form/],
  ['output-file', '.env', /^output-file: "\.env" has an ending/],
  ['mark-secret', 'short', /^mark-secret must have at least 16 characters/],
];

const values: Record<string, (read: Inputs) => unknown> = {
  'target-regions': ({ order }) => order.target.regions,
  'optional-regions': ({ order }) => order.target.optionalRegions,
  timeout: ({ order }) => order.timeout,
  'dry-run': ({ order }) => order.dryRun,
  'source-image-id': ({ order }) => order.source,
  'target-image-tag': ({ order }) => order.target.tag,
  'release-tag': ({ release }) => release?.tag,
  'role-urn': ({ connection }) => connection.role?.urn,
};

it.each(SPELLINGS)('%s: %j', (input, text, meant) => {
  const read = reading({ [input]: text });
  if (meant instanceof RegExp) {
    expect(read.mistakes).toEqual([expect.stringMatching(meant)]);
  } else {
    expect(read.mistakes).toEqual([]);
    expect(read.inputs && values[input]?.(read.inputs)).toEqual(meant);
  }
});

describe('a name that is no input, but near to one', () => {
  it.each([
    ['dry_run', 'true', 'dry-run'],
    ['dryrun', 'true', 'dry-run'],
    ['Dry-Runs', 'true', 'dry-run'],
    ['target-region', 'sg', 'target-regions'],
    ['target_regions', 'sg', 'target-regions'],
    ['target-project', 'org-x', 'target-project-id'],
    ['if_exists', 'copy', 'if-exists'],
    ['roll-back', 'step', 'rollback'],
    ['timeouts', '3h', 'timeout'],
    ['timeout-minutes', '30', 'timeout'],
    ['waits', 'false', 'wait'],
    ['privatekey', 'x', 'private-key'],
    ['source-imageid', 'uimage-1', 'source-image-id'],
    ['channel_key', 'ch_1', 'channel-key'],
    ['role-arn', 'ucs:iam::1:role/x', 'role-urn'],
  ])('%s: %s is one mistake that names %s', (name, value, right) => {
    const { mistakes } = readInputs(inputs({ ...GOOD, [right]: '', [name]: value }));
    expect(mistakes).toEqual([
      `${right}: ${JSON.stringify(name.toLowerCase())} is not an input of this action. Write it as ${right}.`,
    ]);
  });

  it('copies for real in no case: a default does not stand against what was meant', () => {
    expect(reading({ 'dry-run': 'false', dry_run: 'true' }).mistakes).toHaveLength(1);
  });

  it.each([
    ['near to none', { image: 'web', environment: 'prod', 'node-version': '24', project: 'org-1', tag: 'x' }],
    [
      'beside the right one, as a composite action hands down its own',
      { 'target-region': 'sg', regions: 'a' },
    ],
    ['with the same value as the right one', { dry_run: 'true', 'dry-run': 'true' }],
    ['without a value', { dry_run: ' ' }],
  ])('%s: unheeded', (_, given) => {
    expect(reading(given).mistakes).toEqual([]);
  });
});

describe('the source image', () => {
  const only = (given: Record<string, string>) =>
    readInputs(inputs({ ...GOOD, region: '', 'source-image-id': '', ...given }));

  it('in the form of Packer brings its region and project', () => {
    const { inputs: read } = only({ 'source-image-id': 'org-build:hk:uimage-1' });
    expect(read?.order.source).toEqual({ region: 'hk', projectId: 'org-build', imageId: 'uimage-1' });
  });

  it.each(['^web-.*$', 'web-\\d+', '/web-.*/', 'web-(a|b)', 'web-[0-9]+'])(
    'has a name, or a glob; what looks like a regular expression gets a hint: %s',
    (name) => {
      const { notices } = only({ region: 'hk', 'source-image-name': name });
      expect(notices).toEqual([expect.stringMatching(/^source-image-name: .* regular expression\. .*glob/)]);
    },
  );

  it.each(['web-*', 'web-?.?', 'web[1].*', 'web (copy)', 'a+b'])('may be named by %s', (name) => {
    const { inputs: read, notices } = only({ region: 'hk', 'source-image-name': name });
    expect([read?.order.source.name, notices]).toEqual([name, []]);
  });

  it('is not named in two lines', () => {
    const { mistakes } = only({ region: 'hk', 'source-image-name': 'web-1\nweb-2' });
    expect(mistakes).toEqual([expect.stringMatching(/^source-image-name: "web-1\\nweb-2" is no name/)]);
  });

  it('whose id is a name gets a hint, since no rule tells them apart for sure', () => {
    const notices = (id: string) => only({ region: 'hk', 'source-image-id': id }).notices;
    expect(notices('web-server')).toEqual([expect.stringMatching(/"web-server".*source-image-name\.$/)]);
    for (const id of ['uimage-abc123', 'f43736e1-65a5-4bea-ad2e-8a46e18883c2', 'org-b:hk:uimage-1'])
      expect(notices(id)).toEqual([]);
  });

  it('is named once', () => {
    const all = { region: 'hk', 'source-image-id': 'uimage-1', 'source-image-name': 'web' };
    expect(only(all).mistakes).toEqual([
      'source-image-id: Set source-image-id or source-image-name, not both.',
    ]);
  });
});

it('a region that is optional as well is optional', () => {
  const { inputs: read } = reading({ 'target-regions': 'hk, sg', 'optional-regions': 'sg, us-ca' });
  expect(read?.order.target).toMatchObject({ regions: ['hk'], optionalRegions: ['sg', 'us-ca'] });
});

it('a role is asked for under the name of the run, and excludes the token of temporary keys', () => {
  const env = { ...inputs({ ...GOOD, 'role-urn': 'ucs:iam::1:role/x', 'role-duration': '2h' }) };
  const { inputs: read } = readInputs({ ...env, GITHUB_RUN_ID: '77' });
  expect(read?.connection.role).toEqual({
    urn: 'ucs:iam::1:role/x',
    duration: minutes(120),
    sessionName: 'copy-custom-image-77',
  });
  expect(readInputs({ ...env, UCLOUD_SECURITY_TOKEN: 'token' }).mistakes).toEqual([
    expect.stringMatching(/^role-urn: Temporary keys cannot assume a role/),
  ]);
  expect(reading({ 'role-urn': 'ucs:iam::1:role/x', 'role-duration': '14m' }).mistakes).toHaveLength(1);
});
