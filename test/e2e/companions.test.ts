import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { parse } from 'yaml';
import { type Run, runAction } from '../runner/runner.ts';
import { DELETE, leaks, type Stage, test } from './support.ts';

const root = join(import.meta.dirname, '../..');

interface Result extends Run {
  error: string;
  warnings: string[];
  /** An output that is JSON. */
  json(name: string): unknown;
}

/** A step of verify or prune. What holds for every one of them is checked here. */
async function run(
  name: 'prune',
  { cloud }: Stage,
  inputs: Record<string, string>,
  env: Record<string, string> = {},
): Promise<Result> {
  const result = await runAction({ path: join(root, name), inputs, env: { ...cloud.env, ...env } });
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
    expect(locked.error).toMatch(/^hk failed; deleted 2 of 8 copies of web-\*/);
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
