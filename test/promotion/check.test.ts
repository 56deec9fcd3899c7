import { describe, expect, it } from 'vitest';
import type { ImageQuery } from '../../src/cloud/cloud.ts';
import { CloudError } from '../../src/cloud/errors.ts';
import { check } from '../../src/promotion/check.ts';
import { BUILD, broken, fails, HERE, markedBy, PROD, refused, SOURCE } from './fake-cloud.ts';
import { copyIn, findings, Scenario, stopped, told } from './scenario.ts';

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
    scenario.cloud.add({ ...SOURCE, ImageId: 'uimage-another-project' }, { region: 'hk', projectId: BUILD });
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

  it.each([
    [{}, { ImageIds: ['uimage-source'] }],
    [{ source: { name: 'web-*' } }, { ImageType: 'Custom' }],
  ])('asks for the source by %j with %j', async (some, expected) => {
    const scenario = new Scenario(some);
    const queries: ImageQuery[] = [];
    const { context } = scenario;
    const describeImages = context.cloud.describeImages.bind(context.cloud);
    context.cloud.describeImages = (query, options) => {
      queries.push(query);
      return describeImages(query, options);
    };
    await scenario.clock.run(check(context));
    expect(queries.filter(({ Region }) => Region === HERE)).toEqual([{ Region: HERE, ...expected }]);
    const theirs = { Region: 'hk', ProjectId: PROD, ImageType: 'Custom' };
    expect(queries.filter(({ Region }) => Region === 'hk')).toEqual([theirs]);
  });

  it('looks at the targets again after it has waited for the source: a copy that another run made meanwhile is adopted', async () => {
    const scenario = new Scenario({ source: { imageId: 'uimage-fresh' } });
    scenario.cloud.add(
      { ...SOURCE, ImageId: 'uimage-fresh', State: 'Making' },
      { settles: 60, finalState: 'Available' },
    );
    const ImageDescription = markedBy('77-1-other0', 'uimage-fresh');
    scenario.clock.after(30_000, () => scenario.cloud.addCopy('hk', { ImageDescription }));
    expect(copyIn(await scenario.promote(), 'hk').outcome).toBe('adopted');
    expect(scenario.of('plan')[0]?.copies[0]?.plan).toBe('adopt');
  });
});

describe('mistakes', () => {
  it('are all told in one report', async () => {
    const scenario = new Scenario({
      source: { imageId: 'uimage-absent' },
      target: { projectId: 'org-prot', optionalRegions: ['us-cal'] },
      regions: ['hkk', 'sg'],
    });
    const problems = await stopped(scenario);
    expect(problems).toHaveLength(4);
    expect(problems.find((text) => text.includes('hkk'))).toMatch(/target-regions.*\bhk\b/);
    expect(problems.find((text) => text.includes('us-cal'))).toMatch(/^optional-regions.*\bus-ca\b/);
    expect(problems.find((text) => text.includes('org-prot'))).toMatch(/target-project-id.*org-prod/);
    expect(problems.find((text) => text.includes('uimage-absent'))).toMatch(/source-image-id/);
  });

  it.each([
    [undefined, 'It was repeated for the whole timeout of 10m.'],
    [601, 'The timeout of 10m is shorter.'],
  ])('throttled to the end says for how long (Retry-After: %s)', async (waitSeconds, words) => {
    const scenario = new Scenario({ timeout: 600_000 });
    const throttled = () => {
      throw Object.assign(refused('DescribeImage', 153, HERE), { waitSeconds });
    };
    scenario.cloud.fault('DescribeImage', throttled, { times: 9999 });
    expect((await scenario.promote()).problems).toEqual([
      {
        message: expect.stringMatching(new RegExp(`RetCode 153.*\\. ${words}$`)),
        advice: expect.any(String),
      },
    ]);
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

  it.each([
    [294, ''],
    [170, ''],
    [299, ' The same in sg.'],
  ])('that two listings tell by RetCode %i are told once%s', async (code, others) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault('DescribeImage', fails(code), { region: 'hk' });
    scenario.cloud.fault('DescribeImage', fails(code), { region: 'sg' });
    expect(told(await scenario.promote())).toEqual([
      expect.stringMatching(new RegExp(`in hk failed.*RetCode ${code}.*\\)\\.${others || ' (?!The same)'}`)),
    ]);
  });

  it('that two listings tell of two parameters are two', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    for (const region of ['hk', 'sg'])
      scenario.cloud.fault(
        'DescribeImage',
        () => {
          throw Object.assign(refused('DescribeImage', 230, region), { advice: `About ${region}.` });
        },
        { region },
      );
    expect(told(await scenario.promote())).toHaveLength(2);
  });

  it('in the region of the source: its near name is told, and not that there is no image', async () => {
    const problems = await stopped(new Scenario({ source: { region: 'cn-bj3' } }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^region\b.*cn-bj3.*cn-bj2/);
  });

  it('in the region of the source are told once, whatever its listing answers', async () => {
    const scenario = new Scenario({ source: { region: 'cn-bj3' } });
    scenario.cloud.fault('DescribeImage', fails(230), { region: 'cn-bj3' });
    expect((await scenario.promote()).problems).toHaveLength(1);
  });

  it('in a region: its spoken name is understood', async () => {
    const problems = await stopped(new Scenario({ regions: ['tokyo'] }));
    expect(problems).toEqual(['target-regions: this account has no region tokyo. Did you mean jpn-tky?']);
  });

  it('in a region like no other: the ones there are, or the first of many', async () => {
    const regions = async (others: number) => {
      const scenario = new Scenario({ regions: ['frankfurt-am-main'] });
      for (let index = 0; index < others; index++) scenario.cloud.regions.push({ Region: `r-${index}` });
      return /'s regions: (.*?)\./.exec((await stopped(scenario))[0] ?? '')?.[1];
    };
    const twelve = 'cn-bj2, hk, sg, us-ca, jpn-tky, r-0, r-1, r-2, r-3, r-4, r-5, r-6';
    expect([await regions(7), await regions(30)]).toEqual([twelve, `${twelve} and 23 more`]);
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

  it.each([[['hk', 'hkk']], [['hkk']]])(
    'of a wrong target do not hide behind the answer of its listing, nor double it: %j',
    async (regions) => {
      const scenario = new Scenario({ regions });
      scenario.cloud.fault('DescribeImage', fails(230), { region: 'hkk' });
      const problems = await stopped(scenario);
      expect(problems).toHaveLength(1);
      expect(problems[0]).toContain('hkk');
    },
  );

  it('of a wrong target project are not told once more for every region', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], target: { projectId: 'org-prot' } });
    scenario.cloud.fault('DescribeImage', fails(292), { region: 'hk' });
    scenario.cloud.fault('DescribeImage', fails(292), { region: 'sg' });
    expect(await stopped(scenario)).toHaveLength(1);
  });

  it('that only the listing knows are told with the code', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault('DescribeImage', fails(230), { region: 'hk' });
    scenario.cloud.fault('DescribeImage', fails(8300), { region: HERE });
    const problems = await stopped(scenario);
    expect(problems.map((text) => /RetCode \d+/.exec(text)?.[0])).toEqual(['RetCode 8300', 'RetCode 230']);
  });
});

describe('a target that cannot be listed', () => {
  const unlisted = (code: number, ...regions: string[]) => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    for (const region of regions) scenario.cloud.fault('DescribeImage', fails(code), { region, times: 999 });
    return scenario;
  };

  it.each([230, 299, 8889, 99_999])('(%i) fails alone, and says so', async (code) => {
    const { held, unreadable } = await findings(unlisted(code, 'sg'));
    expect([...held.keys()]).toEqual(['hk', 'us-ca']);
    expect(unreadable.get('sg')?.message).toMatch(new RegExp(`^sg.*RetCode ${code}`));
    expect(unreadable.get('sg')?.advice).toMatch(
      code === 299 ? / It must hold in sg too\.$/ : /(?<! too)\.$/,
    );
  });

  it('since the keys or the address are refused stops everything, as it does when none can be listed', async () => {
    expect(await stopped(unlisted(294, 'sg'))).toEqual([expect.stringContaining('294')]);
    expect(await stopped(unlisted(230, 'hk', 'sg', 'us-ca'))).toEqual([
      expect.stringContaining('The same in sg, us-ca.'),
    ]);
  });
});

describe('a site that does not list its regions or projects', () => {
  it.each([299, 161])('with %s: told, and the promotion goes on', async (code) => {
    const scenario = new Scenario({ target: { projectId: 'org-unlisted' }, regions: ['de-fra'] });
    scenario.cloud.fault('GetRegion', fails(code));
    scenario.cloud.fault('GetProjectList', fails(code));
    const found = await findings(scenario);
    expect(found.sourceProject).toBeNull();
    expect(scenario.warnings).toEqual([
      expect.stringMatching(
        /^The regions were not checked against GetRegion: .*\. The promotion continues: /,
      ),
      expect.stringMatching(/^The projects were not checked against GetProjectList: .*\. The promotion cont/),
    ]);
  });

  it('or lists none: told, and nothing is called wrong', async () => {
    const scenario = new Scenario({ target: { projectId: 'org-unlisted' }, regions: ['de-fra'] });
    scenario.cloud.regions = [];
    scenario.cloud.projects = [];
    expect((await findings(scenario)).held.get('de-fra')).toEqual([]);
    expect(scenario.warnings).toEqual([
      expect.stringMatching(/regions were not checked against GetRegion: it lists none\./),
      expect.stringMatching(/projects were not checked against GetProjectList: it lists none\./),
    ]);
  });

  it('or lists a part of its projects: none is refused', async () => {
    const scenario = new Scenario({ target: { projectId: 'org-unlisted' } });
    scenario.cloud.projectsAreAll = false;
    expect((await findings(scenario)).sourceProject).toBe(BUILD);
    expect(scenario.warnings.join()).toMatch(/it lists 2 and may have more, and org-unlisted is not among/);
    const listed = new Scenario();
    listed.cloud.projectsAreAll = false;
    await findings(listed);
    expect(listed.warnings).toEqual([]);
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

it('a defect while checking is not taken for a mistake of the reader', async () => {
  const scenario = new Scenario();
  scenario.cloud.fault('GetRegion', () => {
    throw new TypeError('regions is not iterable');
  });
  const promotion = await scenario.promote();
  expect(told(promotion)[0]).toMatch(/regions is not iterable.*report/s);
});

describe('a line that is down', () => {
  it('ends the check with what to do', async () => {
    const scenario = new Scenario();
    for (const action of ['GetRegion', 'GetProjectList', 'DescribeImage'] as const) {
      scenario.cloud.fault(
        action,
        () => {
          throw broken(action, 'connection');
        },
        { times: 999 },
      );
    }
    expect((await stopped(scenario))[0]).toContain('Look at the network.');
  });

  it.each(['connection', 'lost'] as const)('is told once (%s), with what to do', async (kind) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    for (const [index, region] of ['hk', 'sg'].entries())
      scenario.cloud.fault(
        'DescribeImage',
        () => {
          throw new CloudError({
            call: 'DescribeImage',
            ...(kind === 'connection' ? { region } : {}),
            kind,
            verdict: 'retry',
            meaning: 'the line is down',
            advice: `Advice ${index}.`,
          });
        },
        { region, times: 999 },
      );
    const { problems } = await scenario.promote();
    const message = expect.stringMatching(/the line is down\.$/);
    expect(problems).toEqual([{ message, advice: 'Advice 0.' }]);
  });
});
