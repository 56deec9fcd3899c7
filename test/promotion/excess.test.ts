import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { type Excess, remove, removeUnasked, SECOND, tellLeft, UNASKED } from '../../src/promotion/excess.ts';
import { newHeld, type Place, type Run } from '../../src/promotion/place.ts';
import { broken, DELETE, fails, HERE, LIST, markedBy, PROD, RUN, SOURCE } from './fake-cloud.ts';
import { ours, Scenario } from './scenario.ts';

const ID = 'uimage-2';

/** A place that holds ours, with one image that is to be deleted. */
function setUp(image: Image | null = ours(ID), why = SECOND) {
  const scenario = new Scenario();
  const run = scenario.byHand();
  const [place] = run.places as [Place];
  const excess: Excess = { imageId: ID, why };
  Object.assign(place, {
    held: newHeld({ imageId: 'uimage-1', created: true, startedAt: run.clock.now() }),
    own: ['uimage-1', ID],
    sends: 2,
    excess: [excess],
  });
  if (image) scenario.cloud.add(image, { region: 'hk', projectId: PROD });
  return { scenario, cloud: scenario.cloud, run, place };
}

/** Until nothing is left, as the loop does it. */
async function removeAll({ run, place }: { run: Run; place: Place }): Promise<void> {
  const { clock } = run;
  const all = async () => {
    for (let first = place.excess[0]; first; first = place.excess[0]) {
      await clock.sleep(Math.max(0, (first.at ?? 0) - clock.now()));
      await remove(run, place);
    }
  };
  await (clock as Scenario['clock']).run(all());
}

describe('what a run made one too many of', () => {
  it.each([
    [SECOND, 'as a duplicate'],
    [UNASKED, 'without being asked to'],
  ])('is deleted once it was read, and told once it is gone: %s', async (why, words) => {
    const given = setUp(ours(ID), why);
    // An API endpoint may answer with more than it was asked for.
    const other = ours('uimage-0', { ImageDescription: 'in use' });
    given.cloud.fault(LIST, (execute) => [other, ...(execute() as Image[])], { times: 9 });
    await removeAll(given);
    expect(given.scenario.clock.elapsed).toBe(300);
    expect(given.cloud.sent.map(({ action }) => action)).toEqual(['DescribeImage', DELETE, 'DescribeImage']);
    expect(given.cloud.sent.every(({ projectId, region }) => projectId === PROD && region === 'hk')).toBe(
      true,
    );
    expect(given.scenario.warnings).toEqual([
      `This run created ${ID} in hk ${words}; the action deleted it. There is nothing to do.`,
    ]);
    expect(given.place).toMatchObject({ own: ['uimage-1'], sends: 1, excess: [] });
    expect(given.scenario.of('ids')).toHaveLength(1);
  });

  it('beside an image of another run is told with what is reused', async () => {
    const given = setUp();
    given.cloud.addCopy('hk', { ImageId: 'uimage-1' });
    Object.assign(given.place.held ?? {}, { created: false });
    await removeAll(given);
    expect(given.scenario.warnings).toEqual([
      `hk: another run copied there at the same time. This run reuses its image uimage-1, and deleted its own ${ID} as a duplicate. To let such runs wait for each other, set concurrency in the workflow.`,
    ]);
  });

  it('stays when the one of another run that was kept is gone, also when that shows before a second delete', async () => {
    const first = setUp();
    Object.assign(first.place.held ?? {}, { created: false });
    await removeAll(first);
    expect(first.cloud.ids()).toEqual([ID]);
    expect([first.cloud.calls(DELETE), first.place.held?.misses]).toEqual([[], 1]);
    const unasked = setUp(ours(ID), UNASKED);
    Object.assign(unasked.place.held ?? {}, { created: false });
    await removeAll(unasked);
    expect(unasked.scenario.warnings).toEqual([expect.stringMatching(/asked to; the action deleted it\./)]);
    const second = setUp();
    second.cloud.addCopy('hk', { ImageId: 'uimage-1' });
    Object.assign(second.place.held ?? {}, { created: false });
    second.cloud.fault(DELETE, () => {
      second.cloud.remove('uimage-1');
      return true;
    });
    await removeAll(second);
    expect([second.cloud.ids(), second.cloud.calls(DELETE).length]).toEqual([[ID], 1]);
  });

  it.each([markedBy('77-1-anothe'), 'in use', ''])(
    'is left alone when it is described as %j',
    async (text) => {
      const given = setUp(ours(ID, { ImageDescription: text }));
      await removeAll(given);
      expect(given.cloud.ids()).toEqual([ID]);
      expect(given.scenario.warnings.join()).toMatch(/no marker of this run. The action left it alone/);
      expect(given.place.own).toContain(ID);
    },
  );

  it.each([1, 3])('is deleted again when an accepted delete has left it there, %i times', async (times) => {
    const given = setUp();
    given.cloud.fault(DELETE, () => true, { times });
    await removeAll(given);
    expect(given.cloud.ids()).toEqual([]);
    expect(given.cloud.calls(DELETE)).toHaveLength(times + 1);
    expect(given.scenario.warnings.join()).toContain('the action deleted it');
  });

  it('is not called deleted when it stays, whatever the delete answers', async () => {
    const given = setUp();
    given.cloud.fault(DELETE, () => true, { times: 99 });
    await removeAll(given);
    expect(given.scenario.warnings).toEqual([
      `This run created ${ID} in hk as a duplicate, and it may still exist: the API accepted the delete, and still lists the image. Delete it by hand.`,
    ]);
    expect(given.scenario.clock.elapsed).toBeGreaterThan(60_000);
    expect(given.scenario.clock.elapsed).toBeLessThan(70_000);
    expect(given.place.own).toContain(ID);
  });

  it('is gone when the API knows it no more, though a list still shows it', async () => {
    const given = setUp();
    given.cloud.fault(DELETE, () => true);
    given.cloud.fault(DELETE, () => false);
    await removeAll(given);
    expect([given.cloud.calls(DELETE).length, given.scenario.warnings.join()]).toEqual([
      2,
      expect.stringContaining('the action deleted it'),
    ]);
  });

  it.each([
    [7_200_000, 180_000],
    [90_000, 90_000],
    [1_000, 30_000],
  ])(
    'is read and deleted with patience, beyond the timeout if need be (%i ms)',
    async (timeout, patience) => {
      const given = setUp();
      given.run.deadline = given.scenario.clock.start + timeout;
      given.cloud.fault(LIST, fails(99_999), { times: 3 });
      await removeAll(given);
      expect(given.cloud.sent[0]?.patience).toBe(patience);
      expect(given.cloud.ids()).toEqual([]);
    },
  );

  it('that a read calls Deleting is gone', async () => {
    const given = setUp();
    given.cloud.fault(DELETE, () => {
      for (const stored of given.cloud.stored) stored.finalState = 'Deleting';
      return true;
    });
    await removeAll(given);
    expect(given.scenario.warnings.join()).toContain('the action deleted it');
  });

  it('is gone when a read says so, though every answer to the delete was lost', async () => {
    const given = setUp();
    given.cloud.fault(DELETE, (execute) => {
      execute();
      throw broken(DELETE, 'lost');
    });
    const lost = () => {
      throw broken(DELETE, 'lost');
    };
    given.cloud.fault(DELETE, lost, { times: 99 });
    await removeAll(given);
    expect(given.scenario.warnings.join()).toContain('the action deleted it');
  });

  it.each([
    [299, /may still exist: TerminateCustomImage.*RetCode 299.*Delete it by hand/],
    [295, /may still exist: TerminateCustomImage.*RetCode 295.*Delete it by hand/],
  ])('that may not be deleted is told: %i', async (code, words) => {
    const given = setUp();
    given.cloud.fault(DELETE, fails(code), { times: 999 });
    await removeAll(given);
    expect(given.scenario.warnings.join()).toMatch(words);
    expect(given.place).toMatchObject({ excess: [], own: ['uimage-1', ID] });
  });

  it('that the API does not know is told: gone, or very new', async () => {
    const given = setUp(null);
    given.cloud.fault(DELETE, () => false);
    await removeAll(given);
    expect(given.scenario.warnings).toEqual([
      `This run created ${ID} in hk as a duplicate; it is not listed, so it is gone or very new. Delete it by hand if it appears.`,
    ]);
  });

  it('is told when the step ends before', async () => {
    const given = setUp();
    const { scenario, run, place } = given;
    scenario.cancelAt(50);
    await expect(removeAll(given)).rejects.toThrow('The step was cancelled.');
    tellLeft(run, place);
    expect(scenario.warnings).toEqual([
      `This run created ${ID} in hk as a duplicate, and it may still exist: the step ended before it was deleted. Delete it by hand.`,
    ]);
    expect(place.excess).toEqual([]);
    // What was answered with where nothing was wanted has words of its own.
    tellLeft(run, Object.assign(place, { plan: 'adopt', held: { ...place.held, finishedAt: 1 } }));
    expect(scenario.warnings).toHaveLength(1);
  });

  it.each([
    ['ours', { ImageDescription: markedBy(RUN) }, true],
    ["somebody's", { ImageDescription: '' }, false],
  ])(
    'where nothing was wanted is looked at once, and ends the doubt when the answer named it and it is %s',
    async (_, some, ends) => {
      const { run, scenario } = setUp();
      const doubt = { kind: 'unclear', since: 0, clearAt: 0, until: 0 } as const;
      const home = { ...(run.places[0] as Place), region: HERE, own: [ID], doubt, excess: [] };
      removeUnasked(run, home, 'uimage-9');
      expect([home.own, home.doubt]).toEqual([[ID], doubt]);
      for (let again = 0; again < 2; again++) removeUnasked(run, home, ID);
      const answered = { imageId: ID, why: UNASKED, isAnswer: true as const };
      expect(home.excess).toEqual([{ imageId: 'uimage-9', why: UNASKED }, answered]);
      expect([home.own, home.doubt]).toEqual([[], doubt]);
      scenario.cloud.add({ ...SOURCE, ImageId: ID, ...some }, { region: HERE, projectId: PROD });
      home.excess.shift();
      await scenario.clock.run(remove(run, home));
      expect(home.doubt).toEqual(ends ? null : doubt);
    },
  );
});
