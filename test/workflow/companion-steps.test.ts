import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { prune } from '../../src/prune.ts';
import { listen } from '../github/github.ts';
import { FakeCloud, fails, markedBy, PROD, SOURCE } from '../promotion/fake-cloud.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { inputs, KEYS, ORDER, type Result, Step } from './step.ts';

const LIST = 'DescribeImage';
const DELETE = 'TerminateCustomImage';

interface World {
  cloud: FakeCloud;
  clock: VirtualClock;
  step: Step;
  /** A copy of SOURCE by this action, the older the smaller `age`. */
  copy(region: string, id: string, age?: number, state?: string): void;
  play(name: 'verify' | 'prune', given: Record<string, string>): Promise<Result>;
}

function world(): World {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const step = new Step();
  return {
    ...{ cloud, clock, step },
    copy: (region, id, age = 0, State = 'Available') =>
      cloud.addCopy(region, {
        ImageId: id,
        CreateTime: 1_700_000_000 + age,
        State,
        ImageDescription: markedBy('77-1-abcdef'),
      }),
    play: (name, given) => step.play(name, cloud, clock, { ...KEYS, ...given }),
  };
}

const json = ({ outputs }: Result, name: string) => JSON.parse(outputs[name] ?? 'none');

describe('verify', () => {
  const wanted = { ...ORDER, 'target-regions': 'hk, sg, us-ca' };

  it('is green where every target holds a sound copy, and warns of one elsewhere', async () => {
    const { cloud, copy, play } = world();
    for (const region of ['hk', 'sg', 'us-ca', 'jpn-tky']) copy(region, `uimage-${region}`);
    const result = await play('verify', wanted);
    expect([result.failed, result.errors, result.outputs.status]).toEqual([false, [], 'available']);
    expect(json(result, 'image-ids')).toEqual({ hk: 'uimage-hk', sg: 'uimage-sg', 'us-ca': 'uimage-us-ca' });
    expect(json(result, 'missing-regions')).toEqual([]);
    expect(result.warnings.join()).toContain('uimage-jpn-tky');
    expect(result.summary).toContain('uimage-hk');
    expect(cloud.sent.map(({ action }) => action)).not.toContain(DELETE);
  });

  it('is red with one annotation that names each region, what is wrong there, and how to mend it', async () => {
    const { copy, play } = world();
    copy('hk', 'uimage-hk', 0, 'Copying');
    copy('sg', 'uimage-sg', 0, 'Unavailable');
    const result = await play('verify', wanted);
    expect([result.failed, result.errors.length, result.outputs.status]).toEqual([true, 1, 'incomplete']);
    expect(json(result, 'missing-regions')).toEqual(['hk', 'sg', 'us-ca']);
    for (const word of ['hk', 'uimage-hk', 'sg', 'uimage-sg', 'us-ca', 'Unavailable'])
      expect(result.errors[0]).toContain(word);
    expect(result.errors[0]).toContain('Next: delete uimage-sg (sg), then run the promotion');
    expect(result.summary).toContain('us-ca');
    expect(result.summary).toContain(`from \`${ORDER.region}\` in project \`${PROD}\``);
  });

  it('heeds an optional region with a warning alone', async () => {
    const { copy, play } = world();
    copy('hk', 'uimage-hk');
    const result = await play('verify', { ...ORDER, 'target-regions': 'hk', 'optional-regions': 'sg' });
    expect([result.failed, result.outputs.status]).toEqual([false, 'available']);
    expect(result.warnings.join()).toContain('sg');
  });

  it('of a region that cannot be read is red for that region', async () => {
    const { cloud, copy, play } = world();
    for (const region of ['hk', 'sg', 'us-ca']) copy(region, `uimage-${region}`);
    cloud.fault(LIST, fails(299), { region: 'sg', times: 99 });
    const result = await play('verify', wanted);
    expect(json(result, 'missing-regions')).toEqual(['sg']);
    expect(result.errors[0]).toContain('299');
  });

  it('says that nothing was read of each region that it was asked for', async () => {
    const { cloud, play } = world();
    cloud.fault(LIST, fails(299), { times: 99 });
    const result = await play('verify', { ...wanted, 'optional-regions': 'jpn-tky' });
    expect(json(result, 'missing-regions')).toEqual(['hk', 'sg', 'us-ca', 'jpn-tky']);
    expect(json(result, 'images')[0]).toMatchObject({ region: 'hk', condition: 'unread' });
    expect(result.summary).toContain('| ❓ | `jpn-tky` |');
  });

  it.each([
    [0, 'incomplete', 'Cancelled: not verified', ['hk', 'sg', 'us-ca']],
    [150, 'available', 'were not searched for more copies: the step was cancelled.', []],
  ])('that is cancelled after %i ms says what it knows', async (ms, status, words, missing) => {
    const { copy, play, clock, step } = world();
    for (const region of ['hk', 'sg', 'us-ca']) copy(region, `uimage-${region}`);
    clock.after(ms, () => step.cancel.abort(new Error('The step was cancelled.')));
    const result = await play('verify', wanted);
    expect([result.outputs.status, result.failed]).toEqual([status, status === 'incomplete']);
    expect([...result.errors, ...result.warnings]).toEqual([expect.stringContaining(words)]);
    expect(json(result, 'missing-regions')).toEqual(missing);
  });

  it('by a file of images asks for just those ids', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'images-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'images.json');
    const images = ['hk', 'sg'].map((region) => {
      return {
        region,
        projectId: PROD,
        imageId: `uimage-${region}`,
        name: SOURCE.ImageName,
        outcome: 'copied',
      };
    });
    const source = { region: ORDER.region, projectId: ORDER['project-id'], imageId: 'uimage-deleted-since' };
    writeFileSync(path, JSON.stringify({ schema: 1, name: 'web', status: 'available', source, images }));
    const { cloud, copy, play } = world();
    copy('hk', 'uimage-hk');
    copy('sg', 'uimage-other');
    const result = await play('verify', { 'images-file': path });
    expect([result.failed, json(result, 'missing-regions')]).toEqual([true, ['sg']]);
    expect(result.errors[0]).toContain('uimage-sg');
    copy('sg', 'uimage-sg');
    expect((await play('verify', { 'images-file': path })).outputs.status).toBe('available');
    cloud.regional = false;
    const mixedUp = await play('verify', { 'images-file': path });
    expect([mixedUp.outputs.status, mixedUp.warnings]).toEqual(['incomplete', []]);
    expect(mixedUp.errors.at(-1)).toContain('so where it is is not known');
  });

  it.each(['verify', 'prune'] as const)(
    'and %s: wrong inputs are told at once, and nothing is sent',
    async (name) => {
      const { cloud, play } = world();
      const result = await play(name, { timeout: '5' });
      expect([result.failed, result.errors.length, cloud.sent]).toEqual([true, 1, []]);
      expect(result.errors[0]).toContain('timeout');
      expect(result.summary).toContain('##');
    },
  );
});

describe('prune', () => {
  const wanted = { 'project-id': PROD, regions: 'hk, sg', name: 'web-*', keep: '1' };
  const four = () => {
    const one = world();
    for (const region of ['hk', 'sg'])
      for (const age of [1, 2]) one.copy(region, `uimage-${region}-${age}`, age);
    return one;
  };

  it('plans and deletes nothing unless it is told to', async () => {
    const { cloud, play } = four();
    const result = await play('prune', wanted);
    expect([result.failed, cloud.calls(DELETE)]).toEqual([false, []]);
    expect(json(result, 'deleted-image-ids')).toEqual({ hk: [], sg: [] });
    for (const id of ['uimage-hk-1', 'uimage-sg-2']) expect(result.summary).toContain(id);
  });

  it('deletes the older ones, and says what stays and why', async () => {
    const { cloud, play } = four();
    const result = await play('prune', { ...wanted, 'dry-run': 'false', protect: 'uimage-sg-1' });
    expect(result.errors).toEqual([]);
    expect(cloud.ids().sort()).toEqual(['uimage-hk-2', 'uimage-sg-1', 'uimage-sg-2']);
    expect(json(result, 'deleted-image-ids')).toEqual({ hk: ['uimage-hk-1'], sg: [] });
    expect(json(result, 'kept-image-ids')).toEqual({
      hk: ['uimage-hk-2'],
      sg: ['uimage-sg-2', 'uimage-sg-1'],
    });
    expect(result.log).toContain('uimage-hk-1');
  });

  it('fails the region where a delete is refused, and not the others', async () => {
    const { cloud, play } = four();
    cloud.fault(DELETE, fails(295), { region: 'hk', times: 99 });
    const result = await play('prune', { ...wanted, 'dry-run': 'false' });
    expect([result.failed, json(result, 'failed-regions')]).toEqual([true, ['hk']]);
    expect(json(result, 'deleted-image-ids')).toEqual({ hk: [], sg: ['uimage-sg-1'] });
    expect(result.errors[0]).toMatch(/hk[\s\S]*295/);
  });

  it('deletes nothing in a region whose list cannot be read', async () => {
    const { cloud, play } = four();
    cloud.fault(LIST, fails(299), { region: 'hk', times: 99 });
    const result = await play('prune', { ...wanted, 'dry-run': 'false' });
    expect(json(result, 'failed-regions')).toEqual(['hk']);
    expect(cloud.ids('hk').sort()).toEqual(['uimage-hk-1', 'uimage-hk-2']);
  });

  it('calls every region failed when the releases cannot be read', async () => {
    const result = await four().play('prune', { ...wanted, 'protect-releases': '1', 'github-token': 'ghs' });
    expect(result.errors[0]).toContain('Nothing was deleted');
    expect(json(result, 'failed-regions')).toEqual(['hk', 'sg']);
  });

  it('deletes nothing when its outputs cannot be written, and says so once', async () => {
    const { cloud, clock, step } = four();
    const given = inputs({ ...KEYS, ...wanted, 'dry-run': 'false' });
    const result = await step.capture(() => {
      vi.stubEnv('GITHUB_OUTPUT', '/nowhere/at/all');
      return clock.run(prune(step.workflow(given, { clock, createCloud: () => cloud })));
    });
    expect(cloud.sent).toEqual([]);
    expect(result.errors).toHaveLength(1);
    expect(result.errors[0]).toMatch(/^Nothing was deleted\./);
    expect(result.errors[0]?.match(/GITHUB_OUTPUT/g)).toHaveLength(1);
  });

  it('deletes nothing where protect names nothing that is there', async () => {
    const { cloud, play } = four();
    const result = await play('prune', { ...wanted, 'dry-run': 'false', protect: 'images.json' });
    expect(result.errors).toEqual([
      expect.stringMatching(/^Nothing was deleted\.[\s\S]*protect names images\.json: no custom image/),
    ]);
    expect(cloud.calls(DELETE)).toEqual([]);
  });

  it('deletes nothing where a release names images that a rollback has deleted, and warns of it in a dry run', async () => {
    const image = { projectId: PROD, outcome: 'copied' };
    const images = ['hk', 'sg'].map((region) => ({ ...image, region, imageId: `uimage-gone-${region}` }));
    const server = createServer(({ url = '' }, response) => {
      const release = { tag_name: 'current', assets: [{ id: 1, name: 'images.json' }] };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(url.includes('/assets/') ? { schema: 1, images } : [release]));
    });
    const GITHUB_API_URL = await listen(server);
    onTestFinished(() => void server.close());
    const { cloud, clock, step, copy } = four();
    const run = (dryRun: string) => {
      const given = { ...KEYS, ...wanted, 'dry-run': dryRun, 'protect-releases': '1', 'github-token': 'ghs' };
      const env = { ...inputs(given), GITHUB_API_URL, GITHUB_REPOSITORY: 'acme/web' };
      return step.capture(() => clock.run(prune(step.workflow(env, { clock, createCloud: () => cloud }))));
    };
    const dry = await run('true');
    expect([dry.failed, dry.warnings]).toEqual([
      false,
      [expect.stringContaining('names uimage-gone-hk in hk')],
    ]);
    const wet = await run('false');
    expect(wet.errors).toEqual([expect.stringMatching(/^Nothing was deleted\.[\s\S]*release current/)]);
    copy('sg', 'uimage-gone-sg', 3);
    const half = await run('false');
    expect(half.errors.at(-1)).toMatch(
      /^hk failed; deleted 2 of 3 due copies[\s\S]*in hk \(release current\)/,
    );
    expect(cloud.ids().sort()).toEqual(['uimage-gone-sg', 'uimage-hk-1', 'uimage-hk-2']);
  });

  it('warns where nothing matches, and where protect names what is not there', async () => {
    const { play } = four();
    expect((await play('prune', { ...wanted, name: 'db-*' })).warnings.join()).toContain('db-*');
    expect((await play('prune', { ...wanted, protect: 'uimage-typo' })).warnings.join()).toContain(
      'uimage-typo',
    );
  });
});
