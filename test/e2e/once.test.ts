/** One live copy a region, whatever CopyCustomImage answers and whether or not it was carried out. */
import { describe, expect } from 'vitest';
import type { Fault, FaultKind } from '../emulator/emulator.ts';
import { COPY, DELETE, type Stage, test, until } from './support.ts';

const BATCH = ['hk', 'sg'];

function expectOne(it: Stage, regions: string[]): void {
  expect(Object.keys(it.onePerRegion).sort()).toEqual([...regions].sort());
}

interface Case {
  name: string;
  kind: FaultKind;
  regions: string[];
  /** What refuses is only looked behind once, so there is no delay. */
  listingDelaySeconds: number;
}

const single = (name: string, kind: FaultKind, listingDelaySeconds = 15): Case => ({
  name,
  kind,
  regions: ['hk'],
  listingDelaySeconds,
});

// Of each class of codes one, and all that may happen to an answer on its way: test/promotion/ask.test.ts has every code.
const CASES: Case[] = [
  { ...single('RetCode 110', { retCode: 110 }), regions: BATCH },
  { ...single('RetCode 153', { retCode: 153 }, 0), regions: BATCH },
  single('HTTP 429', { http: 429 }, 0),
  single('HTTP 504', { http: 504 }),
  ...(['garbage', 'hang', 'truncated'] as const).map((kind) => single(kind, kind)),
  { ...single('reset, batch', 'reset'), regions: BATCH },
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
    [
      'RetCode 8104',
      { retCode: 8104, message: 'the words of the API' },
      '(RetCode 8104: "the words of the API", request id',
    ],
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
      expect(refused.errors[0]).toMatch(/^Next: .{20,}\./m);
      expect(it.copies).toEqual([]);
      it.fail({ executed: true, kind });
      // Some are looked behind at once.
      await it.run({ regions: ['hk'] });
      const again = await it.run({ regions: ['hk'] });
      expect(again.outcome).toBe('success');
      expectOne(it, ['hk']);
      expect(again.ids).toEqual(it.onePerRegion);
      // The redirect was not followed: that would have been one more.
      expect(it.changes).toEqual([COPY, COPY]);
    },
  );
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
});
