import { describe, expect, it } from 'vitest';
import { Stopped } from '../../src/promotion/context.ts';
import { type Left, overtake, problemsOf } from '../../src/promotion/leftovers.ts';
import { broken, fails, markedBy, RUN } from './fake-cloud.ts';
import { ours, place, setUp, TERMINATE } from './undo.ts';

describe('what a rollback could not do', () => {
  it('is told: an image that was not deleted, with id, region, reason and what to do', async () => {
    const { cloud, add, undo } = setUp();
    for (const image of [ours('hk'), ours('sg')]) add(image);
    for (const region of ['hk', 'us-ca']) cloud.fault(TERMINATE, fails(299), { region });
    const regions = ['hk', 'sg', 'us-ca'];
    const created = regions.map((region) => ours(region));
    const { deleted, left, refs } = await undo({ created, places: regions.map(place) });
    expect(deleted).toEqual([ours('sg')]);
    // No list has shown the one in us-ca: it may be there all the same.
    expect(refs).toEqual([ours('hk'), ours('us-ca')]);
    expect(left).toHaveLength(1);
    expect(left[0]?.message).toMatch(/^uimage-hk-1 in hk, uimage-us-ca-1 in us-ca were not deleted: .*299/);
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

  it('is not told when what the API refused once worked again', async () => {
    const { cloud, add, undo } = setUp();
    add(ours('hk'));
    for (const action of ['DescribeImage', TERMINATE] as const) cloud.fault(action, fails(230));
    expect(await undo({ places: [place('hk')] })).toEqual({ deleted: [ours('hk')], left: [] });
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

  it.each([
    [markedBy(RUN), undefined, true],
    [markedBy(RUN), 'a secret', false],
    ['', undefined, true],
    ['', 'a secret', false],
    ['golden: keep', undefined, false],
  ])(
    'of an image that only a later list shows, described as %j (mark-secret %s): deleted, and not told, is %s',
    async (ImageDescription, secret, expected) => {
      const { cloud, undo } = setUp();
      cloud.addCopy('hk', { ImageId: 'uimage-hk-1', ImageDescription });
      const lost = () => {
        throw broken('DescribeImage', 'lost');
      };
      cloud.fault('DescribeImage', lost, { times: 12 });
      const { deleted, refs } = await undo({ created: [ours('hk')], places: [place('hk')] }, secret);
      expect(expected ? [deleted, refs] : [refs, deleted]).toEqual([[ours('hk')], []]);
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

it('what was told of an image is overtaken by its deletion, and by its absence in other words', () => {
  const told = ['hk: look at uimage-hk-1.', 'sg: look at uimage-sg-1.', 'us-ca: slow.'].map((message) => ({
    message,
    advice: 'Delete it.',
  }));
  overtake(told, [ours('hk'), { ...ours('sg'), absent: true }, ours('us-ca')]);
  expect(told.map(({ message, advice }) => [message, advice])).toEqual([
    ['hk: look at uimage-hk-1. The rollback has deleted uimage-hk-1.', ''],
    ['sg: look at uimage-sg-1. The rollback found no uimage-sg-1.', ''],
    ['us-ca: slow.', 'Delete it.'],
  ]);
});

const BILLED = 'billed until somebody deletes';
it.each<[Left['what'], string, string]>([
  ['not deleted', `It is ${BILLED} it.`, `They are ${BILLED} them.`],
  [
    'not deleted yet',
    'Wait until it is gone before you re-run the job, or delete it by hand.',
    'Wait until they are gone before you re-run the job, or delete them by hand.',
  ],
  [
    'not listed, so not deleted',
    'Delete it in the console if it appears.',
    'Delete them in the console if they appear.',
  ],
  [
    'left alone',
    'Find out whether somebody uses it. If not, delete it: it is billed until then.',
    'Find out whether somebody uses them. If not, delete them: they are billed until then.',
  ],
])('one or two images that were %s have words of their own', (what, one, two) => {
  const error = new Stopped({ message: 'Nobody knows.', advice: '' });
  const left = ['hk', 'sg'].map((region): Left => ({ what, region, image: ours(region), error }));
  expect(problemsOf(left.slice(1), RUN)).toEqual([
    { message: `uimage-sg-1 in sg was ${what}: Nobody knows.`, advice: one },
  ]);
  expect(problemsOf(left, RUN)).toEqual([
    { message: `uimage-hk-1 in hk, uimage-sg-1 in sg were ${what}: Nobody knows.`, advice: two },
  ]);
});

it('a region that was not searched says what to look for there, and the advice of the call stands behind it', () => {
  const error = broken('DescribeImage', 'lost');
  const left: Left = { what: 'not searched for images of this run', region: 'hk', image: null, error };
  expect(problemsOf([left], RUN)).toEqual([
    {
      message: expect.stringMatching(/^hk was not searched for images of this run: DescribeImage failed: \S/),
      advice: `Look there for more images with "by ${RUN}" in the marker of their description, and delete them before you re-run the job. ${error.advice}`,
    },
  ]);
});
