import { describe, expect, it } from 'vitest';
import { WINDOW } from '../../src/promotion/place.ts';
import { COPY, DELETE, doneBut, type FakeCloud, fails, HERE, LIST, refused } from './fake-cloud.ts';
import { allMade, copies, deleted, onlyIn, outcomes, Scenario, told } from './scenario.ts';

describe('one region does not stop the others', () => {
  it('that cannot be listed in the check', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(LIST, fails(230), { region: 'sg', times: 99 });
    const promotion = await scenario.promote();
    expect([promotion.status, promotion.ended, outcomes(promotion)]).toEqual([
      'partial',
      'complete',
      ['copied', 'failed', 'copied'],
    ]);
    expect(told(promotion)).toEqual([expect.stringMatching(/^sg.*230/)]);
    expect(copies(scenario)).toEqual([['hk', 'us-ca']]);
  });

  it.each([8095, 230, 240, 299, 8300, 8970])(
    'for which the API refuses the whole list (%i)',
    async (code) => {
      const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca', 'jpn-tky'] });
      scenario.cloud.fault(COPY, fails(code), { region: 'sg', times: 9 });
      const promotion = await scenario.promote();
      expect(outcomes(promotion)).toEqual(['copied', 'failed', 'copied', 'copied']);
      expect(told(promotion)).toEqual([expect.stringMatching(new RegExp(`^sg.*RetCode ${code}`))]);
      expect(copies(scenario).slice(1).flat().sort()).toEqual(['hk', 'jpn-tky', 'sg', 'us-ca']);
      expect(scenario.cloud.ids()).toHaveLength(3);
    },
  );

  it('whose copy ends Unavailable, differs, or may no longer be read', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.finalState = { hk: 'Unavailable' };
    scenario.cloud.fault(LIST, fails(299), { region: 'sg', skip: 2, times: 99 });
    const promotion = await scenario.promote();
    expect(outcomes(promotion)).toEqual(['failed', 'failed', 'copied']);
    for (const { region, imageId } of promotion.copies.slice(0, 2))
      expect(told(promotion).join()).toMatch(new RegExp(`${region}.*${imageId}`));
  });
});

describe('a refused list that was executed in part', () => {
  const inPart = async (code: number) => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    const { cloud } = scenario;
    cloud.fault(COPY, (execute, sent) => {
      onlyIn(cloud, 'hk', 'sg')(execute, sent);
      throw refused(COPY, code, HERE);
    });
    return { scenario, promotion: await scenario.promote() };
  };

  it.each([8095, 8962, 153, 8961, 110])(
    '(%i): what it made is taken, and only the rest is sent',
    async (code) => {
      const { scenario, promotion } = await inPart(code);
      expect(promotion.copies.map(({ imageId }) => imageId?.slice(0, 14))).toEqual([
        'uimage-new-hk-',
        'uimage-new-sg-',
        'uimage-new-us-',
      ]);
      expect([copies(scenario).slice(1), scenario.cloud.ids().length]).toEqual([['us-ca'], 3]);
    },
  );

  it('for the account (520): what it made is taken, the rest fails', async () => {
    const { scenario, promotion } = await inPart(520);
    expect(outcomes(promotion)).toEqual(['copied', 'copied', 'failed']);
    expect([copies(scenario).length, told(promotion).length]).toEqual([1, 1]);
  });
});

describe('an API endpoint that ignores the list', () => {
  const ignoring = (regions: string[], ...act: Parameters<FakeCloud['fault']>[1][]) => {
    const scenario = new Scenario({ regions });
    scenario.cloud.batch = false;
    if (act[0]) scenario.cloud.fault(COPY, act[0]);
    return scenario;
  };

  it.each([
    ['names the image that it made', 0, undefined],
    // The image is known by its mark alone, which may be a copied one.
    ['loses the answer', WINDOW, doneBut(110)],
    ['answers with nothing', WINDOW, (execute: () => unknown) => Boolean(execute()) && {}],
  ])('and %s: that is deleted and told, and each region is copied to once', async (_, window, act) => {
    const scenario = ignoring(['hk', 'sg'], ...(act ? [act] : []));
    await allMade(scenario);
    expect(copies(scenario)).toEqual([['hk', 'sg'], 'hk', 'sg']);
    const again = scenario.cloud.calls(COPY)[1]?.at ?? 0;
    expect([again >= window, again < window + 5_000]).toEqual([true, true]);
    expect(deleted(scenario)).toEqual(['uimage-new-cn-bj2-1']);
    expect(scenario.warnings).toEqual([expect.stringContaining('uimage-new-cn-bj2-1')]);
  });

  it('in a region that is a target: its image is kept', async () => {
    const scenario = ignoring(['hk', HERE, 'sg']);
    await allMade(scenario);
    expect([copies(scenario).slice(1), deleted(scenario)]).toEqual([['hk', 'sg'], []]);
    // Its image is where a list would have made one: that the list was ignored is not certain.
    expect(scenario.warnings).toEqual([expect.stringMatching(/more than once for hk, sg/)]);
  });

  it('and lists its image only after the window: found when it is there at last, or told', async () => {
    const scenario = ignoring(['hk', 'sg']);
    scenario.cloud.listingSeconds = { [HERE]: 300 };
    expect((await scenario.promote()).status).toBe('available');
    expect(scenario.cloud.calls(COPY)[1]?.at).toBeGreaterThanOrEqual(WINDOW);
    expect(scenario.warnings.join()).toContain('uimage-new-cn-bj2-1');
  });

  it('and its image cannot be deleted: asked once, and told once', async () => {
    const scenario = ignoring(['hk', 'sg']);
    scenario.cloud.fault(DELETE, fails(295), { times: 99 });
    expect((await scenario.promote()).status).toBe('available');
    expect([deleted(scenario).length, scenario.warnings.length]).toEqual([1, 1]);
  });

  it.each([[['hk', 'sg']], [['hk', HERE]]])(
    'or one that makes all of %j and names but one: none is made twice',
    async (regions) => {
      const scenario = new Scenario({ regions });
      scenario.cloud.fault(COPY, (execute) => ({
        TargetImageId: (execute() as { Infos: { TargetImageId: string }[] }).Infos[0]?.TargetImageId,
      }));
      await allMade(scenario);
      expect([copies(scenario).length, deleted(scenario), scenario.warnings]).toEqual([1, [], []]);
    },
  );
});

describe('an API endpoint that heeds no Region in lists', () => {
  const unheeding = (act?: Parameters<FakeCloud['fault']>[1]) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.regional = false;
    if (act) scenario.cloud.fault(COPY, act);
    return scenario;
  };

  it('is not believed of an earlier copy: it would be handed out for regions that have none', async () => {
    const scenario = unheeding();
    scenario.cloud.addCopy('hk');
    const promotion = await scenario.promote();
    expect([promotion.status, copies(scenario)]).toEqual(['failed', []]);
    expect(told(promotion)[0]).toBe(
      "DescribeImage in hk failed: uimage-old-hk is in the list of hk and in that of sg, so where it is is not known. The API endpoint does not heed Region as documented; the vendor's support should know.",
    );
  });

  it('costs nothing where the API answered with the ids: each region has its own', async () => {
    const scenario = unheeding();
    const promotion = await allMade(scenario);
    expect(promotion.copies.map(({ imageId }) => imageId)).toEqual(['uimage-new-hk-1', 'uimage-new-sg-2']);
    expect(deleted(scenario)).toEqual([]);
    expect(scenario.warnings.join()).toMatch(/hk-1, which this run has made in other regions/);
  });

  it('and a lost answer: which copy is where is not known, and nothing is deleted or sent again', async () => {
    const scenario = unheeding(doneBut(110));
    scenario.cloud.addCopy('hk', { ImageName: 'db', ImageDescription: 'by hand' });
    const promotion = await scenario.promote();
    expect([promotion.status, copies(scenario).length, deleted(scenario)]).toEqual(['failed', 1, []]);
    for (const words of told(promotion)) expect(words).toMatch(/uimage-new-hk-1, uimage-new-sg-2/);
  });
});
