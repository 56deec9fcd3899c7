import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { fails, HERE, markedBy, PROD, SOURCE } from './fake-cloud.ts';
import { copyIn, findings, Scenario, stopped } from './scenario.ts';

const named = (name: string, some: ConstructorParameters<typeof Scenario>[0] = {}) =>
  new Scenario({ ...some, source: { name } });

const image = (ImageName: string, some: Partial<typeof SOURCE> = {}) => ({
  ...SOURCE,
  ImageId: `uimage-${ImageName}`,
  ImageName,
  ...some,
});

describe('a source by its id', () => {
  it('that is a base image is told as such', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-base' } });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-base', ImageType: 'Base' });
    expect(await stopped(scenario)).toEqual([
      'source-image-id: uimage-base in cn-bj2, the default project is a Base image, not a custom one. Only custom images can be copied: create one from a machine that was started from it.',
    ]);
  });

  it('that is absent is told with region and project', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-absent', projectId: PROD } });
    expect(await stopped(scenario)).toEqual([
      'source-image-id: there is no image uimage-absent in cn-bj2, project org-prod. Check the id, region and project-id: an image is only seen in its own region and project.',
    ]);
    const inDefault = new Scenario({ source: { imageId: 'uimage-absent' } });
    expect((await stopped(inDefault))[0]).toMatch(/uimage-absent.*cn-bj2.*default project/);
  });

  it('that is Unavailable is told as such', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-bad' } });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-bad', State: 'Unavailable' });
    expect(await stopped(scenario)).toEqual([
      'The source image uimage-bad in cn-bj2, the default project is Unavailable. It failed to build or was damaged: build it again. It cannot be copied.',
    ]);
  });

  it('is taken when the site tells neither its type nor its state', async () => {
    const { ImageType: _, State: __, ...bare } = SOURCE;
    const scenario = new Scenario({ source: { imageId: 'uimage-bare' } });
    scenario.cloud.add({ ...bare, ImageId: 'uimage-bare' });
    expect((await findings(scenario)).source.ImageId).toBe('uimage-bare');
  });

  it('is no other image, should a site hand out more than was asked for', async () => {
    const scenario = new Scenario({ dryRun: true });
    scenario.cloud.fault('DescribeImage', () => [image('other'), SOURCE], { region: HERE });
    expect((await scenario.promote()).source?.ImageId).toBe(SOURCE.ImageId);
  });
});

describe('a source by its name', () => {
  it('is the newest Available one; of one second, the one with the last id', async () => {
    const scenario = named('web');
    scenario.cloud.add(image('web', { ImageId: 'uimage-a', CreateTime: 200 }));
    scenario.cloud.add(image('web', { ImageId: 'uimage-c', CreateTime: 300 }));
    scenario.cloud.add(image('web', { ImageId: 'uimage-b', CreateTime: 300 }));
    scenario.cloud.add(image('web', { ImageId: 'uimage-d', CreateTime: 400, State: 'Making' }));
    scenario.cloud.add(image('web', { ImageId: 'uimage-e', CreateTime: 500, State: 'Unavailable' }));
    scenario.cloud.add(image('web-2', { ImageId: 'uimage-f', CreateTime: 600 }));
    expect((await findings(scenario)).source.ImageId).toBe('uimage-c');
  });

  it('is one in the making before a newer broken one, and a custom one before any other', async () => {
    const scenario = named('fresh');
    const fresh = (ImageId: string, some: Partial<Image>) => image('fresh', { ImageId, ...some });
    scenario.cloud.add(fresh('uimage-1', { CreateTime: 1, State: 'Making' }), {
      settles: 20,
      finalState: 'Available',
    });
    scenario.cloud.add(fresh('uimage-2', { CreateTime: 2, State: 'Unavailable' }));
    scenario.cloud.fault('DescribeImage', (execute) => [
      ...(execute() as Image[]),
      fresh('uimage-3', { CreateTime: 3, ImageType: 'Base' }),
    ]);
    expect((await scenario.promote()).source?.ImageId).toBe('uimage-1');
  });

  it('tells what it passed over: how many match, newer ones that are not ready, other kinds', async () => {
    const choose = async (...others: Partial<Image>[]) => {
      const scenario = named('web-*');
      for (const [index, some] of others.entries())
        scenario.cloud.add(image(`web-${index}`, { CreateTime: 1, ...some }));
      expect((await findings(scenario)).source.ImageId).toBe(SOURCE.ImageId);
      return scenario;
    };
    expect((await choose()).notices).toEqual([]);
    const older = await choose({}, {}, {});
    expect(older.notices).toEqual([expect.stringMatching(/web-\*.*uimage-source.*newest of 4/)]);
    expect(older.warnings).toEqual([]);
    const newer = await choose(
      { CreateTime: 2e9, State: 'Making' },
      { CreateTime: 2e9, State: 'Unavailable' },
    );
    expect(newer.warnings).toEqual([
      expect.stringContaining(
        ': uimage-web-1 (Unavailable), uimage-web-0 (Making) are newer than uimage-source (web-1.4.2), which the action copies: the newest Available one of 3 that match. When',
      ),
    ]);
    expect(newer.notices).toEqual([]);
    const arm = await choose({ Features: ['Aarch64_Type'] });
    expect(arm.warnings).toEqual([expect.stringContaining('arm64')]);
  });

  it('tells of a newer one that is not ready, and of other kinds, where an image has nothing but an id', async () => {
    const scenario = named('*');
    scenario.cloud.add({ ImageId: 'uimage-bare', CreateTime: 1_800_000_000 });
    scenario.cloud.add(image('web', { CreateTime: 1_900_000_000, State: 'Making' }));
    await findings(scenario);
    expect(scenario.warnings).toEqual([
      'source-image-name *: uimage-web (Making) is newer than uimage-bare, which the action copies: the newest Available one of 3 that match. When a newer one is Available, re-run the job to copy it.',
      'source-image-name * matches images of different kinds: Ubuntu 24.04; operating system unknown. The action copies uimage-bare (operating system unknown). Make the glob narrower if that is not the one you mean.',
    ]);
  });

  it('is not guessed among several of which none tells its time', async () => {
    const scenario = named('old-*');
    const { CreateTime: _, ...timeless } = SOURCE;
    for (const ImageId of ['uimage-1', 'uimage-2'])
      scenario.cloud.add({ ...timeless, ImageId, ImageName: `old-${ImageId}` });
    expect(await stopped(scenario)).toEqual([
      'source-image-name: 2 images in cn-bj2, the default project match old-*, and none has a readable time of creation: old-uimage-2, old-uimage-1. Set source-image-id to the one to copy.',
    ]);
    scenario.cloud.remove('uimage-2');
    expect((await findings(scenario)).source.ImageId).toBe('uimage-1');
    scenario.cloud.add(image('old-3'));
    expect((await findings(scenario)).source.ImageId).toBe('uimage-old-3');
  });

  it.each([
    ['web-*', 'web-1.4.2'],
    ['*', 'web-1.4.2'],
    ['web-?.4.2', 'web-1.4.2'],
    ['*.2', 'web-1.4.2'],
    ['web[1]:*', 'web[1]:prod'],
    ['web[1]:prod', 'web[1]:prod'],
  ])('may be a glob: %s finds %s', async (pattern, name) => {
    const scenario = named(pattern);
    scenario.cloud.add(image('web[1]:prod', { CreateTime: 1 }));
    scenario.cloud.add(image('xweb1xprod', { CreateTime: 2 }));
    expect((await findings(scenario)).source.ImageName).toBe(name);
  });

  it.each([
    ['a*', 'a', true],
    ['*a?', 'xaab', true],
    ['*ab', 'aab', true],
    ['a*b*c', 'axbxbxc', true],
    ['a*b', 'a', false],
    ['a?', 'a', false],
    ['a', 'aa', false],
    ['*b', 'ba', false],
    [`${'*-'.repeat(12)}prod`, '-'.repeat(63), false],
  ])('may be a glob: that %s fits %s is %s', async (name, ImageName, fits) => {
    const scenario = new Scenario({ dryRun: true, source: { name } });
    scenario.cloud.fault('DescribeImage', () => [image(ImageName, { ImageId: 'uimage-1' })]);
    expect((await scenario.promote()).source?.ImageId).toBe(fits ? 'uimage-1' : undefined);
  });

  it.each([
    'web',
    '1.4.2',
    'web-1.4.?.?',
    'web-1x4x2',
    'web-[0-9]*',
    'WEB-*',
    'web-1.4.2|x',
    '(web-1.4.2)',
    '^web-1.4.2$',
  ])('must match as a whole and to the letter: %s finds nothing', async (pattern) => {
    expect((await stopped(named(pattern)))[0]).toMatch(/source-image-name/);
  });

  it('that nothing has: the nearest names are told', async () => {
    const scenario = named('web-1.42');
    for (const name of ['database', 'web-1.4.4', 'web-1.4.3']) scenario.cloud.add(image(name));
    expect(await stopped(scenario)).toEqual([
      'source-image-name: no custom image in cn-bj2, the default project matches web-1.42. Did you mean web-1.4.2, web-1.4.3 or web-1.4.4? A glob takes * and ?, and must match the whole name.',
    ]);
  });

  it.each([
    [0, 'There are 0 custom images.'],
    [1, 'There is 1 custom image: web-0.'],
    [6, 'There are 6 custom images: web-0, web-1, web-2, web-3, web-4, web-5.'],
    [8, 'There are 8 custom images: web-0, web-1, web-2, web-3, web-4, web-5 and 2 more.'],
  ])('that is near to none of %d: some of them are told, and what a glob is', async (count, there) => {
    const scenario = named('^zzzzzzz-.*$');
    scenario.cloud.remove(SOURCE.ImageId);
    for (let index = 0; index < count; index++) scenario.cloud.add(image(`web-${index}`));
    expect((await stopped(scenario))[0]).toBe(
      `source-image-name: no custom image in cn-bj2, the default project matches ^zzzzzzz-.*$. ${there} A glob takes * and ?, and must match the whole name. Check region and project-id.`,
    );
  });

  it('is never a base image or one of the market', async () => {
    const scenario = named('ubuntu*');
    scenario.cloud.add(image('ubuntu-24.04', { ImageType: 'Base' }));
    scenario.cloud.add(image('ubuntu-wp', { ImageType: 'Business' }));
    expect((await stopped(scenario))[0]).toMatch(/source-image-name/);
  });

  it('is found when it tells no type, and when it holds any letter', async () => {
    const scenario = new Scenario({ dryRun: true, source: { name: 'a?b**' } });
    const { ImageType: _, ...typeless } = image('a😀b', { ImageId: 'uimage-1' });
    scenario.cloud.fault('DescribeImage', () => [typeless]);
    expect((await scenario.promote()).source?.ImageId).toBe('uimage-1');
  });

  it('that only Unavailable images have is told as such', async () => {
    const scenario = named('bad');
    scenario.cloud.add(image('bad', { State: 'Unavailable' }));
    expect((await stopped(scenario))[0]).toContain(
      'uimage-bad in cn-bj2, the default project is Unavailable.',
    );
  });

  it('is found among 250 images, and its copy among 250 is adopted', async () => {
    const scenario = named('app-*', { regions: ['hk'] });
    for (let index = 0; index < 250; index++) {
      scenario.cloud.add(image(`app-${index}`, { CreateTime: 1_000 + ((index * 7) % 250) }));
      const mark = markedBy('77-1-old000', `uimage-app-${index}`);
      const copy = { ImageId: `uimage-copy-${index}`, ImageDescription: mark };
      scenario.cloud.add(image(`app-${index}`, copy), { region: 'hk', projectId: PROD });
    }
    const promotion = await scenario.promote();
    // 7 × 107 = 749 = 2 × 250 + 249: the highest CreateTime.
    expect(promotion.source?.ImageId).toBe('uimage-app-107');
    expect(copyIn(promotion, 'hk')).toMatchObject({ outcome: 'adopted', imageId: 'uimage-copy-107' });
    expect(scenario.cloud.calls('CopyCustomImage')).toEqual([]);
  });
});

describe('a source that is still being made', () => {
  it.each(['Making', 'Copying'])('%s is waited for, then copied, and that is told', async (State) => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add(
      { ...SOURCE, ImageId: 'uimage-fresh', State },
      { settles: 300, finalState: 'Available' },
    );
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('available');
    const [copy] = scenario.cloud.calls('CopyCustomImage');
    expect(copy?.at).toBeGreaterThanOrEqual(300_000);
    expect(copy?.at).toBeLessThan(340_000);
    expect(scenario.notices.filter((text) => text.includes('uimage-fresh'))).toHaveLength(1);
  });

  it('is waited for by its id alone, when it was found by name', async () => {
    const scenario = named('fresh');
    scenario.cloud.add(image('fresh', { State: 'Making' }), { settles: 20, finalState: 'Available' });
    scenario.clock.after(10_000, () => scenario.cloud.add(image('fresh', { ImageId: 'uimage-newer' })));
    expect((await findings(scenario)).source.ImageId).toBe('uimage-fresh');
  });

  it('and at the intervals that were ordered', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' }, pollInterval: 7_000 });
    scenario.cloud.add(
      { ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' },
      { settles: 20, finalState: 'Available' },
    );
    await findings(scenario);
    const polls = scenario.cloud.calls('DescribeImage').filter(({ region, at }) => region === HERE && at > 0);
    expect(polls.map(({ at }) => at)).toEqual([7_100, 14_200, 21_300]);
  });

  it('but ends Unavailable stops the promotion', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add(
      { ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' },
      { settles: 60, finalState: 'Unavailable' },
    );
    expect((await stopped(scenario))[0]).toContain('uimage-fresh in cn-bj2 is Unavailable.');
  });

  it('but may not be read any more stops the promotion', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' });
    scenario.cloud.fault('DescribeImage', fails(299), { region: HERE, skip: 2 });
    expect((await stopped(scenario))[0]).toContain('RetCode 299');
    expect(scenario.clock.elapsed).toBeLessThan(10_000);
  });

  it('but is deleted stops the promotion', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' });
    scenario.clock.after(30_000, () => scenario.cloud.remove('uimage-fresh'));
    expect(await stopped(scenario)).toEqual([
      'The source image uimage-fresh was deleted while the action waited for it. Build it again, or name another source.',
    ]);
    expect(scenario.clock.elapsed).toBeLessThan(60_000);
  });

  it('but does not end in time stops the promotion before the timeout is over', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' }, timeout: 600_000 });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' });
    expect(await stopped(scenario)).toEqual([
      'The source image uimage-fresh is still Making at the end of the timeout. Re-run the job when it is Available, or give a longer timeout.',
    ]);
    expect(scenario.clock.elapsed).toBeGreaterThan(500_000);
    expect(scenario.clock.elapsed).toBeLessThanOrEqual(600_000);
  });

  it('is not given up for an answer that fails in between', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add(
      { ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' },
      { settles: 60, finalState: 'Available' },
    );
    await findings(scenario);
    const polls = scenario.cloud.calls('DescribeImage').filter(({ region, at }) => region === HERE && at > 0);
    for (const { patience } of polls) expect(patience).toBeGreaterThan(30_000);
  });

  it('stops at once when the step is cancelled', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' });
    scenario.cancelAt(30_000);
    const promotion = await scenario.promote();
    expect(promotion.status).toBe('failed');
    expect(promotion.copies).toEqual([]);
    expect(scenario.clock.elapsed).toBe(30_000);
  });
});
