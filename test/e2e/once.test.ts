/** One live copy a region, whatever CopyCustomImage answers and whether or not it was carried out. */
import { describe, expect } from 'vitest';
import type { Fault, FaultKind } from '../emulator/emulator.ts';
import { COPY, DELETE, REQUEST_ID, type Stage, test, until } from './support.ts';

// Of each class one or two: test/cloud/ holds the whole table of codes. 4242 is in none.
const FINAL = [171, 8104, 8956];
const REFUSED = [153, 8961];
const AMBIGUOUS = [110, 4242];

const WORDS = 'the words of the API';
const BATCH = ['hk', 'sg'];

function expectOne(it: Stage, regions: string[]): void {
  expect(Object.keys(it.onePerRegion).sort()).toEqual([...regions].sort());
}

describe('a code that is final', () => {
  test.concurrent.for(FINAL)(
    '%i: is told whole; made all the same, it is adopted',
    async (retCode, { stage }) => {
      const it = await stage();
      it.fail({ executed: false, kind: { retCode, message: WORDS } });
      const refused = await it.run({ regions: BATCH });
      expect(refused).toMatchObject({ outcome: 'failure', exitCode: 1 });
      expect(refused.outputs.status).toBe('failed');
      expect(refused.failed).toEqual(BATCH);
      expect(refused.ids).toEqual({});
      expect(it.copies).toEqual([]);
      expect(it.changes).toEqual([COPY]);
      const [error] = refused.errors;
      expect(error).toMatch(
        new RegExp(
          `CopyCustomImage of ${it.cloud.sourceImageId} in cn-bj2 failed: \\w.{10,} \\(RetCode ${retCode}: "${WORDS}", request id`,
        ),
      );
      expect(error).toMatch(REQUEST_ID);
      expect(error).toMatch(/^Next: .{20,}\./m);

      it.fail({ executed: true, kind: { retCode } });
      // Some are looked behind at once.
      const lied = await it.run({ regions: BATCH });
      const again = lied.outcome === 'success' ? lied : await it.run({ regions: BATCH });
      expect(again.outcome).toBe('success');
      expectOne(it, BATCH);
      expect(again.ids).toEqual(it.onePerRegion);
      expect(it.changes).toEqual([COPY, COPY]);
    },
  );
});

interface Case {
  name: string;
  kind: FaultKind;
  regions: string[];
  /** What refuses is only looked behind once, so there is no delay. */
  listingDelaySeconds: number;
}

const coded = (retCode: number, listingDelaySeconds: number): Case => ({
  name: `RetCode ${retCode}`,
  kind: { retCode, message: WORDS },
  regions: BATCH,
  listingDelaySeconds,
});
const single = (name: string, kind: FaultKind, listingDelaySeconds = 15): Case => ({
  name,
  kind,
  regions: ['hk'],
  listingDelaySeconds,
});

const CASES: Case[] = [
  ...AMBIGUOUS.map((retCode) => coded(retCode, 15)),
  ...REFUSED.map((retCode) => coded(retCode, 0)),
  single('HTTP 429', { http: 429 }, 0),
  single('HTTP 504', { http: 504 }),
  ...(['garbage', 'hang', 'truncated'] as const).map((kind) => single(kind, kind)),
  ...(['reset', { retCode: 0 }] as const).map((kind) => ({
    ...single(`${JSON.stringify(kind)}, batch`, kind),
    regions: BATCH,
  })),
];

describe('an answer that leaves it open, or asks to try again', () => {
  test.concurrent.for(CASES)(
    '$name, executed: what was made is taken',
    async ({ kind, regions, listingDelaySeconds }, { stage }) => {
      const it = await stage({ listingDelaySeconds });
      it.fail({ executed: true, kind });
      const run = await it.run({ regions });
      expect(run.outcome, run.log).toBe('success');
      expectOne(it, regions);
      expect(run.ids).toEqual(it.onePerRegion);
      expect(it.changes).toEqual([COPY]);
    },
  );

  test.concurrent.for(CASES)(
    '$name, not executed: it is sent again',
    async ({ kind, regions }, { stage }) => {
      const it = await stage();
      it.fail({ executed: false, kind });
      const run = await it.run({ regions });
      expect(run.outcome, run.log).toBe('success');
      expectOne(it, regions);
      expect(run.ids).toEqual(it.onePerRegion);
      expect(it.changes.filter((action) => action === COPY).length).toBeGreaterThanOrEqual(2);
      expect(it.changes).not.toContain(DELETE);
    },
  );
});

describe('an answer that ends it', () => {
  const ENDS: [string, FaultKind, string][] = [
    ['a redirect', 'redirect', 'HTTP 307'],
    ['HTTP 403', { http: 403, body: '<h1>Blocked by the web filter</h1>' }, 'Blocked by the web filter'],
  ];
  test.concurrent.for(ENDS)(
    '%s: red, and a run that follows adopts what there is',
    async ([, kind, told], { stage }) => {
      const it = await stage();
      it.fail({ executed: false, kind });
      const refused = await it.run({ regions: ['hk'] });
      expect(refused.outcome).toBe('failure');
      expect(refused.errors[0]).toContain(told);
      expect(it.copies).toEqual([]);
      it.fail({ executed: true, kind });
      const lied = await it.run({ regions: ['hk'] });
      expect(lied.outcome).toBe('failure');
      const again = await it.run({ regions: ['hk'] });
      expect(again.outcome).toBe('success');
      expectOne(it, ['hk']);
      expect(again.ids).toEqual(it.onePerRegion);
      // The redirect was not followed: that would have been one more.
      expect(it.changes).toEqual([COPY, COPY]);
    },
  );
});

describe('a batch', () => {
  const ENTRIES = (['missing', 'empty'] as const).flatMap((entry) =>
    [true, false].map((executed) => ({ entry, executed })),
  );
  test.concurrent.for(ENTRIES)(
    'whose entry for one region is $entry (made: $executed) concerns that region alone',
    async ({ entry, executed }, { stage }) => {
      const it = await stage();
      it.fail({ executed, kind: { entry }, region: 'sg' });
      const run = await it.run({ regions: ['hk', 'sg', 'us-ca'] });
      expect(run.outcome, run.log).toBe('success');
      expectOne(it, ['hk', 'sg', 'us-ca']);
      expect(run.ids).toEqual(it.onePerRegion);
      const calls = it.sent(COPY).map(({ params }) => params);
      expect(calls).toHaveLength(executed ? 1 : 2);
      if (!executed) expect(calls[1]).toMatchObject({ TargetRegion: 'sg' });
    },
  );

  test.concurrent('that is refused for one region, on a site that drops its entry: the error names it', async ({
    stage,
  }) => {
    const it = await stage({ batchRefusal: 'drop', byRegion: { sg: { quota: 0 } } });
    const run = await it.run({ regions: ['hk', 'sg'] });
    expect(run.outcome).toBe('failure');
    expect(run.failed).toEqual(['sg']);
    expect(run.ids).toEqual(it.onePerRegion);
    expect(run.errors[0]).toContain('RetCode 8095');
    expect(run.errors[0]).toContain('Project org-prod22 has 0 custom images there');
  });

  test.concurrent('with 8962 for every region (executed: false) goes on one by one', async ({ stage }) => {
    const it = await stage();
    it.fail({ executed: false, kind: { retCode: 8962 } });
    const run = await it.run({ regions: BATCH });
    expect(run.outcome, run.log).toBe('success');
    expectOne(it, BATCH);
    expect(run.ids).toEqual(it.onePerRegion);
  });

  test.concurrent('with 8962 though it was executed: what was made is not made again', async ({ stage }) => {
    const it = await stage();
    it.fail({ executed: true, kind: { retCode: 8962 } });
    const run = await it.run({ regions: BATCH });
    const again = run.outcome === 'success' ? run : await it.run({ regions: BATCH });
    expect(again.outcome, again.log).toBe('success');
    expectOne(it, BATCH);
    expect(again.ids).toEqual(it.onePerRegion);
  });

  test.concurrent('lost on a site without batches: its stray image is found and deleted', async ({
    stage,
  }) => {
    const it = await stage({ batch: false });
    it.fail({ executed: true, kind: 'reset' });
    const run = await it.run({ regions: BATCH });
    expect(run.outcome, run.log).toBe('success');
    expectOne(it, BATCH);
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.changes).toContain(DELETE);
  });
});

describe('an unclear answer', () => {
  test.concurrent('several in a row, some executed', async ({ stage }) => {
    const it = await stage();
    it.fail({ executed: false, kind: { retCode: 150 } });
    it.fail({ executed: false, kind: 'reset' });
    it.fail({ executed: true, kind: { http: 504 } });
    const run = await it.run({ regions: BATCH });
    expect(run.outcome, run.log).toBe('success');
    expectOne(it, BATCH);
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.cloud.faults.pending).toEqual([]);
  });

  test.concurrent('that never gets better is red after a few tries, and nothing was made', async ({
    stage,
  }) => {
    const it = await stage();
    it.fail({ executed: false, kind: { retCode: 110 }, times: Number.POSITIVE_INFINITY });
    const run = await it.run({ regions: ['hk'], inputs: { timeout: '8m' } });
    expect(run.outcome).toBe('failure');
    expect(run.failed).toEqual(['hk']);
    expect(run.errors[0]).toContain('RetCode 110');
    expect(run.errors[0]).toMatch(REQUEST_ID);
    expect(it.copies).toEqual([]);
    expect(it.sent(COPY).length).toBeGreaterThan(1);
  });

  test.concurrent('whose copy is listed too late: one of the two is deleted, and that is said', async ({
    stage,
  }) => {
    const it = await stage({ listingDelaySeconds: 200, copySeconds: 300 });
    it.fail({ executed: true, kind: { retCode: 110 } });
    const { running, done } = it.start({ regions: ['hk'] });
    await running.waitFor(/not clear whether a copy was created/);
    it.cloud.settings.listingDelaySeconds = 0;
    const run = await done;
    expect(run.outcome, run.log).toBe('success');
    expectOne(it, ['hk']);
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.changes).toEqual([COPY, COPY, DELETE]);
    expect(run.warnings.join('\n')).toContain('as a duplicate; the action deleted it');
  });

  test.concurrent('on a site that drops descriptions: the new image is named, and not handed out', async ({
    stage,
  }) => {
    const it = await stage({ descriptions: 'drop' });
    it.fail({ executed: true, kind: 'reset' });
    const run = await it.run({ regions: ['hk'] });
    expect(run.outcome, run.log).toBe('failure');
    expectOne(it, ['hk']);
    expect(run.ids).toEqual({});
    expect(it.changes).toEqual([COPY]);
    expect(run.errors[0]).toContain(`${it.onePerRegion.hk} appeared under the name web-server`);
  });

  test.concurrent('never takes an image that was there before, nor one of another name', async ({
    stage,
  }) => {
    const it = await stage();
    const before = it.cloud.addImage({ region: 'hk', projectId: 'org-prod22' });
    it.fail({ executed: false, kind: 'reset' });
    const { running, done } = it.start({ regions: ['hk'] });
    await running.waitFor(/not clear whether a copy was created/);
    const other = it.cloud.addImage({ region: 'hk', projectId: 'org-prod22', name: 'someone-elses' });
    const run = await done;
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect([before.imageId, other.imageId]).not.toContain(run.ids.hk);
    expect(it.sent(COPY)).toHaveLength(2);
  });
});

describe('reads that fail are forgiven', () => {
  const PASSING: FaultKind[] = [
    { retCode: 110 },
    { retCode: 130 },
    { retCode: 150 },
    { retCode: 153 },
    { retCode: 8874 },
    { retCode: 8889 },
    { retCode: 8971 },
    { http: 502 },
    { http: 429 },
    'garbage',
    'empty',
    'reset',
    'truncated',
    'hang',
  ];

  test.concurrent('before the copy, one of each call', async ({ stage }) => {
    const it = await stage();
    const calls = ['GetRegion', 'GetProjectList', 'DescribeImage'];
    it.cloud.faults.push(
      ...PASSING.map((kind, index): Fault => ({ kind, executed: false, action: calls[index % 3] ?? '' })),
    );
    const run = await it.run({ regions: BATCH });
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.changes).toEqual([COPY]);
  });

  test.concurrent('while it waits, one after the other', async ({ stage }) => {
    const it = await stage({ copySeconds: Number.POSITIVE_INFINITY });
    const { running, done } = it.start({ regions: BATCH });
    await running.waitFor(/Started \d+ cop/);
    it.cloud.faults.push(...PASSING.map((kind) => ({ kind, executed: false, times: 2 })));
    await until(() => it.cloud.faults.pending.length === 0);
    for (const { imageId } of it.copies) it.cloud.setState(imageId, 'Available');
    const run = await done;
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.changes).toEqual([COPY]);
  });

  test.concurrent('while it waits: a listing that lags, a code for "no such image", a state nobody knows', async ({
    stage,
  }) => {
    const it = await stage({
      byRegion: { hk: { listingDelaySeconds: 15 }, 'us-ca': { copySeconds: Number.POSITIVE_INFINITY } },
    });
    const { running, done } = it.start({ regions: ['hk', 'sg', 'us-ca'] });
    await running.waitFor(/Started \d+ cop/);
    const fault = { action: 'DescribeImage', executed: false, region: 'sg' };
    it.cloud.faults.push({ ...fault, kind: { retCode: 8956 }, times: 2 });
    const strange = it.onePerRegion['us-ca'] ?? '';
    it.cloud.setState(strange, 'Replicating');
    await running.waitFor(/Replicating/);
    it.cloud.setState(strange, 'Available');
    const run = await done;
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(run.warnings.filter((warning) => warning.includes('Replicating'))).toHaveLength(1);
  });

  test.concurrent('an account that is throttled throughout: slower, but green and once', async ({
    stage,
  }) => {
    const it = await stage({ throttle: { calls: 3, seconds: 3 } });
    const run = await it.run({ regions: ['hk', 'sg', 'us-ca', 'ge-fra', 'uk-london'] });
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.cloud.requests.some(({ retCode }) => retCode === 153)).toBe(true);
  });
});
