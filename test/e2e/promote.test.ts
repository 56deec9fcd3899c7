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
});
