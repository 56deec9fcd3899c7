import { describe, expect, it } from 'vitest';
import { withMark } from '../../src/promotion/mark.ts';
import { WINDOW } from '../../src/promotion/place.ts';
import { broken, fails, HERE, markedBy, PROD, RUN, SOURCE } from './fake-cloud.ts';
import { ours, place, setUp, TERMINATE } from './undo.ts';

describe('a rollback', () => {
  it('deletes what the run made, by its ids, in its project, all at once', async () => {
    const { cloud, add, undo } = setUp();
    for (const image of [ours('hk'), ours('sg')]) add(image);
    const { deleted, left } = await undo({ created: [ours('hk'), ours('sg')] });
    expect(deleted).toEqual([ours('hk'), ours('sg')]);
    expect(left).toEqual([]);
    expect(cloud.ids()).toEqual([]);
    const calls = cloud.calls(TERMINATE);
    expect(calls.map(({ at }) => at)).toEqual([100, 100]);
    for (const call of calls) {
      expect(call.projectId).toBe(PROD);
      expect(call.patience).toBeGreaterThanOrEqual(30_000);
    }
  });

  it('asks again for an image that is not there at first, without a mark too: it may only be unlisted', async () => {
    const { clock, cloud, add, undo } = setUp();
    add(ours('hk'), 'unmarked');
    cloud.fault(TERMINATE, () => false, { times: 3 });
    const { deleted, left } = await undo({ created: [ours('hk')] });
    expect([deleted, left]).toEqual([[ours('hk')], []]);
    expect(cloud.ids()).toEqual([]);
    expect(clock.elapsed).toBeLessThan(WINDOW);
  });

  it('asks again for one that only its mark has found, too', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'));
    cloud.fault(TERMINATE, () => false);
    expect(await undo({ places: [place('hk')] })).toEqual({ deleted: [ours('hk')], left: [] });
    expect(cloud.ids()).toEqual([]);
  });

  it('takes an image for gone that is not there for the whole window', async () => {
    const { clock, cloud, undo } = setUp();
    cloud.fault(TERMINATE, () => false, { times: 99 });
    const { deleted, left } = await undo({ created: [ours('hk')] });
    expect([deleted, left]).toEqual([[{ ...ours('hk'), absent: true }], []]);
    expect(clock.elapsed).toBeGreaterThanOrEqual(WINDOW);
  });

  it('does not take for gone what the lists show, whatever the delete says', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'));
    cloud.fault(TERMINATE, () => false, { times: 99 });
    const { deleted, left } = await undo({ created: [ours('hk')], places: [place('hk')] });
    expect(deleted).toEqual([]);
    expect(left.map(({ message }) => message)).toEqual([
      expect.stringMatching(/uimage-hk-1.*not deleted.*8956/),
    ]);
  });

  it('does not take for gone what another region lists, as where two answers were swapped', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('sg'), 'unmarked');
    cloud.fault(TERMINATE, () => false, { region: 'hk', times: 99 });
    const swapped = { ...ours('hk'), imageId: ours('sg').imageId };
    const { deleted, left } = await undo({ created: [swapped], places: [place('hk'), place('sg')] });
    expect([deleted, left[0]?.message]).toEqual([
      [],
      expect.stringMatching(/^uimage-sg-1 in hk.*not deleted.*8956/),
    ]);
  });

  it('tells of an image that was not there when it was cancelled', async () => {
    const { clock, cloud, cancel, undo } = setUp();
    cloud.fault(TERMINATE, () => false, { region: 'hk', times: 99 });
    cloud.fault(TERMINATE, () => false, { region: 'sg' });
    cloud.fault(TERMINATE, async (_execute, _sent, signal) => clock.sleep(30_000, signal), { region: 'sg' });
    clock.after(20_000, () => cancel.abort(new Error('cancelled')));
    const { deleted, left } = await undo({ created: [ours('hk'), ours('sg')] });
    expect(deleted).toEqual([]);
    expect(left.map(({ message }) => message)).toEqual([
      'uimage-sg-1 in sg was not deleted: the step was cancelled.',
      'uimage-hk-1 in hk was not listed, so not deleted: the step was cancelled.',
    ]);
  });

  it('finds by the mark what the run made without learning its id', async () => {
    const { cloud, add, undo } = setUp();
    for (const image of [ours('hk'), ours('hk', 2), ours('sg')]) add(image);
    const { deleted } = await undo({ created: [ours('hk')], places: [place('hk'), place('sg')] });
    expect(deleted.map(({ imageId }) => imageId).sort()).toEqual([
      'uimage-hk-1',
      'uimage-hk-2',
      'uimage-sg-1',
    ]);
    expect(cloud.ids()).toEqual([]);
    expect(cloud.calls(TERMINATE)).toHaveLength(3);
    // Two of each place, and that of the id: what a list shows is not read again.
    expect(cloud.calls('DescribeImage')).toHaveLength(5);
  });

  it('never deletes what another run made, adopted or not, nor a namesake', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'), '77-1-anothe');
    add(ours('hk', 2), `${RUN}x`);
    cloud.add({ ...SOURCE, ImageId: 'uimage-namesake' }, { region: 'hk', projectId: PROD });
    const { deleted } = await undo({ places: [place('hk')] });
    expect(deleted).toEqual([]);
    expect(cloud.ids('hk')).toHaveLength(3);
    expect(cloud.calls(TERMINATE)).toEqual([]);
  });

  it.each([
    ['that another run marks', markedBy('77-1-anothe')],
    ['whose description somebody has replaced', 'golden: keep'],
  ])('leaves an image alone %s, though the API answered with its id', async (_, ImageDescription) => {
    const { cloud, undo } = setUp();
    cloud.addCopy('hk', { ImageId: 'uimage-hk-1', ImageDescription });
    const { deleted, left, refs } = await undo({ created: [ours('hk')], places: [place('hk')] });
    expect(deleted).toEqual([]);
    expect(cloud.calls(TERMINATE)).toEqual([]);
    expect(refs).toEqual([{ ...ours('hk'), unusable: true }]);
    expect(left).toEqual([
      {
        message: expect.stringMatching(/^uimage-hk-1 in hk was left alone: .*no marker of this run/),
        advice: expect.stringMatching(/^Find out whether somebody uses it. If not, delete it/),
      },
    ]);
  });

  it.each([undefined, '', ' [copy of cn-bj2/uimage-sou'])(
    'deletes by its id what an API endpoint has stored as %j, also with the time of the source',
    async (ImageDescription) => {
      const { cloud, undo } = setUp();
      const { ImageDescription: _, ...rest } = SOURCE;
      const described = ImageDescription === undefined ? rest : { ...rest, ImageDescription };
      cloud.add({ ...described, ImageId: 'uimage-hk-1' }, { region: 'hk', projectId: PROD });
      const traces = { since: Date.UTC(2026, 0, 1), sourceTime: SOURCE.CreateTime ?? 0 };
      expect((await undo({ created: [ours('hk')], ...traces })).deleted).toEqual([ours('hk')]);
    },
  );

  it.each([
    ['a list shows one of this run that has it', {}, true],
    ['one of this run was read with it', { marked: true as const }, false],
    ['it was made before this run', { since: Date.UTC(2026, 0, 1) }, false],
    ['one of this run is read with it', { created: [ours('hk'), ours('sg')], places: [place('hk')] }, true],
  ])('leaves an image without a mark alone where %s', async (_, some, isListed) => {
    const { cloud, add, undo } = setUp();
    cloud.addCopy('hk', { ImageId: 'uimage-hk-1', ImageDescription: '' });
    if (isListed) add(ours('sg'));
    const traces = { created: [ours('hk')], places: [place('hk'), place('sg')], ...some };
    const { deleted, left, refs } = await undo(traces);
    expect(cloud.ids('hk')).toEqual(['uimage-hk-1']);
    expect(deleted).toEqual(isListed ? [ours('sg')] : []);
    expect(refs).toEqual([{ ...ours('hk'), unusable: true }]);
    expect(left[0]?.message).toMatch(/^uimage-hk-1 in hk was left alone/);
  });

  it('does not delete an image without a mark again once a list has shown that they are kept', async () => {
    const { cloud, add, undo } = setUp();
    cloud.addCopy('hk', { ImageId: 'uimage-hk-1', ImageDescription: '' });
    cloud.fault(TERMINATE, () => {
      add(ours('sg'));
      return true;
    });
    const { deleted } = await undo({ created: [ours('hk')], places: [place('hk'), place('sg')] });
    expect([deleted, cloud.ids('hk')]).toEqual([[ours('sg')], ['uimage-hk-1']]);
  });

  it('reads an image again before each delete: somebody may have taken it over meanwhile', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'));
    cloud.fault(TERMINATE, () => {
      for (const { image } of cloud.stored)
        if (image.ImageId === 'uimage-hk-1') image.ImageDescription = 'golden: keep';
      return true;
    });
    const { deleted, left } = await undo({ created: [ours('hk')], places: [place('hk')] });
    expect([deleted, cloud.calls(TERMINATE).length]).toEqual([[], 1]);
    expect(left[0]?.message).toMatch(/^uimage-hk-1 in hk was left alone/);
  });

  it('deletes again what an accepted delete has left there', async () => {
    const { clock, cloud, add, undo } = setUp();
    add(ours('hk'));
    cloud.fault(TERMINATE, () => true, { times: 2 });
    expect(await undo({ created: [ours('hk')], places: [place('hk')] })).toEqual({
      deleted: [ours('hk')],
      left: [],
    });
    expect(cloud.ids()).toEqual([]);
    expect(cloud.calls(TERMINATE)).toHaveLength(3);
    expect(clock.elapsed).toBeLessThan(WINDOW);
  });

  it.each([
    ['accepts again', () => true],
    ['refuses next', fails(299)],
  ])(
    'does not call deleted what stays in the lists, though the API accepts the delete and %s',
    async (_, next) => {
      const { cloud, add, undo } = setUp();
      add(ours('hk'));
      cloud.fault(TERMINATE, () => true);
      cloud.fault(TERMINATE, next, { times: 99 });
      const { deleted, left, refs } = await undo({ created: [ours('hk')], places: [place('hk')] });
      expect([deleted, refs]).toEqual([[], [{ ...ours('hk'), unusable: true }]]);
      expect(left.map(({ message }) => message)).toEqual([
        'uimage-hk-1 in hk was not deleted yet: the API accepted the delete (RetCode 0), and still lists the image.',
      ]);
    },
  );

  it('does not call deleted what the last list that was read shows, when it is cancelled before the next', async () => {
    const { clock, cloud, cancel, add, undo } = setUp();
    add(ours('hk'));
    cloud.fault(TERMINATE, () => true);
    clock.after(5_000, () => cancel.abort(new Error('cancelled')));
    const { deleted, left } = await undo({ created: [ours('hk')], places: [place('hk')] });
    expect(deleted).toEqual([]);
    expect(left.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^hk was not searched/),
      expect.stringMatching(/^uimage-hk-1 in hk was not deleted yet/),
    ]);
  });

  it('does not call deleted what it may not delete, when no list can be read after that', async () => {
    const { clock, cloud, add, undo } = setUp();
    clock.after(5_000, () => add(ours('hk')));
    cloud.fault(TERMINATE, () => false, { times: 2 });
    cloud.fault(TERMINATE, fails(299));
    cloud.fault('DescribeImage', fails(299), { skip: 4 });
    const { deleted, left } = await undo({ created: [ours('hk')], places: [place('hk')] });
    expect([deleted, left.length]).toEqual([[], 2]);
  });

  it.each(['as it was', 'Deleting', 'though no read by its id works'])(
    'takes for gone what it deleted and a list still shows, %s',
    async (how) => {
      const { clock, cloud, add, undo } = setUp();
      add(ours('hk'));
      const [, stored] = cloud.stored;
      cloud.fault(TERMINATE, () => {
        if (stored && how === 'Deleting') stored.finalState = how;
        return true;
      });
      cloud.fault(TERMINATE, () => false, { times: 99 });
      if (how === 'though no read by its id works') {
        cloud.fault('DescribeImage', fails(299), { skip: 2 });
        clock.after(5_000, () => cloud.remove('uimage-hk-1'));
      }
      expect((await undo({ created: [ours('hk')], places: [place('hk')] })).deleted).toEqual([ours('hk')]);
      expect(clock.elapsed).toBeLessThan(how === 'Deleting' ? 1_000 : 11_000);
    },
  );

  it.each([
    ['by its id', [ours('hk')]],
    ['by its mark', []],
  ])('takes for gone what it knew %s, though each answer to its delete was lost', async (_, created) => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'));
    cloud.fault(TERMINATE, (execute) => {
      execute();
      throw broken(TERMINATE, 'lost');
    });
    const lost = () => {
      throw broken(TERMINATE, 'lost');
    };
    cloud.fault(TERMINATE, lost, { times: 99 });
    expect(await undo({ created, places: [place('hk')] })).toEqual({ deleted: [ours('hk')], left: [] });
  });

  it('is not put off by images without a mark', async () => {
    const { cloud, add, undo } = setUp();
    cloud.addCopy('hk', { ImageId: 'uimage-hk-1', ImageDescription: 'no mark' });
    add(ours('hk', 2));
    expect(await undo({ places: [place('hk')] })).toEqual({ deleted: [ours('hk', 2)], left: [] });
  });

  it('deletes images of one id in two regions, and tells of each', async () => {
    const { cloud, add, undo } = setUp();
    const images = ['hk', 'sg'].map((region) => ({ region, projectId: PROD, imageId: 'uimage-1' }));
    for (const image of images) add(image);
    expect((await undo({ created: images })).deleted).toEqual(images);
    expect(cloud.ids()).toEqual([]);
  });

  it('has patience for many deletes behind one throttle', async () => {
    const { cloud, undo } = setUp();
    await undo({ created: [ours('hk')], places: [place('hk')] }).catch(() => undefined);
    for (const { patience } of cloud.sent) expect(patience).toBeGreaterThanOrEqual(180_000);
  });

  it('that finds nothing says so', async () => {
    expect(await setUp().undo({ places: [place('hk')] })).toEqual({ deleted: [], left: [] });
  });

  it('with mark-secret deletes by its mark only what is signed', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'));
    const mark = { region: HERE, imageId: SOURCE.ImageId, run: RUN };
    const ImageDescription = withMark('', mark, { secret: 'hush', projectId: PROD });
    cloud.addCopy('hk', { ImageId: 'uimage-hk-2', ImageDescription });
    expect((await undo({ places: [place('hk')] }, 'hush')).deleted).toEqual([ours('hk', 2)]);
    expect(cloud.ids()).toEqual(['uimage-hk-1']);
  });

  it('looks once where every answer was clear', async () => {
    const { cloud, clock, undo } = setUp();
    await undo({ places: [place('hk')] });
    expect(cloud.calls('DescribeImage')).toHaveLength(1);
    expect(clock.elapsed).toBeLessThan(1_000);
  });

  it('after an unclear answer looks until a late image would surely have been listed', async () => {
    const { cloud, clock, add, undo } = setUp();
    clock.after(100_000, () => add(ours('hk')));
    const { deleted, left } = await undo({ places: [place('hk')], unclear: true });
    expect(deleted).toEqual([ours('hk')]);
    expect(left).toEqual([]);
    expect(clock.elapsed).toBeGreaterThanOrEqual(WINDOW);
    expect(clock.elapsed).toBeLessThan(WINDOW + 5_000);
    expect(cloud.calls('DescribeImage').length).toBeLessThan(30);
  });

  it('looks for what is unclear until it would surely be listed, and not longer', async () => {
    const { cloud, undo } = setUp();
    cloud.latency = 3_000;
    await undo({ places: [place('hk')], unclear: true });
    const looks = cloud.calls('DescribeImage').map(({ at }) => at / 1_000);
    expect(looks).toEqual([0, 13, 26, 39, 52, 65, 78, 91, 104, 117, 120]);
  });

  it('looks often enough to find a late image long before that time is over', async () => {
    const { cloud, clock, add, undo } = setUp();
    clock.after(15_000, () => add(ours('hk')));
    await undo({ places: [place('hk')], unclear: true });
    expect(cloud.calls(TERMINATE)[0]?.at).toBeLessThan(40_000);
  });

  it('deletes the ids it knows before it looks for others', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'));
    await undo({ created: [ours('hk')], places: [place('hk'), place('sg')], unclear: true });
    expect(cloud.sent.slice(0, 2).map(({ action, imageIds }) => [action, imageIds])).toEqual([
      ['DescribeImage', ['uimage-hk-1']],
      [TERMINATE, ['uimage-hk-1']],
    ]);
  });
});
