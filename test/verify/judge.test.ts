import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { withMark } from '../../src/promotion/mark.ts';
import { judgeById, judgeByMark, judgeSource } from '../../src/verify/judge.ts';

const SOURCE: Image = {
  ImageId: 'uimage-s',
  ImageName: 'web',
  State: 'Available',
  ImageSize: 40,
  OsName: 'Ubuntu',
};
const ORIGIN = { region: 'cn-bj2', imageId: 'uimage-s', image: SOURCE };
const MARK = { region: 'cn-bj2', imageId: 'uimage-s', run: '77-1-abcdef' };

const copy = (ImageId: string, some: Partial<Image> = {}): Image => ({
  ...SOURCE,
  ImageId,
  ImageDescription: withMark('base', MARK),
  CreateTime: 1,
  ...some,
});

/** `available uimage-a`, or the condition and what it says. */
function judged(images: Image[], signer?: Parameters<typeof judgeByMark>[3]): string {
  const { condition, image, problem } = judgeByMark(images, ORIGIN, 'web', signer);
  return `${condition} ${problem?.message ?? image?.ImageId}`;
}

describe('judgeByMark', () => {
  it.each<[string, Image[], string]>([
    ['nothing', [], 'missing No copy of uimage-s exists.'],
    ['the oldest sound one', [copy('b', { CreateTime: 2 }), copy('a')], 'available a'],
    ['a sound one beside broken ones', [copy('a', { State: 'Unavailable' }), copy('b')], 'available b'],
    [
      'one under way beside a broken one',
      [copy('a', { State: 'Unavailable' }), copy('b', { State: 'Making' })],
      'copying The copy b is still Making.',
    ],
    ['an unknown state', [copy('a', { State: 'Syncing' })], 'copying The copy a is still Syncing.'],
    ['no state', [copy('a', { State: undefined as never })], 'copying The copy a has no readable state.'],
    [
      'another size',
      [copy('a', { ImageSize: 20 })],
      'different a does not match the source: 20 GB instead of 40 GB. Do not use it.',
    ],
    [
      'another name',
      [copy('a', { ImageName: 'web-2' })],
      'missing No copy of uimage-s is named web; under another name: a (web-2).',
    ],
    [
      'a namesake',
      [copy('a', { ImageDescription: 'by hand' })],
      'missing No copy of uimage-s exists; a has the name web, but is not marked as its copy.',
    ],
    [
      'a copy of another source',
      [copy('a', { ImageName: 'x', ImageDescription: withMark('', { ...MARK, imageId: 'uimage-t' }) })],
      'missing No copy of uimage-s exists.',
    ],
  ])('%s', (_, images, words) => {
    expect(judged(images)).toBe(words);
  });

  it('tells what stands beside a sound one, and what features it has lost', () => {
    const source = { ...SOURCE, Features: ['IPv6', 'Aarch64_Type'] };
    const warnings = (...images: Image[]) =>
      judgeByMark(images, { ...ORIGIN, image: source }, 'web', undefined).warnings?.map(
        ({ message }) => message,
      );
    expect(warnings(copy('a', { Features: source.Features }))).toBeUndefined();
    expect(
      warnings(copy('a', { Features: ['IPv6'] }), copy('b', { CreateTime: 2, State: 'Unavailable' })),
    ).toEqual([
      'a lacks features of its source: Aarch64_Type. Aarch64_Type marks an arm64 image.',
      'Beside a there is another copy of the source: b (Unavailable).',
    ]);
    expect(
      warnings(copy('a', { State: 'Unavailable' }), copy('b', { State: 'Unavailable' })),
    ).toBeUndefined();
    const found = judgeById([copy('a')], 'a', SOURCE, { copies: [copy('a'), copy('b'), copy('c')] });
    expect(found.warnings?.[0]?.message).toBe(
      'Beside a there are more copies of the source: b (Available), c (Available).',
    );
  });

  it('counts only valid signatures when there is a secret', () => {
    const signer = { secret: 'sixteen letters..', projectId: 'org-1' };
    const signed = copy('b', { ImageDescription: withMark('', MARK, signer) });
    expect(judged([copy('a'), signed], signer)).toBe('available b');
    expect(judged([copy('a')], signer)).toMatch(/^missing/);
  });
});

it('judges the source where it is its own target, and an image by its id', () => {
  expect(judgeSource(SOURCE).condition).toBe('available');
  expect(judgeSource({ ...SOURCE, State: 'Making' }).problem?.message).toBe(
    'The source uimage-s is still Making.',
  );
  // It is never to be deleted.
  expect(judgeById([{ ...SOURCE, State: 'Unavailable' }], 'uimage-s', SOURCE)).toEqual({
    condition: 'broken',
    image: { ...SOURCE, State: 'Unavailable' },
    problem: {
      message: 'The source uimage-s is Unavailable.',
      advice: expect.stringMatching(/build it again/),
    },
  });
  expect(judgeById([copy('a', { ImageSize: 20 })], 'a', null).condition).toBe('available');
  expect(judgeById([copy('a', { ImageSize: 20 })], 'a', SOURCE).condition).toBe('different');
  expect(judgeById([copy('a')], 'a', SOURCE, { signed: () => true }).condition).toBe('available');
  expect(judgeById([copy('a')], 'a', SOURCE, { signed: () => false })).toMatchObject({
    condition: 'different',
    problem: { message: expect.stringContaining('a has no marker that mark-secret has signed') },
  });
  expect(judgeById([copy('a')], 'b', SOURCE).problem?.message).toBe('The copy b does not exist.');
});
