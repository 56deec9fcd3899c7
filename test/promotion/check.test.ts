import { describe, expect, it } from 'vitest';
import { check, type Findings } from '../../src/promotion/check.ts';
import { Stopped } from '../../src/promotion/context.ts';
import { BUILD, broken, copyIn, fails, HERE, markedBy, PROD, Scenario, SOURCE, told } from './scenario.ts';

async function findings(scenario: Scenario): Promise<Findings> {
  return scenario.clock.run(check(scenario.context));
}

/** What stopped the check: message and advice of each problem. */
async function stopped(scenario: Scenario): Promise<string[]> {
  const error = await findings(scenario).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Stopped)) throw new Error('the check was not stopped', { cause: error });
  expect(scenario.cloud.calls('CopyCustomImage')).toEqual([]);
  return error.problems.map(({ message, advice }) => `${message} ${advice}`);
}

const named = (name: string, some: ConstructorParameters<typeof Scenario>[0] = {}) =>
  new Scenario({ ...some, source: { name } });

const image = (ImageName: string, some: Partial<typeof SOURCE> = {}) => ({
  ...SOURCE,
  ImageId: `uimage-${ImageName}`,
  ImageName,
  ...some,
});

describe('the check', () => {
  it('asks everything at once, and no more than once', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    await findings(scenario);
    const { sent } = scenario.cloud;
    expect(sent.map(({ at }) => at)).toEqual(sent.map(() => 0));
    expect(sent.map(({ action, region }) => `${action} ${region}`.trim()).sort()).toEqual([
      'DescribeImage cn-bj2',
      'DescribeImage hk',
      'DescribeImage sg',
      'DescribeImage us-ca',
      'GetProjectList',
      'GetRegion',
    ]);
    for (const { patience } of sent) expect(patience).toBeGreaterThan(30_000);
  });

  it('is patient no longer than the timeout', async () => {
    const scenario = new Scenario({ timeout: 5_000 });
    await findings(scenario);
    for (const { patience } of scenario.cloud.sent) expect(patience).toBeLessThanOrEqual(5_000);
  });

  it('finds the source, its project, and what the target project holds', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.addCopy('hk');
    scenario.cloud.add(image('another-project'), { region: 'hk', projectId: BUILD });
    const found = await findings(scenario);
    expect(found.source.ImageId).toBe(SOURCE.ImageId);
    expect(found.sourceProject).toBe(BUILD);
    expect(found.held.get('hk')?.map(({ ImageId }) => ImageId)).toEqual(['uimage-old-hk']);
    expect(found.held.get('sg')).toEqual([]);
  });

  it('asks in the project that was given', async () => {
    const scenario = new Scenario({ source: { projectId: PROD } });
    scenario.cloud.add({ ...SOURCE }, { projectId: PROD });
    expect((await findings(scenario)).sourceProject).toBe(PROD);
    const here = scenario.cloud.calls('DescribeImage').filter(({ region }) => region === HERE);
    expect(here.map(({ projectId }) => projectId)).toEqual([PROD]);
  });
});

describe('mistakes', () => {
  it('are all told in one report', async () => {
    const scenario = new Scenario({
      source: { imageId: 'uimage-absent' },
      target: { projectId: 'org-prot' },
      regions: ['hkk', 'sg', 'us-cal'],
    });
    const problems = await stopped(scenario);
    expect(problems).toHaveLength(4);
    expect(problems.find((text) => text.includes('hkk'))).toMatch(/target-regions.*\bhk\b/);
    expect(problems.find((text) => text.includes('us-cal'))).toMatch(/target-regions.*\bus-ca\b/);
    expect(problems.find((text) => text.includes('org-prot'))).toMatch(/target-project-id.*org-prod/);
    expect(problems.find((text) => text.includes('uimage-absent'))).toMatch(/source-image-id/);
  });

  it('of one bad key are told once', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    for (const action of ['GetRegion', 'GetProjectList', 'DescribeImage'] as const)
      scenario.cloud.fault(action, fails(171), { times: 9 });
    const problems = await stopped(scenario);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('171');
    expect(scenario.warnings).toEqual([]);
  });

  it('in the region of the source: its near name is told, and not that there is no image', async () => {
    const problems = await stopped(new Scenario({ source: { region: 'cn-bj3' } }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^region\b.*cn-bj3.*cn-bj2/);
  });

  it('in a region: its spoken name is understood', async () => {
    const problems = await stopped(new Scenario({ regions: ['singapore'] }));
    expect(problems[0]).toMatch(/singapore.*\bsg\b/);
  });

  it('in a region like no other: the ones there are, or the first of many', async () => {
    const few = await stopped(new Scenario({ regions: ['frankfurt-am-main'] }));
    expect(few[0]).toMatch(/cn-bj2, hk, sg, us-ca, jpn-tky/);
    const many = new Scenario({ regions: ['frankfurt-am-main'] });
    for (let index = 0; index < 30; index++) many.cloud.regions.push({ Region: `r-${index}` });
    expect((await stopped(many))[0]).toMatch(/and 23 more/);
  });

  it('in the project of the source', async () => {
    const problems = await stopped(new Scenario({ source: { projectId: 'org-biuld' } }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^project-id\b.*org-biuld.*org-build \(build\)/);
  });

  it('in a project that is given twice are told once', async () => {
    const scenario = new Scenario({ source: { projectId: 'org-x' }, target: { projectId: 'org-x' } });
    expect(await stopped(scenario)).toHaveLength(1);
  });

  it('of a wrong target do not hide behind the answer of its listing, nor double it', async () => {
    const scenario = new Scenario({ regions: ['hk', 'hkk'] });
    scenario.cloud.fault('DescribeImage', fails(230), { region: 'hkk' });
    const problems = await stopped(scenario);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('hkk');
  });

  it('of a wrong target project are not told once more for every region', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], target: { projectId: 'org-prot' } });
    scenario.cloud.fault('DescribeImage', fails(292), { region: 'hk' });
    scenario.cloud.fault('DescribeImage', fails(292), { region: 'sg' });
    expect(await stopped(scenario)).toHaveLength(1);
  });

  it('that only the listing knows are told with the code', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault('DescribeImage', fails(230), { region: 'sg' });
    scenario.cloud.fault('DescribeImage', fails(8889), { region: HERE });
    const problems = await stopped(scenario);
    expect(problems.map((text) => /RetCode \d+/.exec(text)?.[0])).toEqual(['RetCode 8889', 'RetCode 230']);
  });
});

describe('a site that does not list its regions or projects', () => {
  it.each([299, 161])('with %s: told, and the promotion goes on', async (code) => {
    const scenario = new Scenario({ target: { projectId: 'org-unlisted' }, regions: ['de-fra'] });
    scenario.cloud.fault('GetRegion', fails(code));
    scenario.cloud.fault('GetProjectList', fails(code));
    const found = await findings(scenario);
    expect(found.sourceProject).toBeNull();
    expect(scenario.warnings).toHaveLength(2);
    expect(scenario.warnings[0]).toContain('GetRegion');
    expect(scenario.warnings[1]).toContain('GetProjectList');
  });

  it('or lists none: nothing is called wrong', async () => {
    const scenario = new Scenario({ target: { projectId: 'org-unlisted' }, regions: ['de-fra'] });
    scenario.cloud.regions = [];
    scenario.cloud.projects = [];
    expect((await findings(scenario)).held.get('de-fra')).toEqual([]);
    expect(scenario.warnings).toEqual([]);
  });

  it('or tells no names and no default: the ids do', async () => {
    const scenario = new Scenario({ target: { projectId: 'org-prot' } });
    scenario.cloud.projects = [{ ProjectId: BUILD }, { ProjectId: PROD }];
    expect((await stopped(scenario))[0]).toMatch(/org-build, org-prod/);
    const good = new Scenario();
    good.cloud.projects = [{ ProjectId: BUILD }, { ProjectId: PROD }];
    expect((await findings(good)).sourceProject).toBeNull();
  });
});

describe('a source by its id', () => {
  it('that is a base image is told as such', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-base' } });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-base', ImageType: 'Base' });
    const problems = await stopped(scenario);
    expect(problems[0]).toMatch(/uimage-base.*Base/);
    expect(problems[0]).toContain(HERE);
  });

  it('that is absent is told with region and project', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-absent', projectId: PROD } });
    expect((await stopped(scenario))[0]).toMatch(/uimage-absent.*cn-bj2.*org-prod/);
    const inDefault = new Scenario({ source: { imageId: 'uimage-absent' } });
    expect((await stopped(inDefault))[0]).toMatch(/uimage-absent.*cn-bj2.*default project/);
  });

  it('that is Unavailable is told as such', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-bad' } });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-bad', State: 'Unavailable' });
    expect((await stopped(scenario))[0]).toMatch(/uimage-bad.*cn-bj2.*Unavailable/);
  });

  it('is taken when the site tells neither its type nor its state', async () => {
    const { ImageType: _, State: __, ...bare } = SOURCE;
    const scenario = new Scenario({ source: { imageId: 'uimage-bare' } });
    scenario.cloud.add({ ...bare, ImageId: 'uimage-bare' });
    expect((await findings(scenario)).source.ImageId).toBe('uimage-bare');
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
    scenario.cloud.add(image('database'));
    const [problem] = await stopped(scenario);
    expect(problem).toMatch(/web-1\.42.*web-1\.4\.2/);
    expect(problem).not.toContain('database');
    expect(problem).toContain(HERE);
  });

  it('that is near to nothing: how many images there are', async () => {
    expect((await stopped(named('zzzzzzzzzzzzzzzzzzzz')))[0]).toMatch(/\b1 custom image/);
  });

  it('is never a base image or one of the market', async () => {
    const scenario = named('ubuntu*');
    scenario.cloud.add(image('ubuntu-24.04', { ImageType: 'Base' }));
    scenario.cloud.add(image('ubuntu-wp', { ImageType: 'Business' }));
    expect((await stopped(scenario))[0]).toMatch(/source-image-name/);
  });

  it('that only Unavailable images have is told as such', async () => {
    const scenario = named('bad');
    scenario.cloud.add(image('bad', { State: 'Unavailable' }));
    expect((await stopped(scenario))[0]).toMatch(/uimage-bad.*Unavailable/);
  });

  it('is found among 250 images, and its copy among 250 is adopted', async () => {
    const scenario = named('app-*', { regions: ['hk'] });
    for (let index = 0; index < 250; index++) {
      scenario.cloud.add(image(`app-${index}`, { CreateTime: 1_000 + ((index * 7) % 250) }));
      const mark = markedBy('old-run', `uimage-app-${index}`);
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

  it('looks at the targets again after the wait: a copy that another run made meanwhile is adopted', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add(
      { ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' },
      { settles: 60, finalState: 'Available' },
    );
    const ImageDescription = markedBy('other-run', 'uimage-fresh');
    scenario.clock.after(30_000, () => scenario.cloud.addCopy('hk', { ImageDescription }));
    expect(copyIn(await scenario.promote(), 'hk').outcome).toBe('adopted');
  });

  it('but ends Unavailable stops the promotion', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add(
      { ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' },
      { settles: 60, finalState: 'Unavailable' },
    );
    expect((await stopped(scenario))[0]).toMatch(/uimage-fresh.*Unavailable/);
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
    expect((await stopped(scenario))[0]).toContain('uimage-fresh');
    expect(scenario.clock.elapsed).toBeLessThan(60_000);
  });

  it('but does not end in time stops the promotion before the timeout is over', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' }, timeout: 600_000 });
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' });
    expect((await stopped(scenario))[0]).toMatch(/uimage-fresh.*Making/);
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

it('a defect while checking is not taken for a mistake of the reader', async () => {
  const scenario = new Scenario();
  scenario.cloud.fault('GetRegion', () => {
    throw new TypeError('regions is not iterable');
  });
  const promotion = await scenario.promote();
  expect(told(promotion)[0]).toMatch(/regions is not iterable.*report/s);
});

it('a line that is down ends the check with what to do', async () => {
  const scenario = new Scenario();
  for (const action of ['GetRegion', 'GetProjectList', 'DescribeImage'] as const) {
    scenario.cloud.fault(
      action,
      () => {
        throw broken(action, 'connection');
      },
      { times: 9 },
    );
  }
  expect((await stopped(scenario))[0]).toContain('Look at the network.');
});
