import { describe, expect, it } from 'vitest';
import type { CopyAnswer, CopyInfo, Image } from '../../src/cloud/cloud.ts';
import { CloudError, judgeStatus } from '../../src/cloud/errors.ts';
import { WINDOW } from '../../src/promotion/place.ts';
import {
  broken,
  COPY,
  DELETE,
  doneBut,
  fails,
  HERE,
  LIST,
  markedBy,
  PROD,
  RUN,
  refused,
  SOURCE,
} from './fake-cloud.ts';
import { allMade, copies, copyIn, deleted, onlyIn, outcomes, Scenario, told } from './scenario.ts';

describe('one odd answer decides nothing', () => {
  const html = (call: string) => () => {
    throw broken(call, 'unreadable');
  };

  it.each([
    ['a code that nobody knows', fails(99_999), fails(99_999)],
    ['a page', html(LIST), html(DELETE)],
    ['a parameter that is called wrong', fails(230), fails(230)],
  ])('(%s): while a copy is watched, looked for, or deleted', async (_, read, remove) => {
    const watched = new Scenario({ regions: ['hk', 'sg'] });
    watched.cloud.fault(LIST, read, { region: 'hk', skip: 2, times: 3 });
    await allMade(watched);
    const lookedFor = new Scenario();
    lookedFor.cloud.fault(COPY, doneBut(110));
    lookedFor.cloud.fault(LIST, read, { region: 'hk', skip: 1, times: 5 });
    await allMade(lookedFor);
    const stray = new Scenario({ regions: ['hk', 'sg'] });
    stray.cloud.fault(COPY, onlyIn(stray.cloud, 'hk', 'sg', 'us-ca'));
    stray.cloud.fault(DELETE, remove, { times: 3 });
    await allMade(stray);
  });
});

describe('a lost answer', () => {
  it.each([[['hk']], [['hk', 'sg', 'us-ca']]])(
    'to %j that is found costs no window, and leaves no warning',
    async (regions) => {
      const scenario = new Scenario({ regions });
      scenario.cloud.copySeconds = { hk: 20, sg: 20, 'us-ca': 20 };
      scenario.cloud.fault(COPY, doneBut(110));
      await allMade(scenario);
      expect([scenario.cloud.calls(COPY).length, scenario.warnings]).toEqual([1, []]);
      expect(scenario.clock.elapsed).toBeLessThan(35_000);
    },
  );

  it('of a copy that was not made is sent again, but not before the window is over', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, fails(110));
    await allMade(scenario);
    expect(copies(scenario)).toEqual([['hk', 'sg'], 'hk', 'sg']);
    expect(scenario.cloud.calls(COPY)[1]?.at).toBeGreaterThanOrEqual(WINDOW);
    // The first may be listed later than anybody waits for.
    expect(scenario.warnings).toEqual([expect.stringMatching(/more than once for hk, sg/)]);
  });

  it('of a list is sent again only for what did not turn up', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg', 'us-ca'] });
    scenario.cloud.fault(COPY, (execute, sent) => {
      onlyIn(scenario.cloud, 'sg')(execute, sent);
      throw broken(COPY, 'lost');
    });
    await allMade(scenario);
    expect(copies(scenario).slice(1).sort()).toEqual(['hk', 'us-ca']);
  });

  it('beside a stranger’s new image of the name: that is not handed out, not deleted, and named', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, () => {
      scenario.cloud.add(
        { ...SOURCE, ImageId: 'uimage-theirs', ImageDescription: '' },
        { region: 'hk', projectId: PROD },
      );
      throw refused(COPY, 110);
    });
    const promotion = await scenario.promote();
    expect(told(promotion)).toEqual([expect.stringMatching(/hk.*uimage-theirs/)]);
    expect([copyIn(promotion, 'hk').imageId, copies(scenario).length, deleted(scenario)]).toEqual([
      null,
      1,
      [],
    ]);
  });

  it('in a region that cannot be read is not taken for empty: nothing is sent or denied', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, doneBut(110));
    scenario.cloud.fault(LIST, fails(150), { region: 'hk', skip: 1, times: 9_999 });
    const promotion = await scenario.promote();
    expect([outcomes(promotion), copies(scenario)]).toEqual([['failed', 'copied'], [['hk', 'sg']]]);
    expect(copyIn(promotion, 'hk')).toMatchObject({ unclear: true, pending: true });
    expect(told(promotion).join()).toMatch(/hk.*150.*110/);
    expect(told(promotion).join()).not.toContain('not copied');
  });
});

describe('a copy that is not seen', () => {
  it('by the timeout is called not listed, not copying: where to look, and what a re-run does', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.listingSeconds = { hk: 9_999 };
    const copy = copyIn(await scenario.promote(), 'hk');
    expect(copy).toMatchObject({ listed: false, pending: true, state: null, imageId: 'uimage-new-hk-1' });
    expect(copy.problem?.message).toBe('hk: uimage-new-hk-1 was not listed within the timeout of 5m.');
    expect(copy.problem?.advice).toMatch(
      /project org-prod.*If it exists, a re-run reuses it.*If not.*task-hk-1/,
    );
  });

  it('any more is told as last listed, not as copying', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.copySeconds = { hk: 9_999 };
    scenario.clock.after(250_000, () => scenario.cloud.remove('uimage-new-hk-1'));
    const copy = copyIn(await scenario.promote(), 'hk');
    expect(copy).toMatchObject({ listed: false, pending: true, state: 'Copying' });
    expect(copy.problem?.message).toMatch(/^hk: uimage-new-hk-1 was last listed [45]\ds before the end, and/);
    expect(copy.problem?.advice).toMatch(/project org-prod.*somebody deleted it/);
  });

  it('after a first one that is in doubt: both are to be looked for', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.listingSeconds = { hk: 9_999 };
    scenario.cloud.fault(COPY, doneBut(110));
    const { problem } = copyIn(await scenario.promote(), 'hk');
    expect(problem?.message).toMatch(/uimage-new-hk-2 was not listed .*another copy/);
    expect(problem?.advice).toMatch(/every image named web-1\.4\.2, and delete all but one/);
  });

  it('since the API throttles every poll names the throttle', async () => {
    const scenario = new Scenario({ timeout: 300_000 });
    scenario.cloud.fault(LIST, fails(153), { region: 'hk', skip: 1, times: 9_999 });
    expect(told(await scenario.promote())).toEqual([
      expect.stringMatching(/hk.*uimage-new-hk-1.*state was not known.*could not be read.*153/),
    ]);
  });
});

describe('a mark that the API endpoint drops', () => {
  it.each([true, false])('is told once, with what a re-run would do (wait: %s)', async (wait) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], wait });
    scenario.cloud.describe = () => undefined;
    expect((await scenario.promote()).status).toBe(wait ? 'available' : 'copying');
    expect(scenario.warnings).toEqual([expect.stringMatching(/re-run.*copy again/)]);
  });
});

describe('an answer that names the wrong image', () => {
  const wrong = (some: Partial<Image>) => ({ ...SOURCE, ImageId: 'uimage-wrong', ...some });
  const OTHERS = { ImageDescription: markedBy('77-1-other0', 'uimage-of-another') };
  const answersWrong = (scenario: Scenario, some: Partial<Image>, executed: boolean) =>
    scenario.cloud.fault(COPY, (execute) => {
      if (executed) execute();
      scenario.cloud.add(wrong(some), { region: 'hk', projectId: PROD });
      return { TargetImageId: 'uimage-wrong' };
    });

  it.each([
    ['with the marker of another run', OTHERS],
    ['of another name, without a marker', { ImageName: 'db-9', ImageDescription: '' }],
  ])('%s: the copy is handed out, and the other image left alone', async (_, some) => {
    const scenario = new Scenario();
    answersWrong(scenario, some, true);
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: 'uimage-new-hk-1', outcome: 'copied' });
    expect(promotion.status).toBe('available');
    expect(scenario.cloud.ids('hk')).toEqual(['uimage-new-hk-1', 'uimage-wrong']);
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
  });

  it.each([
    [
      'marker',
      OTHERS,
      /the API answered with uimage-wrong \(.*, which carries a marker that is not this run's/,
    ],
    ['age', { ImageDescription: '', CreateTime: 1_764_547_200 }, /created 2025-12-01T00:00Z.* no marker/],
    ['name', { ImageName: 'db-9', ImageDescription: '' }, /is named db-9 and carries no marker/],
  ])('and made none: the target fails, the id is told and not handed out (%s)', async (_, some, words) => {
    const scenario = new Scenario();
    answersWrong(scenario, some, false);
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk')).toMatchObject({ imageId: null, outcome: 'failed', others: [] });
    expect(told(promotion).join()).toMatch(words);
    expect([scenario.cloud.ids('hk'), scenario.cloud.calls(COPY).length]).toEqual([['uimage-wrong'], 1]);
  });

  it('with this run’s marker, and no valid signature: it is not handed out where there is a mark-secret', async () => {
    const scenario = new Scenario({ markSecret: 'hush' });
    answersWrong(scenario, { ImageDescription: markedBy(RUN) }, false);
    expect(copyIn(await scenario.promote(), 'hk')).toMatchObject({ imageId: null, outcome: 'failed' });
  });

  it.each([[['hk']], [['hk', 'sg']]])(
    'that was there before, to %j: it is named, and not handed out',
    async (regions) => {
      const scenario = new Scenario({ regions });
      scenario.cloud.addCopy('hk', { ImageId: 'uimage-known', ImageDescription: '' });
      scenario.cloud.fault(COPY, (execute) => {
        execute();
        return { Infos: [{ TargetRegion: 'hk', TargetImageId: 'uimage-known' }] };
      });
      expect((await scenario.promote()).copies[0]?.imageId).toBe('uimage-new-hk-1');
      expect(scenario.notices.join()).toMatch(/answered with uimage-known, which was there before/);
    },
  );

  it('twice: what it made in both regions is handed out, and nothing deleted', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.fault(COPY, (execute) => {
      const { Infos } = execute() as { Infos: { TargetRegion: string; TargetImageId: string }[] };
      return { Infos: Infos.map((info) => ({ ...info, TargetImageId: Infos[0]?.TargetImageId })) };
    });
    await allMade(scenario);
    expect(scenario.cloud.calls('TerminateCustomImage')).toEqual([]);
  });
});

describe('two ids that were swapped', () => {
  const swapped = (end: string, timeout = 1_200_000) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'], timeout });
    scenario.cloud.finalState = { sg: end };
    scenario.cloud.fault(COPY, (execute) => {
      const [one, other] = (execute() as { Infos: [CopyInfo, CopyInfo] }).Infos;
      return {
        Infos: [
          { ...one, TargetImageId: other.TargetImageId },
          { ...other, TargetImageId: one.TargetImageId },
        ],
      } as CopyAnswer;
    });
    return scenario;
  };

  it.each([1_200_000, 60_000])(
    'each region has the one that is listed there, and no word is said against the other (timeout: %i ms)',
    async (timeout) => {
      const scenario = swapped('Available', timeout);
      const { copies } = await scenario.promote();
      expect(copies.map(({ imageId, taskId, others }) => [imageId, taskId, others])).toEqual([
        ['uimage-new-hk-1', 'task-sg-2', []],
        ['uimage-new-sg-2', 'task-hk-1', []],
      ]);
      expect(scenario.warnings).toEqual([]);
    },
  );

  it('beside older copies of another run: those are reused, and both of its own deleted', async () => {
    const scenario = swapped('Available');
    scenario.clock.after(1_000, () => {
      scenario.cloud.addCopy('hk', { State: 'Copying' }, { settles: 400, finalState: 'Available' });
      scenario.cloud.addCopy('sg');
    });
    expect(outcomes(await scenario.promote())).toEqual(['adopted', 'adopted']);
    expect(deleted(scenario).sort()).toEqual(['uimage-new-hk-1', 'uimage-new-sg-2']);
  });

  it('by two calls after a refused list, too', async () => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    const answers = (TargetImageId: string) => (execute: () => unknown) => {
      execute();
      return { TargetImageId };
    };
    scenario.cloud.fault(COPY, fails(8095));
    scenario.cloud.fault(COPY, answers('uimage-new-sg-2'));
    scenario.cloud.fault(COPY, answers('uimage-new-hk-1'));
    await allMade(scenario);
    expect(scenario.warnings).toEqual([]);
  });

  it('one of which breaks: that one fails at once, under its own id', async () => {
    const scenario = swapped('Unavailable');
    const promotion = await scenario.promote();
    expect(copyIn(promotion, 'hk').imageId).toBe('uimage-new-hk-1');
    expect(copyIn(promotion, 'sg')).toMatchObject({ imageId: 'uimage-new-sg-2', outcome: 'failed' });
    expect([told(promotion).join(), scenario.warnings]).toEqual([
      expect.stringMatching(/^sg: the copy uimage-new-sg-2 ended Unavailable/),
      [],
    ]);
    expect(promotion.seconds).toBeLessThan(300);
  });
});

it('where lists heed no Region, an id that is listed nowhere is not made good by the copy of another', async () => {
  const scenario = new Scenario({ regions: ['hk', 'sg'], timeout: 1_200_000 });
  scenario.cloud.regional = false;
  scenario.cloud.fault(COPY, (execute) => {
    const { Infos } = execute() as { Infos: [CopyInfo, CopyInfo] };
    scenario.cloud.remove('uimage-new-hk-1');
    return { Infos: [{ ...Infos[0], TargetImageId: 'uimage-x' }, Infos[1]] };
  });
  expect(outcomes(await scenario.promote())).toEqual(['failed', 'copied']);
});

it.each([4, 6])(
  'where lists heed no Region, a copy that is listed late is no second one of another region (after %i s)',
  async (hk) => {
    const scenario = new Scenario({ regions: ['hk', 'sg'] });
    scenario.cloud.regional = false;
    scenario.cloud.copySeconds = { hk, sg: 60 };
    scenario.cloud.listingSeconds = { sg: 5 };
    await allMade(scenario);
    expect(deleted(scenario)).toEqual([]);
  },
);

describe('a copy that something before the API refuses', () => {
  const forbids = (executed: boolean) => (execute: () => unknown) => {
    if (executed) execute();
    const fields = { call: COPY, kind: 'http', status: 403, region: HERE } as const;
    throw new CloudError({ ...fields, ...judgeStatus(COPY, 403) });
  };

  it('and made all the same is found', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, forbids(true));
    await allMade(scenario);
    expect(scenario.notices.join()).toMatch(/not clear whether a copy was created in hk: .*HTTP 403/);
  });

  it('is not sent again, and called not copied when no list has shown it for two minutes', async () => {
    const scenario = new Scenario();
    scenario.cloud.fault(COPY, forbids(false));
    const promotion = await scenario.promote();
    expect(told(promotion).join()).toMatch(
      /^hk: not copied: no copy appeared within 120 s\. .*HTTP 403.* refuses CopyCustomImage alone/,
    );
    expect(scenario.cloud.calls(COPY)).toHaveLength(1);
    expect(promotion.seconds).toBeGreaterThanOrEqual(120);
  });
});
