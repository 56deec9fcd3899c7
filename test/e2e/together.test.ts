/** Steps of one moment, and regions of one batch: none is in another's way. */
import { describe, expect } from 'vitest';
import { DELETE, type Result, type Stage, test } from './support.ts';

describe('two steps in the same second', () => {
  // Until the other's image is listed, in seconds: at once, and during the copy.
  test.concurrent.for([0, 8])(
    'end with one image a region and the same ids, and delete only their own (listed after %i s)',
    async (listingDelaySeconds, { stage }) => {
      const it = await stage({ listingDelaySeconds });
      const regions = ['hk', 'sg', 'us-ca'];
      const { temporaryKeys } = it.cloud;
      const others = {
        UCLOUD_PUBLIC_KEY: temporaryKeys.publicKey,
        UCLOUD_PRIVATE_KEY: temporaryKeys.privateKey,
        UCLOUD_SECURITY_TOKEN: temporaryKeys.securityToken,
      };
      const runs = await Promise.all([
        it.run({ regions, env: { GITHUB_RUN_ID: '111' } }),
        it.run({ regions, env: { GITHUB_RUN_ID: '222', ...others } }),
      ]);
      for (const run of runs) {
        expect(run.outcome, run.log).toBe('success');
        expect(run.ids).toEqual(it.onePerRegion);
      }
      const deletes = it.sent(DELETE).filter(({ retCode }) => retCode === 0);
      const who = deletes.map(({ params }) => (params.PublicKey === temporaryKeys.publicKey ? '222' : '111'));
      expect(it.cloud.deletedImages().map(({ description }) => / by (\d+)-/.exec(description)?.[1])).toEqual(
        who,
      );
    },
  );
});

describe('one region of five', () => {
  const FIVE = ['hk', 'sg', 'us-ca', 'ge-fra', 'kr-seoul'];

  function expectSgAlone(it: Stage, run: Result, told: string): void {
    expect(run).toMatchObject({ outcome: 'failure', exitCode: 1, failed: ['sg'] });
    expect(run.outputs.status).toBe('partial');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(run.images.map(({ state }) => state)).toEqual(
      FIVE.map((region) => (region === 'sg' ? null : 'Available')),
    );
    expect(run.images.filter(({ error }) => error).map(({ region }) => region)).toEqual(['sg']);
    expect(run.errors[0]).toContain(told);
    for (const region of FIVE)
      if (region !== 'sg') expect(run.errors[0]).not.toMatch(new RegExp(`\\b${region}:`));
  }

  test.concurrent.for(['before', 'drop'] as const)(
    'that is full fails alone, whatever is copied of a batch that is refused for it: %s',
    async (batchRefusal, { stage }) => {
      const it = await stage({ batchRefusal, byRegion: { sg: { quota: 0 } } });
      expectSgAlone(it, await it.run({ regions: FIVE }), 'RetCode 8095');
    },
  );
});

describe('an answer that was lost', () => {
  test.concurrent('costs nothing when the copies are found: no wait, no warning', async ({ stage }) => {
    const it = await stage({ copySeconds: 60 });
    it.fail({ executed: true, kind: 'reset' });
    const run = await it.run({ regions: ['hk', 'sg'] });
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.changes).toEqual(['CopyCustomImage']);
    expect(run.warnings).toEqual([]);
    expect(run.summary).not.toMatch(/clear|lost|doubt|RetCode|connection/i);
    // In the action's own time: the copies take 60 s.
    expect(it.clock.ahead).toBeLessThan(75_000);
  });
});
