import { describe, expect, it } from 'vitest';
import { broken, fails, markedBy, RUN } from './fake-cloud.ts';
import { ours, place, setUp, TERMINATE } from './undo.ts';

describe('what a rollback could not do', () => {
  it('is told: an image that was not deleted, with id, region, reason and what to do', async () => {
    const { cloud, add, undo } = setUp();
    for (const image of [ours('hk'), ours('sg')]) add(image);
    cloud.fault(TERMINATE, fails(299), { region: 'hk' });
    const { deleted, left } = await undo({
      created: [ours('hk'), ours('sg')],
      places: [place('hk'), place('sg')],
    });
    expect(deleted).toEqual([ours('sg')]);
    expect(left).toHaveLength(1);
    expect(left[0]?.message).toMatch(/uimage-hk-1.*hk.*299/);
    expect(left[0]?.advice).not.toBe('');
  });

  it('is told once for one reason, though each answer has its own request id', async () => {
    const { cloud, add, undo } = setUp();
    const images = Array.from({ length: 12 }, (_, index) => ours(`r-${index}`));
    for (const image of images) add(image);
    cloud.fault(TERMINATE, fails(299), { times: 99 });
    const { left } = await undo({ created: images });
    // Ten to a sentence.
    expect(left).toHaveLength(2);
    expect(left[1]?.message).toMatch(
      /^uimage-r-10-1 in r-10, uimage-r-11-1 in r-11 were not deleted: TerminateCustomImage failed: /,
    );
    expect(left[1]?.advice).toMatch(/^They are billed until somebody deletes them\. \S/);
  });

  it('is told: a place that could not be searched at the end', async () => {
    const { cloud, undo } = setUp();
    cloud.fault(
      'DescribeImage',
      () => {
        throw broken('DescribeImage', 'lost');
      },
      { region: 'hk', times: 99 },
    );
    const { left } = await undo({ places: [place('hk'), place('sg')], unclear: true });
    expect(left).toHaveLength(1);
    expect(left[0]?.message).toMatch(/^hk\b/);
  });

  it('is not told when a later look worked', async () => {
    const { cloud, undo } = setUp();
    cloud.fault('DescribeImage', fails(150), { region: 'hk' });
    expect((await undo({ places: [place('hk')], unclear: true })).left).toEqual([]);
  });

  it('is told when the step is cancelled meanwhile', async () => {
    const { clock, cloud, cancel, add, undo } = setUp();
    add(ours('hk'));
    cloud.fault(TERMINATE, async (_execute, _sent, signal) => clock.sleep(30_000, signal));
    clock.after(5_000, () => cancel.abort(new Error('cancelled')));
    const { deleted, left } = await undo({ created: [ours('hk')], places: [place('hk')], unclear: true });
    expect(deleted).toEqual([]);
    expect(left.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^uimage-hk-1 in hk/),
      expect.stringMatching(/^hk was not searched/),
    ]);
    expect(clock.elapsed).toBe(5_000);
  });

  it('is left to the post step after a cancel, where one follows', async () => {
    const { clock, cloud, cancel, add, undo } = setUp();
    for (const image of [ours('hk'), ours('sg')]) add(image);
    cloud.fault(TERMINATE, fails(299), { region: 'sg' });
    cloud.fault(TERMINATE, async (_execute, _sent, signal) => clock.sleep(30_000, signal), { region: 'hk' });
    clock.after(5_000, () => cancel.abort(new Error('cancelled')));
    const { left } = await undo(
      { created: [ours('hk'), ours('sg')], places: [place('hk')] },
      undefined,
      true,
    );
    const again = 'The "Post" step of this job will try again.';
    expect(left.map(({ message, advice }) => [message.slice(0, 18), advice === again])).toEqual([
      ['uimage-sg-1 in sg ', false],
      ['uimage-hk-1 in hk ', true],
      ['hk was not searche', true],
    ]);
  });

  it.each([undefined, ''])(
    'is not told of an image that only a later list shows, described as %j',
    async (text) => {
      const { cloud, undo } = setUp();
      const ImageDescription = text ?? markedBy(RUN);
      cloud.addCopy('hk', { ImageId: 'uimage-hk-1', ImageDescription });
      const lost = () => {
        throw broken('DescribeImage', 'lost');
      };
      cloud.fault('DescribeImage', lost, { times: 12 });
      expect(await undo({ created: [ours('hk')], places: [place('hk')] })).toEqual({
        deleted: [ours('hk')],
        left: [],
      });
    },
  );

  it('never throws, whatever a call does', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'));
    const defect = () => {
      throw new TypeError('defect');
    };
    cloud.fault(TERMINATE, defect, { region: 'hk' });
    cloud.fault('DescribeImage', defect, { region: 'sg', times: 2 });
    for (const image of [ours('sg'), ours('us-ca')]) add(image);
    const created = [ours('hk'), ours('sg'), ours('us-ca')];
    const { deleted, left } = await undo({ created, places: [place('sg')] });
    expect([deleted, left.length]).toEqual([[ours('us-ca')], 2]);
  });
});
