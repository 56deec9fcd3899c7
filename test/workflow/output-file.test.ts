import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readInputs } from '../../src/inputs/promote.ts';
import { main } from '../../src/main.ts';
import { contentOf, resultOf, writeOutputFile } from '../../src/output-file.ts';
import { FakeCloud } from '../promotion/fake-cloud.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { aCopy, aPromotion } from '../words/promotions.ts';
import { inputs, ORDER, outcome, Step } from './step.ts';

const hasJq = spawnSync('jq', ['--version']).status === 0;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'output-file-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const source = { region: 'cn-bj2', projectId: 'org-build', imageId: 'uimage-abc' };

describe('the file', () => {
  const promotion = aPromotion({
    copies: [aCopy({ region: 'hk', imageId: 'uimage-1' }), aCopy({ region: 'us-ca', imageId: 'uimage-2' })],
  });
  const write = (name: string) => {
    const env = { GITHUB_WORKSPACE: folder };
    writeOutputFile(name, contentOf(promotion, source, env), env);
    return read(name);
  };

  it('of variables for Terraform', () => {
    expect(JSON.parse(write('deep/images.auto.tfvars.json'))).toEqual({
      image_ids: { hk: 'uimage-1', 'us-ca': 'uimage-2' },
    });
  });

  it('of an environment', () => {
    expect(write('images.env')).toBe('IMAGE_ID_HK=uimage-1\nIMAGE_ID_US_CA=uimage-2\n');
  });

  it('of the whole result, at an absolute path too', () => {
    const path = join(folder, 'images.json');
    const env = {
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_REPOSITORY: 'acme/web',
      GITHUB_RUN_ID: '77',
      GITHUB_SHA: 'abc',
      GITHUB_REF: 'refs/tags/v1',
    };
    writeOutputFile(path, contentOf(promotion, source, env), env);
    const result = JSON.parse(read('images.json'));
    expect(result).toEqual(resultOf(promotion, source, env));
    expect(result).toMatchObject({
      schema: 1,
      status: promotion.status,
      source: { region: 'cn-bj2', projectId: 'org-build' },
      images: [{ region: 'hk', imageId: 'uimage-1' }, { region: 'us-ca' }],
      by: {
        repository: 'acme/web',
        sha: 'abc',
        ref: 'refs/tags/v1',
        run: 'https://github.com/acme/web/actions/runs/77',
        action: expect.stringMatching(/^\d+\.\d+\.\d+/),
      },
    });
  });

  it('holds hostile names as data, read back by sh and jq', () => {
    const name = `"'\n}\nexport EVIL=$(touch evil) \`touch evil\``;
    const hostile = aPromotion({
      copies: [
        aCopy({ name, imageId: 'uimage-1' }),
        aCopy({ region: 'us-ca', imageId: `uimage-2;${name}` }),
        aCopy({ region: 'x;touch evil', imageId: 'uimage-3' }),
      ],
    });
    const env = { GITHUB_WORKSPACE: folder };
    for (const path of ['evil.json', 'evil.env', 'evil.tfvars.json'])
      writeOutputFile(path, contentOf(hostile, source, env), env);
    const run = (command: string, ...args: string[]) =>
      execFileSync(command, args, { cwd: folder, encoding: 'utf8' });
    expect(read('evil.env')).toBe('IMAGE_ID_HK=uimage-1\nIMAGE_ID_X_TOUCH_EVIL=uimage-3\n');
    expect(run('sh', '-euc', '. ./evil.env; echo "$IMAGE_ID_HK"')).toBe('uimage-1\n');
    if (hasJq) {
      expect(run('jq', '-j', '.images[0].name', 'evil.json')).toBe(name);
      expect(run('jq', '-r', '.image_ids.hk', 'evil.tfvars.json')).toBe('uimage-1\n');
    }
    expect(JSON.parse(read('evil.json')).images[0].name).toBe(name);
    expect(Object.keys(JSON.parse(read('evil.tfvars.json')))).toEqual(['image_ids']);
    expect(readdirSync(folder)).not.toContain('evil');
  });
});

describe('in a step', () => {
  const run = async (
    path: string,
    before: (cloud: FakeCloud, clock: VirtualClock) => void = () => undefined,
  ) => {
    const clock = new VirtualClock();
    const cloud = new FakeCloud(clock);
    before(cloud, clock);
    return new Step().play('main', cloud, clock, { ...ORDER, 'output-file': path });
  };
  /** After the inputs were read. */
  const turnsBad = (_: FakeCloud, clock: VirtualClock) => {
    rmSync(join(folder, 'late'), { force: true });
    clock.after(1000, () => writeFileSync(join(folder, 'late'), ''));
  };

  it('is written when the outputs are final, also on failure', async () => {
    const path = join(folder, 'failed.json');
    const result = await run(path, (cloud) => {
      cloud.finalState = { hk: 'Unavailable' };
    });
    expect(result.failed).toBe(true);
    const { status, images } = JSON.parse(read('failed.json'));
    expect([status, images]).toEqual([outcome(result).status, outcome(result).images]);
  });

  it('of an earlier run is gone before the first request, and when the inputs are wrong', async () => {
    const path = join(folder, 'earlier.json');
    await run(path);
    let there = true;
    await run(path, (cloud) => {
      cloud.fault('GetRegion', (execute) => {
        there = existsSync(path);
        return execute();
      });
    });
    expect([there, existsSync(path)]).toEqual([false, true]);
    const clock = new VirtualClock();
    const wrong = { ...ORDER, 'output-file': path, timeout: 'soon' };
    await new Step().play('main', new FakeCloud(clock), clock, wrong);
    expect(existsSync(path)).toBe(false);
  });

  it('of an earlier run is gone, too, when the step ends because nothing can be saved for the post step', async () => {
    const path = join(folder, 'stateless.json');
    await run(path);
    const step = new Step();
    await step.capture(() => {
      vi.stubEnv('GITHUB_STATE', '/nowhere/at/all');
      const given = inputs({ ...ORDER, 'output-file': path, rollback: 'job' });
      return main(step.workflow(given, { createCloud: () => new FakeCloud(new VirtualClock()) }));
    });
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    ['package.json', '{"mine":true}', false],
    ['mine.tfvars.json', '{"image_ids":{},"size":1}', false],
    ['mine.env', 'IMAGE_ID_HK=uimage-1\nTOKEN=1\n', false],
    ['broken.json', '{', false],
    ['ids.tfvars.json', '{"image_ids":{"hk":"uimage-1"}}', true],
    ['ids.env', 'IMAGE_ID_HK=uimage-1\r\nIMAGE_ID_SG=uimage-2', true],
    ['placeholder.tfvars.json', '{}\n', true],
    ['empty.json', ' \n', true],
  ])('%s with %j is overwritten: %s', async (name, content, isOurs) => {
    writeFileSync(join(folder, name), content);
    const result = await run(join(folder, name));
    if (isOurs)
      expect([result.failed, read(name)]).toEqual([false, expect.stringContaining('uimage-new-hk-1')]);
    else
      expect([read(name), result.errors.join()]).toEqual([
        content,
        expect.stringMatching(/output-file: .*lost/),
      ]);
  });

  const FILE = 'a file';
  it.each([
    ['folder.json', 'is a folder'],
    [`${FILE}/images.json`, 'cannot be (written|created)'],
    [`${FILE}/deep/images.json`, 'cannot be (written|created)'],
    ['/proc/images.json', 'cannot be written'],
    ['pipe.json', 'is no file of its own'],
    ['a.json\nb.json', 'has more than one line'],
    ['~/images.json', 'is taken as it is'],
    ['$RUNNER_TEMP/images.json', 'is taken as it is'],
    ['manifest.json', 'is packer-manifest too'],
    ['here/manifest.json', 'is packer-manifest too'],
    ['link.json', 'is packer-manifest too'],
  ])('that can never be written is a mistake before any request: %j', async (name, mistake) => {
    mkdirSync(join(folder, 'folder.json'), { recursive: true });
    writeFileSync(join(folder, FILE), '');
    spawnSync('mkfifo', [join(folder, 'pipe.json')]);
    writeFileSync(join(folder, 'manifest.json'), '');
    rmSync(join(folder, 'here'), { force: true });
    symlinkSync('.', join(folder, 'here'));
    rmSync(join(folder, 'link.json'), { force: true });
    symlinkSync('manifest.json', join(folder, 'link.json'));
    const { mistakes } = readInputs({
      ...inputs({
        ...ORDER,
        'output-file': name,
        'packer-manifest': './manifest.json',
        'source-image-id': '',
      }),
      GITHUB_WORKSPACE: folder,
    });
    expect(mistakes).toContainEqual(expect.stringMatching(new RegExp(`^output-file: ".*" ${mistake}`)));
    expect(existsSync(join(folder, FILE, 'deep'))).toBe(false);
  });

  it('that cannot be written fails the step, with every id in the outputs', async () => {
    const result = await run(join(folder, 'late', 'images.json'), turnsBad);
    expect(result.failed).toBe(true);
    expect(result.errors).toEqual([
      expect.stringMatching(/^output-file: .* cannot be written \((EEXIST|ENOTDIR)\)\./),
    ]);
    expect(Object.keys(outcome(result).ids)).toEqual(['hk', 'sg']);
    expect(outcome(result).status).toBe('available');
    expect(JSON.parse(result.state.promotion ?? 'none').succeeded).toBe(false);
  });

  it('of a promotion that failed as well is a warning beside its failure', async () => {
    const result = await run(join(folder, 'late', 'images.json'), (cloud, clock) => {
      cloud.finalState = { hk: 'Unavailable' };
      turnsBad(cloud, clock);
    });
    expect(result.errors).toHaveLength(1);
    expect(result.errors[0]).toContain('Unavailable');
    expect(result.warnings).toEqual([expect.stringMatching(/^output-file: /)]);
  });
});
