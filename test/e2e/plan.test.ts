import { describe, expect } from 'vitest';
import { COPY, type Stage, test } from './support.ts';

describe('the source', () => {
  test.concurrent('250 images in source and target: the newest that matches is chosen, and its copy adopted', async ({
    stage,
  }) => {
    const it = await stage({ pageCap: 20, totalCount: false, source: { name: 'api-1', createTime: 1000 } });
    const { cloud } = it;
    for (let n = 0; n < 125; n++) {
      cloud.addImage({ name: `web-${n}`, createTime: 1_700_000_000 + n });
      cloud.addImage({ name: `db-${n}`, createTime: 1_800_000_000 + n });
      cloud.addImage({ region: 'hk', projectId: 'org-prod22', name: `web-${n}` });
      cloud.addImage({ region: 'hk', projectId: 'org-prod22', name: 'web-right' });
    }
    cloud.addImage({ name: 'web-broken', createTime: 1_750_000_000, state: 'Unavailable' });
    cloud.addImage({ name: 'my-web-9', createTime: 1_750_000_000 });
    cloud.addImage({ name: 'web-base', createTime: 1_750_000_000, type: 'Base' });
    const right = cloud.addImage({ name: 'web-right', createTime: 1_700_001_000 });
    const copy = cloud.addImage({
      region: 'hk',
      projectId: 'org-prod22',
      name: 'web-right',
      description: `[copy of cn-bj2/${right.imageId} by 9-1-aaaaaa] Web`,
    });
    const run = await it.run({
      regions: ['hk', 'sg'],
      inputs: { 'source-image-id': '', 'source-image-name': 'web-*' },
    });
    expect(run.outcome, run.log).toBe('success');
    expect(run.outputs['source-image-id']).toBe(right.imageId);
    expect(run.images).toMatchObject([
      { region: 'hk', imageId: copy.imageId, outcome: 'adopted', name: 'web-right' },
      { region: 'sg', imageId: it.onePerRegion.sg, outcome: 'copied', name: 'web-right' },
    ]);
    expect(it.sent(COPY)).toHaveLength(1);
  });

  test.concurrent('an exact name; one that matches nothing names its near ones', async ({ stage }) => {
    const it = await stage();
    const run = await it.run({ inputs: { 'source-image-id': '', 'source-image-name': 'web-server' } });
    expect(run.outcome).toBe('success');
    expect(run.outputs['source-image-id']).toBe(it.cloud.sourceImageId);
    const wrong = await it.run({ inputs: { 'source-image-id': '', 'source-image-name': 'web-sever' } });
    expect(wrong.outcome).toBe('failure');
    expect(wrong.errors[0]).toContain('matches web-sever');
    expect(wrong.errors[0]).toContain('Did you mean web-server?');
    expect(it.sent(COPY)).toHaveLength(1);
  });

  test.concurrent('that is still being made is waited for', async ({ stage }) => {
    const it = await stage({ source: { state: 'Making' } });
    const { running, done } = it.start({ regions: ['hk'] });
    await running.waitFor(/is Making: the action waits until it is Available/);
    it.cloud.setState(it.cloud.sourceImageId, 'Available');
    const run = await done;
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.sent(COPY)).toHaveLength(1);
  });

  test.concurrent('that is never ready: red at the timeout, and nothing is copied', async ({ stage }) => {
    const it = await stage({ source: { state: 'Making' } });
    const run = await it.run({ inputs: { timeout: '1m' } });
    expect(run.outcome).toBe('failure');
    expect(run.errors[0]).toContain('is still Making at the end of the timeout');
    expect(it.changes).toEqual([]);
  });

  test.concurrent('with data disks and an old operating system: two warnings, before the copy', async ({
    stage,
  }) => {
    const it = await stage({
      source: { dataSnapshotIds: ['snap-1', 'snap-2'], maintainEol: '2024/06/30', osName: 'CentOS 7.9' },
    });
    const run = await it.run();
    expect(run.outcome).toBe('success');
    expect(run.warnings).toHaveLength(2);
    expect(run.warnings[0]).toContain('2 data-disk snapshots');
    expect(run.warnings[1]).toContain('CentOS 7.9 reached the end of its life on 2024/06/30');
    expect(run.raw.indexOf('data-disk')).toBeLessThan(run.raw.indexOf('Started '));
  });

  test.concurrent('is its own target: nothing is copied there', async ({ stage }) => {
    const it = await stage();
    const run = await it.run({ regions: ['cn-bj2', 'hk'], inputs: { 'target-project-id': 'org-build1' } });
    expect(run.outcome).toBe('success');
    expect(run.images).toMatchObject([
      { region: 'cn-bj2', outcome: 'source', imageId: it.cloud.sourceImageId, state: 'Available' },
      { region: 'hk', outcome: 'copied', imageId: it.onePerRegion.hk },
    ]);
    expect(it.sent(COPY)[0]?.params).toMatchObject({ TargetRegion: 'hk' });
  });
});

describe('every reason to fail, in one report, before the first copy', () => {
  const refused = async (it: Stage, step: Parameters<Stage['run']>[0]) => {
    const run = await it.run(step);
    expect(run).toMatchObject({ outcome: 'failure', exitCode: 1 });
    expect(run.outputs.status).toBe('failed');
    expect(run.errors).toHaveLength(1);
    expect(it.changes).toEqual([]);
    return run.errors[0] ?? '';
  };

  test.concurrent('mistyped regions, a mistyped project and an absent image', async ({ stage }) => {
    const it = await stage();
    const error = await refused(it, {
      regions: ['hk', 'sgp', 'us-ac', 'Frankfurt'],
      inputs: { 'target-project-id': 'org-prod2', 'source-image-id': 'uimage-nothere' },
    });
    expect(error).toMatch(/no region sgp[\s\S]*Did you mean sg/);
    expect(error).toMatch(/no region us-ac[\s\S]*us-ca/);
    expect(error).toMatch(/no region Frankfurt[\s\S]*ge-fra/);
    expect(error).toContain(
      'target-project-id: project org-prod2 does not exist, or these keys may not see it',
    );
    expect(error).toContain('org-prod22 (production)');
    expect(error).toContain('there is no image uimage-nothere in cn-bj2, project org-build1');
  });

  test.concurrent('a wrong private key is told once, not once a call', async ({ stage }) => {
    const it = await stage();
    it.secrets.push('0123456789abcdef0123456789abcdef01234567');
    const error = await refused(it, {
      regions: ['hk', 'sg', 'us-ca'],
      inputs: { 'private-key': '0123456789abcdef0123456789abcdef01234567' },
    });
    expect(error.match(/RetCode 171/g)).toHaveLength(1);
    expect(error).toContain('without a line break or a space at the end');
  });
});

describe('a check that cannot run is a warning', () => {
  const CHECKS = ['GetRegion', 'GetProjectList'];
  test.concurrent.for([
    ['299', { deniedActions: CHECKS }],
    ['161', { unknownActions: CHECKS }],
  ] as const)('RetCode %s for GetRegion and GetProjectList', async ([code, settings], { stage }) => {
    const it = await stage(settings);
    const run = await it.run({ regions: ['hk', 'sg'] });
    expect(run.outcome).toBe('success');
    expect(run.warnings).toHaveLength(1);
    for (const call of CHECKS)
      expect(run.warnings[0]).toMatch(new RegExp(`against ${call}: .*RetCode ${code}`));
    expect(run.ids).toEqual(it.onePerRegion);
  });
});

describe('what is there already', () => {
  test.concurrent('is adopted only with mark, name and target alike; the oldest healthy one', async ({
    stage,
  }) => {
    const it = await stage();
    const { cloud } = it;
    const other = `[copy of cn-bj2/uimage-another by 77-1-abcdef]`;
    it.earlierCopy('hk', { createTime: 300 });
    const oldest = it.earlierCopy('hk', { createTime: 200 });
    it.earlierCopy('hk', { createTime: 100, state: 'Unavailable' });
    it.earlierCopy('sg', { name: 'another-name' });
    cloud.addImage({ region: 'us-ca', projectId: 'org-prod22' });
    cloud.addImage({ region: 'ge-fra', projectId: 'org-prod22', description: other });
    it.earlierCopy('kr-seoul', { projectId: 'org-stage3' });
    const run = await it.run({ regions: ['hk', 'sg', 'us-ca', 'ge-fra', 'kr-seoul'] });
    expect(run.outcome).toBe('success');
    expect(run.images.map(({ outcome }) => outcome)).toEqual([
      'adopted',
      'copied',
      'copied',
      'copied',
      'copied',
    ]);
    expect(run.ids).toEqual({ ...it.onePerRegion, hk: oldest.imageId });
    expect(run.warnings.join('\n')).toContain('hk: more copies of this source exist');
    expect(run.log).toMatch(/copy {3}us-ca \(.*not known as a copy of this source, so it is left alone/);
  });

  test.concurrent('that is under way is adopted and waited for', async ({ stage }) => {
    const it = await stage();
    const { imageId } = it.earlierCopy('hk', { state: 'Making', settlesInSeconds: 30 });
    const run = await it.run({ regions: ['hk'] });
    expect(run.outcome).toBe('success');
    expect(run.images).toMatchObject([{ imageId, outcome: 'adopted', state: 'Available' }]);
    expect(it.changes).toEqual([]);
  });

  test.concurrent('if-exists: copy makes another', async ({ stage }) => {
    const it = await stage();
    const { imageId } = it.earlierCopy('hk');
    const run = await it.run({ regions: ['hk'], inputs: { 'if-exists': 'copy' } });
    expect(run.outcome).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(run.ids.hk).not.toBe(imageId);
    expect(run.log).toContain(`already there: ${imageId}`);
  });
});

describe('with mark-secret, a planted image', () => {
  const inputs = { 'mark-secret': 'mark-canary-5d0c81b7a3f9' };
  /** The description of a copy that a step of that order made, and that is gone since. */
  const markOf = async (it: Stage, order: Record<string, string> = {}) => {
    await it.run({ inputs: { ...inputs, ...order } });
    const [copy] = it.copies;
    if (!copy) throw new Error('No copy was made');
    it.cloud.deleteImage(copy.imageId);
    return copy.description;
  };

  test.concurrent.for<[string, (it: Stage) => Promise<string>]>([
    ['an unsigned mark', (it) => markOf(it, { 'mark-secret': '' })],
    ['a guessed mark', async (it) => (await markOf(it)).replace(/ sig .{16}/, ' sig AAAAAAAAAAAAAAAA')],
    ['a mark of another secret', (it) => markOf(it, { 'mark-secret': 'another-canary-81c2' })],
    [
      'a mark replayed from another project',
      (it) => markOf(it, { 'target-project-id': it.cloud.projects.other }),
    ],
    [
      'a mark replayed from another source',
      async (it) => {
        const { imageId } = it.cloud.addImage({ name: 'web-server' });
        return (await markOf(it, { 'source-image-id': imageId })).replace(imageId, it.cloud.sourceImageId);
      },
    ],
  ])('with %s is neither adopted nor deleted: the step stops and names it', async ([, mark], { stage }) => {
    const it = await stage();
    it.secrets.push(inputs['mark-secret']);
    const description = await mark(it);
    const projectId = it.cloud.projects.target;
    const { imageId } = it.cloud.addImage({ region: 'hk', projectId, description });
    const before = it.changes.length;
    const run = await it.run({ inputs: { ...inputs, rollback: 'step' } });
    expect([run.outcome, run.ids, it.changes.length]).toEqual(['failure', {}, before]);
    expect(run.errors[0]).toMatch(new RegExp(`hk: .* with another signature, or none, exist: ${imageId}\\.`));
    const another = await it.run({ inputs: { ...inputs, 'if-exists': 'copy' } });
    expect(another.ids).toEqual(it.onePerRegion);
    expect(it.cloud.images('hk', projectId)).toHaveLength(2);
  });

  test.concurrent('with a mark replayed beside its own copy is left alone, and the copy adopted', async ({
    stage,
  }) => {
    const it = await stage();
    const first = await it.run({ inputs });
    const { description = '', projectId } = it.copies[0] ?? {};
    const { imageId } = it.cloud.addImage({ region: 'hk', projectId: projectId ?? '', description });
    const second = await it.run({ inputs });
    expect(second.ids).toEqual(first.ids);
    expect(second.warnings.join()).toContain(imageId);
    expect(it.cloud.images('hk', projectId)).toHaveLength(2);
  });
});

describe('a dry run', () => {
  test.concurrent('changes nothing, and shows the plan in the log and the summary', async ({ stage }) => {
    const it = await stage();
    const { imageId } = it.earlierCopy('hk');
    const run = await it.run({
      regions: ['hk', 'sg', 'cn-bj2'],
      inputs: { 'dry-run': 'true', rollback: 'job' },
      laterStepFails: true,
    });
    expect(run.outcome).toBe('success');
    expect(run.outputs.status).toBe('planned');
    expect(it.changes).toEqual([]);
    expect(new Set(it.cloud.requests.map(({ action }) => action))).toEqual(
      new Set(['GetRegion', 'GetProjectList', 'DescribeImage']),
    );
    expect(run.images.map(({ region, outcome }) => [region, outcome])).toEqual([
      ['hk', 'adopted'],
      ['sg', 'planned'],
      ['cn-bj2', 'planned'],
    ]);
    expect(run.failed).toEqual([]);
    expect(run.ids).toEqual({ hk: imageId });
    for (const text of [run.log, run.summary]) {
      expect(text).toContain('Dry run');
      expect(text).toContain(imageId);
      expect(text).toContain('not there yet');
    }
  });
});

describe('a copy that is not its source', () => {
  test.concurrent('is a failed region', async ({ stage }) => {
    const it = await stage({ byRegion: { sg: { copiesDiffer: { size: 20 } } } });
    const run = await it.run({ regions: ['hk', 'sg'] });
    expect(run.outcome).toBe('failure');
    expect(run.failed).toEqual(['sg']);
    expect(run.outputs.status).toBe('partial');
    const { hk } = it.onePerRegion;
    expect(run.ids).toEqual({ hk });
    expect(run.errors[0]).toContain('20 GB instead of 40 GB');
  });

  test.concurrent('a site that cuts descriptions: told once that a re-run will not know its copies', async ({
    stage,
  }) => {
    const it = await stage({ descriptions: 10 });
    const run = await it.run({
      regions: ['hk', 'sg'],
      inputs: { 'target-image-description': 'A long text' },
    });
    expect(run.outcome).toBe('success');
    expect(run.warnings).toHaveLength(1);
    expect(run.warnings[0]).toContain('a re-run cannot recognise these copies');
  });
});
