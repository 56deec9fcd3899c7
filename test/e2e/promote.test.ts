import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { COPY, DELETE, OUTPUTS, test } from './support.ts';

const EIGHT = ['hk', 'sg', 'jpn-tky', 'kr-seoul', 'us-ca', 'ge-fra', 'uk-london', 'uae-dubai'];
const MARK = /^\[copy of cn-bj2\/uimage-\w+ by 1296235120-1-\w{6}\]/;

describe('the main job', () => {
  test.concurrent('one target is one single call, and every output is set', async ({ stage }) => {
    const it = await stage();
    const run = await it.run({ regions: ['hk'] });
    expect(run).toMatchObject({ outcome: 'success', job: 'success', post: { ran: false } });
    const [copy] = it.copies;
    expect(it.sent(COPY).map(({ params }) => params)).toMatchObject([
      {
        Region: 'cn-bj2',
        ProjectId: 'org-build1',
        SourceImageId: it.cloud.sourceImageId,
        TargetProjectId: 'org-prod22',
        TargetRegion: 'hk',
        TargetImageName: 'web-server',
        TargetImageDescription: expect.stringMatching(MARK),
      },
    ]);
    expect(Object.keys(it.sent(COPY)[0]?.params ?? {})).not.toContain('TargetRegionList.0');
    const image = {
      region: 'hk',
      projectId: 'org-prod22',
      imageId: copy?.imageId,
      taskId: copy?.taskId,
      name: 'web-server',
      state: 'Available',
      outcome: 'copied',
      seconds: expect.any(Number),
      error: null,
    };
    expect(run.outputs).toEqual({
      status: 'available',
      'image-id': copy?.imageId,
      'task-id': copy?.taskId,
      'image-ids': JSON.stringify({ hk: copy?.imageId }),
      'task-ids': JSON.stringify({ hk: copy?.taskId }),
      images: expect.any(String),
      'source-image-id': it.cloud.sourceImageId,
      'failed-regions': '[]',
      'summary-markdown': expect.stringContaining(copy?.imageId ?? ''),
    });
    expect(run.images).toEqual([image]);
    // An empty output does not reach another job, and one with a masked text would not.
    expect(Object.keys(run.jobOutputs).sort()).toEqual([...OUTPUTS].sort());
    expect(run.log).toContain(copy?.imageId);
    expect(run.summary).toContain(copy?.imageId);
  });

  test.concurrent('three regions are exactly one call; all are signed POST forms that name the action', async ({
    stage,
  }) => {
    const it = await stage({ batchAnswersBoth: true, retCodeAsString: true });
    const run = await it.run({ regions: ['hk', 'sg', 'us-ca'] });
    expect(run.outcome).toBe('success');
    for (const { method, url, headers, retCode } of it.cloud.requests) {
      expect([method, url, retCode]).toEqual(['POST', '/', 0]);
      expect(headers['content-type']).toBe('application/x-www-form-urlencoded');
      expect(headers['user-agent']).toMatch(/^copy-custom-image\/\d+\.\d+\.\d+/);
    }
    expect(it.sent(COPY)).toHaveLength(1);
    expect(it.sent(COPY)[0]?.params).toMatchObject({
      'TargetRegionList.0': 'hk',
      'TargetRegionList.1': 'sg',
      'TargetRegionList.2': 'us-ca',
    });
    expect(it.sent(COPY)[0]?.params).not.toHaveProperty('TargetRegion');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(Object.keys(run.ids)).toEqual(['hk', 'sg', 'us-ca']);
    expect(run.outputs['image-id']).toBe('');
  });

  test.concurrent('a site without batches gives each region once; what it made by mistake is named and deleted', async ({
    stage,
  }) => {
    const it = await stage({ batch: false, taskIds: false });
    const run = await it.run({ regions: EIGHT });
    expect(run.outcome).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(Object.keys(run.ids)).toEqual(EIGHT);
    expect(run.tasks).toEqual({});
    const [stray, ...others] = it.sent(DELETE).map(({ params }) => params.ImageId);
    expect(others).toEqual([]);
    expect(run.warnings.join('\n')).toContain(
      `This run created ${stray} in cn-bj2 without being asked to; the action deleted it`,
    );
    expect(it.sent(COPY)).toHaveLength(1 + 8);
  });

  test.concurrent('on a site without batches the source region may be a target: no image is too many', async ({
    stage,
  }) => {
    const it = await stage({ batch: false });
    const run = await it.run({ regions: ['cn-bj2', 'hk'] });
    expect(run.outcome).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.changes).toEqual([COPY, COPY]);
  });

  test.concurrent("copies the image of Packer's last run", async ({ stage }) => {
    const it = await stage();
    const build = (packer_run_uuid: string, artifact_id: string) => {
      return {
        name: 'web',
        builder_type: 'ucloud-uhost',
        build_time: 1,
        files: null,
        artifact_id,
        packer_run_uuid,
      };
    };
    const last = `org-build1:cn-bj2:${it.cloud.sourceImageId},org-build1:hk:uimage-ofpacker`;
    const builds = [build('a5fa', 'org-build1:cn-bj2:uimage-before'), build('b6fb', last)];
    const folder = mkdtempSync(join(tmpdir(), 'packer-'));
    it.closers.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'packer-manifest.json');
    writeFileSync(path, JSON.stringify({ builds, last_run_uuid: 'b6fb' }));
    const run = await it.run({ inputs: { 'source-image-id': '', 'packer-manifest': path } });
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(run.outputs['source-image-id']).toBe(it.cloud.sourceImageId);
  });

  test.concurrent('wait: false hands out the ids at once; a second step adopts and waits', async ({
    stage,
  }) => {
    const it = await stage({ copySeconds: Number.POSITIVE_INFINITY });
    const first = await it.run({ regions: ['hk', 'sg'], inputs: { wait: 'false' } });
    expect(first.outcome).toBe('success');
    expect(first.outputs.status).toBe('copying');
    expect(first.ids).toEqual(it.onePerRegion);
    expect(first.images.map(({ state, outcome }) => [state, outcome])).toEqual([
      ['Copying', 'copied'],
      ['Copying', 'copied'],
    ]);
    for (const { imageId } of it.copies) it.cloud.setState(imageId, 'Available');
    const second = await it.run({ regions: ['hk', 'sg'] });
    expect(second.outcome).toBe('success');
    expect(second.outputs.status).toBe('available');
    expect(second.ids).toEqual(first.ids);
    expect(second.images.map(({ outcome }) => outcome)).toEqual(['adopted', 'adopted']);
    expect(it.sent(COPY)).toHaveLength(1);
  });

  test.concurrent('a timeout is red, is one error, and keeps the ids', async ({ stage }) => {
    const it = await stage({ copySeconds: Number.POSITIVE_INFINITY, byRegion: { sg: { copySeconds: 0 } } });
    const run = await it.run({ regions: ['hk', 'sg'], inputs: { timeout: '2m' } });
    expect(run).toMatchObject({ outcome: 'failure', exitCode: 1 });
    expect(run.ids).toEqual(it.onePerRegion);
    expect(run.failed).toEqual(['hk']);
    expect(run.outputs.status).toBe('partial');
    expect(run.errors[0]).toContain(`hk: ${run.ids.hk} is still Copying after the timeout of 2m`);
    expect(run.errors[0]).toContain('it reuses a copy that exists');
    expect(it.changes).toEqual([COPY]);
  });

  test.concurrent('a region that fails is a warning where it is optional, and red where it is not', async ({
    stage,
  }) => {
    const it = await stage({ byRegion: { sg: { finalState: 'Unavailable' } } });
    const green = await it.run({ regions: ['hk'], inputs: { 'optional-regions': 'sg' } });
    expect(green, green.log).toMatchObject({ outcome: 'success', failed: ['sg'] });
    expect(green.outputs.status).toBe('available');
    expect(Object.keys(green.ids)).toEqual(['hk']);
    expect(green.warnings).toEqual([expect.stringMatching(/sg.*Unavailable/)]);
    const red = await it.run({ regions: ['sg'], inputs: { 'optional-regions': 'hk' } });
    expect(red, red.log).toMatchObject({ outcome: 'failure', failed: ['sg'] });
  });

  test.concurrent('a copy that ends Unavailable fails its target and not the others', async ({ stage }) => {
    const it = await stage({ byRegion: { sg: { finalState: 'Unavailable' } } });
    const run = await it.run({ regions: ['hk', 'sg', 'us-ca'] });
    expect(run.outcome).toBe('failure');
    expect(run.outputs.status).toBe('partial');
    expect(run.failed).toEqual(['sg']);
    const { sg: broken, ...sound } = it.onePerRegion;
    expect(run.ids).toEqual(sound);
    expect(run.images[1]?.imageId).toBe(broken);
    expect(run.images.map(({ state, outcome }) => [state, outcome])).toEqual([
      ['Available', 'copied'],
      ['Unavailable', 'failed'],
      ['Available', 'copied'],
    ]);
    expect(run.errors[0]).toContain(`sg: the copy ${run.images[1]?.imageId} ended Unavailable`);
    // Nobody adopts a broken one.
    const again = await it.run({ regions: ['sg'], inputs: { wait: 'false' } });
    expect(again.images[0]?.outcome).toBe('copied');
  });

  test.concurrent('the copies get name, description and tag; a description of any letters comes back unchanged', async ({
    stage,
  }) => {
    const it = await stage();
    const description = 'Grüße, 世界 🚀 – "a&b=c+d%2B" <x> C:\\n';
    const run = await it.run({
      regions: ['hk', 'sg'],
      inputs: {
        'target-image-name': '网站-web_1.2[x]:a,b',
        'target-image-description': description,
        'target-image-tag': '团队_A-b.c',
      },
    });
    expect(run.outcome).toBe('success');
    for (const copy of it.copies) {
      expect(copy).toMatchObject({ name: '网站-web_1.2[x]:a,b', tag: '团队_A-b.c' });
      expect(copy.description.replace(MARK, '')).toBe(` ${description}`);
    }
  });

  test.concurrent('extra-parameters are on the wire as they are', async ({ stage }) => {
    const it = await stage();
    const extra = 'TargetEmail=a+b@example.com\n\nTgtChannelId = 1 = one & two\nEmpty=';
    const run = await it.run({ regions: ['hk', 'sg'], inputs: { 'extra-parameters': extra } });
    expect(run.outcome).toBe('success');
    expect(it.sent(COPY)[0]?.params).toMatchObject({
      TargetEmail: 'a+b@example.com',
      TgtChannelId: '1 = one & two',
      Empty: '',
    });
  });
});

describe('keys', () => {
  test.concurrent('temporary keys are sent with their token, and signed', async ({ stage }) => {
    const it = await stage();
    const { publicKey, privateKey, securityToken } = it.cloud.temporaryKeys;
    const run = await it.run({
      regions: ['hk', 'sg'],
      inputs: { 'public-key': publicKey, 'private-key': privateKey, 'security-token': securityToken },
    });
    expect(run.outcome).toBe('success');
    expect(it.cloud.requests.every(({ params }) => params.SecurityToken === securityToken)).toBe(true);
    expect(it.cloud.requests.every(({ retCode }) => retCode === 0)).toBe(true);
    expect(run.masks).toEqual(expect.arrayContaining([privateKey, securityToken]));
  });

  test.concurrent('temporary keys that expire in mid-wait: the error says so, and every id is kept', async ({
    stage,
  }) => {
    const it = await stage({ copySeconds: Number.POSITIVE_INFINITY });
    const { temporaryKeys } = it.cloud;
    const { running, done } = it.start({
      regions: ['hk', 'sg'],
      env: {
        UCLOUD_PUBLIC_KEY: temporaryKeys.publicKey,
        UCLOUD_PRIVATE_KEY: temporaryKeys.privateKey,
        UCLOUD_SECURITY_TOKEN: temporaryKeys.securityToken,
      },
    });
    await running.waitFor(/Started \d+ cop/);
    temporaryKeys.expires = 0;
    const run = await done;
    expect(run.outcome).toBe('failure');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(run.failed).toEqual(['hk', 'sg']);
    expect(run.errors[0]).toContain('RetCode 174');
    expect(run.errors[0]).toContain('the security token is unknown or has expired');
    expect(run.errors[0]).toContain('valid for longer than its timeout');
    expect(run.errors[0]).toContain('it reuses a copy that exists');
  });
});

test.concurrent('six wrong inputs are one report that names all six, and no request', async ({ stage }) => {
  const it = await stage();
  const run = await it.run({
    env: { UCLOUD_PRIVATE_KEY: '' },
    inputs: {
      'target-project-id': '',
      'target-regions': 'hk, s;g',
      'target-image-name': 'two words',
      timeout: 'soon',
      rollback: 'maybe',
    },
  });
  expect(run).toMatchObject({ outcome: 'failure', exitCode: 1 });
  expect(run.errors).toHaveLength(1);
  for (const input of [
    'private-key',
    'target-project-id',
    'target-regions',
    'target-image-name',
    'timeout',
    'rollback',
  ]) {
    expect(run.errors[0]).toMatch(new RegExp(`^- ${input}\\b`, 'm'));
  }
  expect(run.errors[0]?.match(/^- /gm)).toHaveLength(6);
  expect(run.outputs).toMatchObject({ status: 'failed', 'image-ids': '{}', images: '[]' });
  expect(it.cloud.requests).toEqual([]);
});
