import { describe, expect, it } from 'vitest';
import { hasFailed, pruneHeadline, pruneOutputs, renderPrune } from '../../src/prune/page.ts';
import { objectionsTo } from '../../src/prune/protection.ts';
import {
  type Item,
  type PruneContext,
  type PruneEvent,
  type PruneOrder,
  type Pruning,
  prune,
} from '../../src/prune/prune.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { type Effect, PROJECT, type Seed, type Site, World } from './world.ts';

const sound = (days: number): Seed => ({
  kind: 'ours',
  hours: days * 24,
  state: 'Available',
  guarded: false,
});

/** In hk and sg the same, of which the oldest two must go: uimage-hk1 and uimage-hk2, uimage-sg6 and uimage-sg7. */
const SEEDS: Seed[] = [
  sound(90),
  sound(60),
  sound(30),
  sound(20),
  { ...sound(10), kind: 'unmarked', state: 'Unavailable' },
];

function stage(
  some: Partial<PruneOrder> = {},
  odd: Partial<Site> = {},
  objections: PruneContext['objections'] = () => [],
) {
  const clock = new VirtualClock();
  const site = { page: 100, total: true, newestFirst: false, latency: 100, deletes: null, ...odd };
  const world = new World(clock, site, { keep: 2, minAge: 168 }, { hk: SEEDS, sg: SEEDS });
  const cancel = new AbortController();
  const events: PruneEvent[] = [];
  const order: PruneOrder = {
    projectId: PROJECT,
    regions: ['hk', 'sg'],
    rules: { name: 'web-*', keep: 2, minAge: 168 * 3_600_000, protect: new Map() },
    dryRun: false,
    timeout: 1_800_000,
    ...some,
  };
  const play = () =>
    clock.run(
      prune({
        order,
        clock,
        cloud: world.cloudFor({ alive: true, cancelledAt: null }),
        objections,
        report: (event) => events.push(structuredClone(event)),
        signal: cancel.signal,
      }),
    );
  return { clock, world, order, cancel, events, play };
}

/** `hk uimage-hk1 deleted` of each image of the family, the newest first. */
const fates = ({ regions }: Pruning) =>
  regions.flatMap(({ region, items }) =>
    (items ?? []).map(({ image, fate }) => `${region} ${image.ImageId} ${fate}`),
  );
const told = ({ regions }: Pruning) => regions.flatMap(({ problems }) => problems);

it.each([
  ['kept', 'Nothing to delete: the one copy of web-* stays'],
  ['kept kept', 'Nothing to delete: all 2 copies of web-* stay'],
  ['kept deleted', 'Deleted 1 of 2 copies of web-*; 1 stays'],
  ['kept kept deleted', 'Deleted 1 of 3 copies of web-*; 2 stay'],
  ['kept deleted gone', 'Deleted 1 of 3 copies of web-*; somebody else deleted 1; 1 stays'],
  [
    'kept changed lost',
    'Deleted none of 3 copies of web-*: somebody else deleted 1, 1 changed since the plan; 2 stay',
  ],
  ['kept deleted failed due', 'hk failed; deleted 1 of 3 due copies of web-*'],
  ['deleted gone failed', 'hk failed; deleted 1 of 3 due copies of web-*; somebody else deleted 1'],
  ['cancelled deleted due due', 'Cancelled: 1 deleted, 2 still to delete'],
  [
    'cancelled deleted gone failed due unread',
    'Cancelled: 1 deleted, somebody else deleted 1, 1 failed or not known, 1 still to delete, sg not read',
  ],
  [
    'cancelled dry kept due unread',
    'Cancelled: the dry run would delete 1 of 2 copies of web-*, sg not read',
  ],
  ['cancelled unread', 'Cancelled: no list was read, and nothing was deleted'],
  ['dry unread', 'Dry run: hk, sg failed; no list was read, and nothing was deleted'],
  ['timeout unread', 'Timeout of 1s: no list was read, and nothing was deleted'],
])('the heading of %s is a sentence', (words, heading) => {
  const fates = words.split(' ').filter((word) => /^(kept|due|deleted|gone|failed|changed|lost)$/.test(word));
  const family = fates.map((fate) => {
    if (fate === 'changed') return { fate: 'kept', verdict: 'delete' } as Item;
    if (fate === 'lost') return { fate: 'gone', verdict: 'keep' } as Item;
    return { fate, verdict: fate === 'kept' ? 'keep' : 'delete' } as Item;
  });
  const items = fates.length > 0 ? family : null;
  const problems = words.includes('failed') ? [{ message: 'Refused.', advice: '' }] : [];
  const regions = [{ region: 'hk', items, listed: ['uimage-1'], problems }];
  if (words.includes('unread')) regions.push({ region: 'sg', items: null, listed: [], problems: [] });
  const [ended = 'complete'] = /cancelled|timeout/.exec(words) ?? [];
  const pruning = { regions, dryRun: words.includes('dry'), ended, problems: [] } as Pruning;
  const { text } = pruneHeadline(pruning, { rules: { name: 'web-*' }, timeout: 1000 } as PruneOrder, String);
  expect(text).toBe(heading);
});

describe('prune', () => {
  it('deletes one by one, the oldest first, after the plan; regions go side by side', async () => {
    const { world, events, play, clock } = stage();
    const result = await play();
    expect(result).toMatchObject({ ended: 'complete', problems: [] });
    expect(fates(result)).toEqual([
      'hk uimage-hk4 kept',
      'hk uimage-hk3 kept',
      'hk uimage-hk2 deleted',
      'hk uimage-hk1 deleted',
      'sg uimage-sg9 kept',
      'sg uimage-sg8 kept',
      'sg uimage-sg7 deleted',
      'sg uimage-sg6 deleted',
    ]);
    const listed = ['uimage-hk1', 'uimage-hk2', 'uimage-hk3', 'uimage-hk4', 'UImage-hk5'];
    expect(result.regions[0]).toMatchObject({ listed: listed.slice(2), problems: [] });
    expect([...world.deletedByUs]).toEqual(['uimage-hk1', 'uimage-sg6', 'uimage-hk2', 'uimage-sg7']);
    expect(events.map(({ type }) => type)).toEqual(['plan', 'fate', 'fate', 'fate', 'fate']);
    expect(events[0]).toMatchObject({ regions: [{ region: 'hk', listed }, { region: 'sg' }] });
    // The list, and for each delete a look before it and one after it.
    expect(clock.elapsed).toBe(700);
    expect(world.violations).toEqual([]);
  });

  it.each([1, 3])('deletes again what an accepted delete has left there, %i times', async (times) => {
    const { world, play } = stage({ regions: ['hk'] }, { deletes: { how: 'ignored', times } });
    const result = await play();
    expect(fates(result).slice(2)).toEqual(['hk uimage-hk2 deleted', 'hk uimage-hk1 deleted']);
    expect([...world.deletedByUs]).toEqual(['uimage-hk1', 'uimage-hk2']);
    expect(world.deletes).toBe(2 * (times + 1));
  });

  it('calls nothing deleted that stays in the list, whatever the delete answers', async () => {
    const { world, clock, play } = stage({ regions: ['hk'] }, { deletes: { how: 'ignored', times: 999 } });
    const result = await play();
    expect(fates(result).slice(2)).toEqual(['hk uimage-hk2 failed', 'hk uimage-hk1 failed']);
    expect(told(result)[0]?.message).toBe(
      'uimage-hk1 in hk was not deleted: the API accepts the delete (RetCode 0), and lists the image all the same.',
    );
    expect(world.deletedByUs.size).toBe(0);
    expect(clock.elapsed).toBeLessThan(2 * 150_000);
  });

  it('deletes nothing after the timeout, though the last look began before it', async () => {
    const { world, play } = stage({ regions: ['hk'], timeout: 1_000 });
    world.effects = [{ on: 'DescribeImage', nth: 2, count: 1, effect: { kind: 'hang', executed: null } }];
    const result = await play();
    expect([result.ended, world.deletes]).toEqual(['timeout', 0]);
  });

  it('deletes nothing where two regions list the same copy: which of them has it is not known', async () => {
    const { world, play } = stage();
    world.heedsRegion = false;
    const result = await play();
    expect([fates(result), world.deletes]).toEqual([[], 0]);
    expect(told(result).map(({ message }) => message)).toEqual([
      expect.stringMatching(/hk could not be read, so nothing is deleted there.*sg/),
      expect.stringMatching(/sg could not be read, so nothing is deleted there.*hk/),
    ]);
  });

  it('or where they do so once the plan is made', async () => {
    const { clock, world, play } = stage();
    clock.after(150, () => {
      world.heedsRegion = false;
    });
    const result = await play();
    expect([result.regions.map(({ problems }) => problems.length), world.deletes]).toEqual([[1, 1], 0]);
    expect(told(result)[0]?.message).toContain('could not be read again, so it was not deleted');
  });

  it('in a dry run only lists', async () => {
    const { world, clock, play } = stage({ dryRun: true });
    const result = await play();
    expect(fates(result).filter((line) => line.endsWith(' due'))).toHaveLength(4);
    expect(result.ended).toBe('complete');
    expect([world.deletes, clock.elapsed]).toEqual([0, 100]);
  });

  it('leaves a region alone whose list cannot be read', async () => {
    const { world, play } = stage();
    world.effects = [
      { on: 'DescribeImage', nth: 1, count: 1, effect: { kind: 'code', code: 299, executed: null } },
    ];
    const result = await play();
    expect(result.regions[0]).toMatchObject({ region: 'hk', items: null });
    expect(told(result)).toEqual([
      {
        message: expect.stringMatching(
          /^The list of images in hk could not be read, so nothing is deleted there: DescribeImage in hk failed: .*RetCode 299/,
        ),
        advice: expect.stringContaining('DescribeImage'),
      },
    ]);
    expect([...world.deletedByUs]).toEqual(['uimage-sg6', 'uimage-sg7']);
  });

  it('goes on with the next image after a delete that fails, and says that it is still there', async () => {
    const { world, play } = stage({ regions: ['hk'] });
    world.effects = [
      {
        on: 'TerminateCustomImage',
        nth: 1,
        count: 14,
        effect: { kind: 'code', code: 8022, executed: null },
      },
    ];
    const result = await play();
    expect(fates(result).slice(2)).toEqual(['hk uimage-hk2 deleted', 'hk uimage-hk1 failed']);
    expect(told(result)).toEqual([
      {
        message: expect.stringMatching(
          /^uimage-hk1 in hk was not deleted: TerminateCustomImage of uimage-hk1/,
        ),
        advice: expect.stringContaining('request id'),
      },
    ]);
  });

  it('ends a region at an error that the next delete would meet as well; the others go on', async () => {
    const { world, events, order, clock, play } = stage();
    world.effects = [
      {
        on: 'TerminateCustomImage',
        nth: 1,
        count: 1,
        effect: { kind: 'code', code: 299, executed: null },
      },
    ];
    const result = await play();
    expect(fates(result).filter((line) => /due|failed|deleted/.test(line))).toEqual([
      'hk uimage-hk2 due',
      'hk uimage-hk1 failed',
      'sg uimage-sg7 deleted',
      'sg uimage-sg6 deleted',
    ]);
    expect(told(result)[0]?.message).toContain('uimage-hk1 in hk was not deleted');
    expect(events).toContainEqual({ type: 'notice', message: 'hk: not tried after that: uimage-hk2.' });
    const page = renderPrune(result, order, [], clock.now());
    const line = (id: string) => page.split('\n').find((text) => text.includes(`| \`${id}\` |`));
    expect(line('uimage-hk1')).toContain('due (older than the newest 2); see the failure above');
    expect(line('uimage-hk2')).toContain('due (older than the newest 2); not tried, as the region failed');
    expect(line('uimage-sg6')).toContain('deleted: older than the newest 2');
  });

  it('an image that is listed, but unknown to each delete, has not been deleted by somebody else', async () => {
    const { world, play } = stage({ regions: ['hk'] });
    const effect = { kind: 'code', code: 8956, executed: null } as const;
    world.effects = [{ on: 'TerminateCustomImage', nth: 1, count: 3, effect }];
    const result = await play();
    expect(fates(result).slice(2)).toEqual(['hk uimage-hk2 deleted', 'hk uimage-hk1 failed']);
    expect(told(result)[0]?.message).toMatch(
      /^uimage-hk1 in hk was not deleted: .* RetCode 8956 .* DescribeImage lists it/,
    );
    expect(hasFailed(result)).toBe(true);
  });

  it.each<[string, Effect | null, string]>([
    ['an accepted delete', null, 'the API accepted the delete (RetCode 0)'],
    ['a delete of an unclear end', { kind: 'code', code: 8022, executed: 0 }, 'TerminateCustomImage of'],
  ])('says why no list could be read after %s, and what to do about that', async (_, effect, said) => {
    const { world, play } = stage({ regions: ['hk'] });
    const revoked = { kind: 'code', code: 172, executed: null } as const;
    world.effects = [{ on: 'DescribeImage', nth: 3, count: 99, effect: revoked }];
    if (effect) world.effects.push({ on: 'TerminateCustomImage', nth: 1, count: 1, effect });
    const [problem] = told(await play());
    expect(problem?.message).toContain(`Whether uimage-hk1 in hk was deleted is not known: ${said}`);
    expect(problem?.message).toMatch(
      /, and no list could be read after it: DescribeImage in hk failed: .*RetCode 172.*request id/,
    );
    expect(problem?.advice).toMatch(/public-key.* Run it again: it deletes what is still there\.$/);
  });

  it('never says that nothing was to be deleted when the plan was to delete', async () => {
    const { world, order, play } = stage({ regions: ['hk'] });
    world.onCall = (n) => {
      if (n === 2) world.edit('delete', 'hk', 0);
      if (n === 3) world.edit('rename', 'hk', 0);
    };
    const result = await play();
    expect(fates(result).slice(2)).toEqual(['hk uimage-hk2 kept', 'hk uimage-hk1 gone']);
    expect(pruneHeadline(result, order, String).text).toBe(
      'Deleted none of 4 copies of web-*: somebody else deleted 1, 1 changed since the plan; 3 stay',
    );
  });

  it('says why one stays that was changed after the plan', async () => {
    const { world, play } = stage({ regions: ['hk'] });
    world.onCall = (n) => n === 2 && world.edit('rename', 'hk', 0);
    const result = await play();
    expect(result.regions[0]?.items?.at(-1)).toMatchObject({
      fate: 'kept',
      why: 'renamed, or its marker was removed, since the plan',
    });
    expect(told(result)).toEqual([]);
  });

  it('does not call kept what a later list does not show any more', async () => {
    const { world, events, order, clock, play } = stage({ regions: ['hk'] });
    world.onCall = (n) => n === 2 && world.edit('delete', 'hk', 3);
    const result = await play();
    expect(fates(result)).toEqual([
      'hk uimage-hk4 gone',
      'hk uimage-hk3 kept',
      'hk uimage-hk2 kept',
      'hk uimage-hk1 deleted',
    ]);
    expect(pruneOutputs(result, '')['kept-image-ids']).toBe('{"hk":["uimage-hk3","uimage-hk2"]}');
    expect(pruneHeadline(result, order, String).text).toBe(
      'Deleted 1 of 4 copies of web-*; somebody else deleted 1; 2 stay',
    );
    const gone = 'somebody else deleted it, which was to stay: one of the 2 newest';
    expect(renderPrune(result, order, [], clock.now())).toContain(gone);
    expect(events.filter((event) => event.type === 'fate' && event.item.fate === 'gone')).toHaveLength(1);
  });

  it.each([1, 2])(
    'deletes nothing in a region once its list gives rise to an objection, at call %i',
    async (call) => {
      const problem = { message: 'What a release names is gone.', advice: 'Promote again.' };
      const { world, play } = stage({ regions: ['hk'] }, {}, ([hk]) =>
        hk?.listed.includes('uimage-hk4') ? [] : [{ region: 'hk', problem }],
      );
      world.onCall = (n) => n === call && world.edit('delete', 'hk', 3);
      const result = await play();
      expect([world.deletes, told(result)]).toEqual([0, [problem]]);
      expect(fates(result).filter((line) => line.endsWith('due'))).toHaveLength(call === 2 ? 2 : 1);
    },
  );

  it('stops in a region when what a release names there breaks after the plan', async () => {
    const image = { region: 'hk', projectId: PROJECT, name: null, imageId: 'uimage-hk4' };
    const { world, order, play } = stage({ regions: ['hk'] }, {}, (regions) =>
      objectionsTo(regions, order, [{ release: 'v1', ...image }]),
    );
    world.onCall = (n) => n === 2 && world.edit('break', 'hk', 3);
    expect([told(await play()).length, world.deletes]).toEqual([1, 0]);
  });

  it('leaves it to the next run what the timeout does not reach', async () => {
    const { world, play } = stage({ regions: ['hk'], timeout: 250 });
    const result = await play();
    expect(result.ended).toBe('timeout');
    expect([...world.deletedByUs]).toEqual(['uimage-hk1']);
    expect(fates(result).at(-2)).toBe('hk uimage-hk2 due');
  });

  it('a cancel waits a moment for the answer of the delete that was sent, and no longer', async () => {
    const hang = { kind: 'hang', executed: null } as const;
    const unknown = { kind: 'code', code: 8956, executed: null } as const;
    for (const [effect, why] of [
      [null, 'the API accepted the delete (RetCode 0), and no list could be read after it.'],
      [unknown, 'the API called the image unknown (RetCode 8956), and no list could be read after it.'],
      [hang, 'the step was ended before the API answered.'],
    ] as const) {
      const { world, clock, cancel, play } = stage({ regions: ['hk'] });
      if (effect) world.effects = [{ on: 'TerminateCustomImage', nth: 1, count: 1, effect }];
      clock.after(250, () => cancel.abort(new Error('The step was cancelled.')));
      const result = await play();
      expect(result.ended).toBe('cancelled');
      expect(clock.elapsed).toBe(effect === hang ? 3_250 : 300);
      expect(fates(result).slice(2)).toEqual(['hk uimage-hk2 due', 'hk uimage-hk1 failed']);
      expect(pruneOutputs(result, '')['failed-regions']).toBe('["hk"]');
      expect(told(result).map(({ message }) => message)).toEqual([
        `Whether uimage-hk1 in hk was deleted is not known: ${why}`,
      ]);
    }
  });
});
