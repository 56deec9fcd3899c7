import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect } from 'vitest';
import { parse } from 'yaml';
import { type Run, runAction } from '../runner/runner.ts';
import { DELETE, leaks, NODE_COMPILE_CACHE, type Stage, test } from './support.ts';

const root = join(import.meta.dirname, '../..');

interface Result extends Run {
  error: string;
  warnings: string[];
  /** An output that is JSON. */
  json(name: string): unknown;
}

/** A step of verify or prune. What holds for every one of them is checked here. */
async function run(
  name: 'verify' | 'prune',
  { cloud, clock }: Stage,
  inputs: Record<string, string>,
  env: Record<string, string> = {},
): Promise<Result> {
  const result = await runAction({
    path: join(root, name),
    clock,
    inputs,
    env: { NODE_COMPILE_CACHE, ...cloud.env, ...env },
  });
  expect(leaks(result, cloud)).toEqual([]);
  const { outputs } = parse(readFileSync(join(root, name, 'action.yml'), 'utf8'));
  expect(Object.keys(result.outputs).sort()).toEqual(Object.keys(outputs).sort());
  const told = (level: string) =>
    result.annotations.filter((each) => each.level === level).map(({ message }) => message);
  const [error = '', ...more] = told('error');
  expect([more, error !== ''], result.log).toEqual([[], result.exitCode !== 0]);
  expect(result.raw).not.toContain('The action itself failed');
  expect(result.summary).toContain('## ');
  expect(result.outputs['summary-markdown']?.trim()).toBe(result.summary.trim());
  const json = (output: string) => JSON.parse(result.outputs[output] ?? '');
  return { ...result, error, warnings: told('warning'), json };
}

const source = (it: Stage, regions: string) => ({
  'source-image-id': it.cloud.sourceImageId,
  'target-project-id': it.cloud.projects.target,
  'target-regions': regions,
});

const verify = (it: Stage, inputs: Record<string, string>) => run('verify', it, inputs);

describe('verify', () => {
  test.concurrent('green in one round trip of reads, and changes nothing', async ({ stage }) => {
    const it = await stage();
    const ids = { hk: it.earlierCopy('hk').imageId, sg: it.earlierCopy('sg').imageId };
    it.cloud.settings.latencyMs = 500;
    const result = await verify(it, source(it, 'hk, sg'));
    expect(result.outcome, result.log).toBe('success');
    expect(result.outputs.status).toBe('available');
    expect(result.json('image-ids')).toEqual(ids);
    expect(result.json('missing-regions')).toEqual([]);
    expect(result.warnings).toEqual([]);
    expect(result.log).toContain('web-server is Available in both regions');
    // Whatever the verdict rests on was asked for at once; only then came the account's other regions.
    const { requests } = it.cloud;
    const [first] = requests;
    const ofVerdict = requests.filter(({ time }) => time < (first?.time ?? 0) + 400);
    expect(ofVerdict.map(({ action, params }) => `${action} ${params.Region ?? ''}`.trim()).sort()).toEqual([
      'DescribeImage cn-bj2',
      'DescribeImage hk',
      'DescribeImage sg',
      'GetProjectList',
      'GetRegion',
    ]);
    const rest = requests.slice(ofVerdict.length);
    expect(new Set(rest.map(({ action }) => action))).toEqual(new Set(['DescribeImage']));
    expect(rest.some(({ params }) => ['hk', 'sg'].includes(params.Region ?? ''))).toBe(false);
    expect(it.changes).toEqual([]);
  });

  test.concurrent('names what is deleted, broken, too small, still copying, and where nobody asked', async ({
    stage,
  }) => {
    const it = await stage();
    const broken = it.earlierCopy('sg', { state: 'Unavailable' }).imageId;
    const small = it.earlierCopy('us-ca', { size: 20 }).imageId;
    const copying = it.earlierCopy('jpn-tky', { state: 'Copying' }).imageId;
    const extra = it.earlierCopy('th-bkk').imageId;
    const sound = it.earlierCopy('ge-fra').imageId;
    const result = await verify(it, source(it, 'hk, sg, us-ca, jpn-tky, ge-fra'));
    expect(result.outcome).toBe('failure');
    expect(result.outputs.status).toBe('incomplete');
    expect(result.error).toMatch(/^web-server is Available in 1 of 5 regions: missing in hk, broken in sg/);
    for (const [region, found] of [
      ['hk', `No copy of ${it.cloud.sourceImageId} exists`],
      ['sg', `The copy ${broken} is Unavailable`],
      ['us-ca', `${small} does not match the source: 20 GB instead of 40 GB`],
      ['jpn-tky', `The copy ${copying} is still Copying`],
    ])
      expect(result.error).toMatch(new RegExp(`- ${region}: ${found}`));
    expect(result.warnings).toEqual([expect.stringContaining(`${extra} in th-bkk`)]);
    expect(result.json('images')).toMatchObject([
      { region: 'hk', imageId: null, condition: 'missing' },
      { region: 'sg', imageId: broken, condition: 'broken', state: 'Unavailable' },
      { region: 'us-ca', imageId: small, condition: 'different', state: 'Available' },
      { region: 'jpn-tky', imageId: copying, condition: 'copying', state: 'Copying' },
      { region: 'ge-fra', imageId: sound, condition: 'available', error: null },
    ]);
    expect(result.json('image-ids')).toEqual({ 'ge-fra': sound });
    expect(result.json('missing-regions')).toEqual(['hk', 'sg', 'us-ca', 'jpn-tky']);
    expect(it.changes).toEqual([]);
  });
});

describe('verify with images-file', () => {
  /** As output-file and the asset of a release have it. */
  const fileOf = (it: Stage, images: object[]) => ({
    schema: 1,
    status: 'available',
    source: { region: it.cloud.region, projectId: 'org-build1', imageId: it.cloud.sourceImageId },
    images,
  });

  test.concurrent('a source that was deleted since does not matter; a copy does', async ({ stage }) => {
    const it = await stage();
    const { projectId, imageId } = it.earlierCopy('hk');
    const gone = it.earlierCopy('sg').imageId;
    const images = [
      { region: 'hk', projectId, imageId, name: 'web-server', outcome: 'copied' },
      { region: 'sg', projectId, imageId: gone, name: 'web-server', outcome: 'adopted' },
    ];
    it.cloud.deleteImage(it.cloud.sourceImageId);
    const path = join(mkdtempSync(join(tmpdir(), 'images-')), 'images.json');
    it.closers.push(() => rmSync(dirname(path), { recursive: true }));
    writeFileSync(path, JSON.stringify(fileOf(it, images)));
    const again = join(dirname(path), 'again.json');
    const green = await verify(it, { 'images-file': path, 'output-file': again });
    expect(green.outcome, green.log).toBe('success');
    expect(green.json('image-ids')).toEqual({ hk: imageId, sg: gone });

    expect((await verify(it, { 'images-file': again })).json('image-ids')).toEqual({ hk: imageId, sg: gone });

    // Copies of the run before, which had no secret: whoever may create images can write an unsigned marker.
    const unsigned = await verify(it, { 'images-file': path, 'mark-secret': 'sixteen-letters-or-more' });
    expect(unsigned.outcome).toBe('failure');
    expect(unsigned.error).toContain(`${imageId} has no marker that mark-secret has signed`);
    expect(unsigned.json('missing-regions')).toEqual(['hk', 'sg']);

    it.cloud.deleteImage(gone);
    const red = await verify(it, { 'images-file': path, 'target-regions': 'hk, us-ca' });
    expect(red.outcome).toBe('failure');
    expect(red.error).toContain(`- sg: The copy ${gone} does not exist.`);
    expect(red.error).toContain('- us-ca: images-file names no image.');
    expect(red.json('missing-regions')).toEqual(['sg', 'us-ca']);
    expect(it.changes).toEqual([]);
  });
});

/** Days ago. */
const at = (days: number) => Math.floor(Date.now() / 1000) - days * 86_400;

/** Copies of so many days in hk and sg; ids in that order. */
function family(it: Stage, ...days: number[]): Record<string, string[]> {
  const ids = (region: string) => days.map((age) => it.earlierCopy(region, { createTime: at(age) }).imageId);
  return { hk: ids('hk'), sg: ids('sg') };
}

const prune = (it: Stage, more: Record<string, string> = {}, env: Record<string, string> = {}) =>
  run(
    'prune',
    it,
    { 'project-id': it.cloud.projects.target, regions: 'hk, sg', name: 'web-*', keep: '2', ...more },
    env,
  );

test.concurrent.for(['verify', 'prune'] as const)(
  '%s works with the keys of a role alone',
  async (name, { stage }) => {
    const it = await stage();
    family(it, 10, 20, 30);
    const role = { 'role-urn': it.cloud.roleUrn, 'role-duration': '15m' };
    const result = await (name === 'verify'
      ? verify(it, { ...source(it, 'hk, sg'), ...role })
      : prune(it, { 'dry-run': 'false', ...role }));
    expect(result.outcome, result.log).toBe('success');
    expect(it.sent(DELETE)).toHaveLength(name === 'prune' ? 2 : 0);
    const [, session, ...more] = it.cloud.sessions;
    expect(more).toEqual([]);
    const [first, ...others] = it.cloud.requests;
    expect([first?.action, first?.params.SecurityToken]).toEqual(['AssumeRole', undefined]);
    expect(new Set(others.map(({ params }) => params.SecurityToken))).toEqual(
      new Set([session?.securityToken]),
    );
  },
);

describe('prune', () => {
  test.concurrent('deletes nothing unless dry-run is false; then what it has shown', async ({ stage }) => {
    const it = await stage();
    const { hk = [], sg = [] } = family(it, 1, 10, 20, 30);
    const strangers = [
      it.cloud.addImage({ region: 'hk', projectId: it.cloud.projects.target, createTime: at(99) }),
      it.earlierCopy('hk', { name: 'db-1', createTime: at(99) }),
    ].map(({ imageId }) => imageId);
    const dry = await prune(it);
    expect(dry.outcome, dry.log).toBe('success');
    expect(it.sent(DELETE)).toEqual([]);
    expect(dry.log).toContain('Dry run: would delete 4 of 8 copies of web-*');
    expect(dry.json('deleted-image-ids')).toEqual({ hk: [], sg: [] });
    for (const id of [...hk.slice(2), ...sg.slice(2)]) expect(dry.summary).toContain(id);
    expect(dry.summary).toContain('older than the newest 2');
    expect(dry.summary).toContain('does not tell which hosts or node pools use an image');

    const wet = await prune(it, { 'dry-run': 'false' });
    expect(wet.outcome, wet.log).toBe('success');
    expect(wet.json('deleted-image-ids')).toEqual({ hk: hk.slice(2), sg: sg.slice(2) });
    expect(wet.json('kept-image-ids')).toEqual(dry.json('kept-image-ids'));
    const left = it.cloud.images(undefined, it.cloud.projects.target).map(({ imageId }) => imageId);
    expect(left.sort()).toEqual([...hk.slice(0, 2), ...sg.slice(0, 2), ...strangers].sort());
    const again = await prune(it, { 'dry-run': 'false' });
    expect(again.log).toContain('Nothing to delete: all 4 copies of web-* stay');
    expect(it.sent(DELETE)).toHaveLength(4);
  });

  test.concurrent('a lock, and a list that is not readable, fail their region alone', async ({ stage }) => {
    const it = await stage();
    const { hk = [], sg = [] } = family(it, 10, 20, 30, 40);
    it.cloud.faults.push({ action: DELETE, region: 'hk', executed: false, kind: { retCode: 295 } });
    const locked = await prune(it, { 'dry-run': 'false' });
    expect(locked.outcome).toBe('failure');
    expect(locked.error).toMatch(/^hk failed; deleted 2 of 4 due copies of web-\*/);
    expect(locked.error).toContain(`${hk[3]} in hk was not deleted: TerminateCustomImage`);
    expect(locked.json('failed-regions')).toEqual(['hk']);
    expect(locked.json('deleted-image-ids')).toEqual({ hk: [], sg: sg.slice(2) });

    it.cloud.faults.push({
      action: 'DescribeImage',
      region: 'hk',
      executed: false,
      kind: { retCode: 299 },
      times: Number.POSITIVE_INFINITY,
    });
    const before = it.sent(DELETE).length;
    const unread = await prune(it, { 'dry-run': 'false' });
    expect(unread.json('failed-regions')).toEqual(['hk']);
    expect(unread.error).toContain('The list of images in hk could not be read, so nothing is deleted there');
    expect(it.sent(DELETE)).toHaveLength(before);
  });

  test.concurrent("a delete whose answer is lost is this run's; a name in protect is warned about", async ({
    stage,
  }) => {
    const it = await stage();
    const { hk = [] } = family(it, 10, 20, 30, 40);
    it.cloud.faults.push({ action: DELETE, executed: true, kind: 'reset' });
    const names = { 'dry-run': 'false', regions: 'hk', protect: `web-server, ${hk[2]?.toUpperCase()}` };
    const result = await prune(it, names);
    expect(result.outcome, result.log).toBe('success');
    expect(result.json('deleted-image-ids')).toEqual({ hk: hk.slice(3) });
    expect(result.log).not.toContain('somebody else');
    expect(result.warnings).toEqual([
      expect.stringMatching(
        /^protect names web-server: no custom image of project org-prod22 in hk has that id\./,
      ),
    ]);
  });

  test.concurrent('releases that cannot be read keep everything', async ({ stage }) => {
    const it = await stage();
    family(it, 10, 20, 30);
    const wanted = { 'dry-run': 'false', 'protect-releases': '3' };
    const result = await prune(it, wanted, { GITHUB_API_URL: 'http://127.0.0.1:9' });
    expect(result.outcome).toBe('failure');
    expect(result.error).toContain(
      'The images to protect could not be read (protect-releases), so nothing was deleted',
    );
    expect(it.sent(DELETE)).toEqual([]);
  });

  test.concurrent('every mistake at once, before anything is sent', async ({ stage }) => {
    const it = await stage();
    const result = await prune(it, {
      'project-id': '',
      regions: '',
      keep: '0',
      'min-age': '7',
      protect: '{',
    });
    expect(result.outcome).toBe('failure');
    expect(result.error).toMatch(/^5 invalid inputs; no request was sent/);
    for (const input of [
      'project-id is missing',
      'regions is missing',
      'keep: "0"',
      'min-age',
      'protect: "{"',
    ])
      expect(result.error).toContain(input);
    expect(it.cloud.requests).toEqual([]);
  });
});
