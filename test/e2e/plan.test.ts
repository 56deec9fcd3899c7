import { describe, expect } from 'vitest';
import { type Stage, test } from './support.ts';

test.concurrent('every reason to fail is in one report, before the first copy', async ({ stage }) => {
  const it = await stage();
  const run = await it.run({
    regions: ['hk', 'sgp', 'us-ac', 'Frankfurt'],
    inputs: { 'target-project-id': 'org-prod2', 'source-image-id': 'uimage-nothere' },
  });
  expect(run).toMatchObject({ outcome: 'failure', exitCode: 1 });
  expect(run.outputs.status).toBe('failed');
  expect(it.changes).toEqual([]);
  const [error] = run.errors;
  expect(error).toMatch(/no region sgp[\s\S]*Did you mean sg/);
  expect(error).toMatch(/no region us-ac[\s\S]*us-ca/);
  expect(error).toMatch(/no region Frankfurt[\s\S]*ge-fra/);
  expect(error).toContain(
    'target-project-id: project org-prod2 does not exist, or these keys may not see it',
  );
  expect(error).toContain('org-prod22 (production)');
  expect(error).toContain('there is no image uimage-nothere in cn-bj2, project org-build1');
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
