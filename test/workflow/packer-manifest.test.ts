import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { imageOfManifest } from '../../src/inputs/packer-manifest.ts';
import { readInputs } from '../../src/inputs/promote.ts';
import { inputs, ORDER } from './step.ts';

const build = (artifact_id: unknown, packer_run_uuid = 'run-2', build_time = 1_764_000_000) => ({
  name: 'ucloud-uhost.web',
  builder_type: 'ucloud-uhost',
  build_time,
  files: null,
  artifact_id,
  packer_run_uuid,
  custom_data: null,
});
const manifest = (...builds: unknown[]) => JSON.stringify({ builds, last_run_uuid: 'run-2' });
const anywhere = { region: '', projectId: '' };
const IMAGE = { projectId: 'org-build', region: 'cn-bj2', imageId: 'uimage-new' };
const ID = 'org-build:cn-bj2:uimage-new';

describe('the image of a manifest', () => {
  it.each([
    ['of one build', manifest(build(ID)), anywhere],
    [
      'that every run was added to, with a build of another API in the last one',
      manifest(
        build('org-build:cn-bj2:uimage-old', 'run-1', 1_765_000_000),
        build('org-build:cn-bj2:uimage-first', 'run-2', 1_763_000_000),
        build(ID),
        { ...build('eu-west-1:ami-0a1b'), builder_type: 'amazon-ebs', build_time: 1_764_000_100 },
      ),
      anywhere,
    ],
    [
      'of a build that copied its image to other regions itself',
      `\uFEFF${manifest(build(`${ID},org-build:hk:uimage-hk`))}`,
      { region: 'cn-bj2', projectId: 'org-build' },
    ],
  ])('%s', (_, text, wanted) => {
    expect(imageOfManifest(text, wanted).value).toEqual(IMAGE);
  });

  it('is of the newest build of the last run: those that are passed over are told', () => {
    const two = [build('org-build:cn-bj2:uimage-arm', 'run-2', 1_763_000_000), build(ID)];
    expect(imageOfManifest(manifest(...two), anywhere)).toEqual({
      value: IMAGE,
      notice:
        'has 2 builds in its last run: the action takes the newest, uimage-new, and not uimage-arm. To copy another, set source-image-id.',
    });
    expect(imageOfManifest(manifest(build(ID)), anywhere).notice).toBeUndefined();
  });

  it.each([
    ['{"builds": [', anywhere, /^is not JSON\./],
    ['[]', anywhere, /^has no list "builds"\./],
    ['null', anywhere, /^has no list "builds"\./],
    ['{"builds": []}', anywhere, /^has no "last_run_uuid"\./],
    [manifest(build(ID, 'run-1'), null), anywhere, /^has no build of its last run "run-2"\./],
    [manifest(build('ami-0a1b')), anywhere, /^has no artifact of the form project:region:id.*"ami-0a1b"/],
    [manifest(build(null)), anywhere, /^has no artifact of the form project:region:id/],
    [manifest(build(`${ID},org-build:hk:uimage-hk`)), anywhere, /^has 2 images: .*uimage-hk\. Set region/],
    [manifest(build(ID)), { region: 'hk', projectId: '' }, /^has no image in region "hk", but .*uimage-new/],
    [manifest(build(ID)), { region: '', projectId: 'org-x' }, /^has no image in project-id "org-x", but/],
  ])('that is wrong is told: %s', (text, wanted, told) => {
    expect(imageOfManifest(text, wanted)).toEqual({ mistake: expect.stringMatching(told) });
  });
});

describe('packer-manifest', () => {
  const folder = mkdtempSync(join(tmpdir(), 'manifest-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const read = (path: string, given: Record<string, string> = {}) =>
    readInputs({
      ...inputs({
        ...ORDER,
        'source-image-id': '',
        region: '',
        'project-id': '',
        'packer-manifest': path,
        ...given,
      }),
      GITHUB_WORKSPACE: folder,
    });

  it('is read in the workspace, and brings region and project', () => {
    writeFileSync(join(folder, 'manifest.json'), manifest(build(ID)));
    const { mistakes, inputs: found } = read('manifest.json');
    expect(mistakes).toEqual([]);
    expect(found?.order.source).toEqual(IMAGE);
  });

  it.each([
    ['nowhere.json', {}, /^packer-manifest: "nowhere\.json" cannot be read \(ENOENT\)\. Check the path/],
    ['.', {}, /^packer-manifest: "\." cannot be read \(EISDIR\)/],
    ['/dev/zero', {}, /^packer-manifest: "\/dev\/zero" is a pipe or a device, not a file\./],
    ['manifest.json', { region: 'hk' }, /^packer-manifest: "manifest\.json" has no image in region "hk"/],
    ['manifest.json', { 'source-image-name': 'web' }, /^source-image-name: Set source-image-name or packer-/],
  ])('%s with %j is one mistake', (path, given, told) => {
    expect(read(path, given).mistakes).toEqual([expect.stringMatching(told)]);
  });
});
