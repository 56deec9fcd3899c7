import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { withMark } from '../../src/promotion/mark.ts';
import { decide, type Rules } from '../../src/prune/decide.ts';

const NOW = Date.UTC(2026, 10, 25);
const DAY = 86_400_000;
const ImageDescription = withMark('base', { region: 'cn-bj2', imageId: 'uimage-s', run: '77-1-abcdef' });

/** A sound copy of the family, `days` old. */
const copy = (ImageId: string, days: number, some: Partial<Image> = {}): Image => ({
  ImageId,
  ImageName: `web-${ImageId}`,
  ImageType: 'Custom',
  State: 'Available',
  ImageDescription,
  CreateTime: (NOW - days * DAY) / 1000,
  ...some,
});

/** In the order of the answer. */
function decided(images: Image[], some: Partial<Rules> = {}): string[] {
  const rules: Rules = { name: 'web-*', keep: 2, minAge: 7 * DAY, protect: new Map(), ...some };
  return decide(images, rules, NOW).map(({ image, verdict, why }) => `${verdict} ${image.ImageId}: ${why}`);
}

describe('decide', () => {
  it('keeps the newest sound ones, the young and the protected; the rest goes, newest first', () => {
    const images = [copy('f', 90), copy('a', 1), copy('b', 9), copy('c', 10), copy('D', 30), copy('e', 60)];
    expect(decided(images, { protect: new Map([['d', 'named in protect']]) })).toEqual([
      'keep a: younger than 7d',
      'keep b: one of the 2 newest',
      'delete c: older than the newest 2',
      'keep D: named in protect',
      'delete e: older than the newest 2',
      'delete f: older than the newest 2',
    ]);
    expect(decided(images, { keep: 1, minAge: 36 * 3_600_000 })[1]).toBe('delete b: older than the newest 1');
  });

  it.each<[string, Partial<Image>]>([
    ['has no marker', { ImageDescription: 'base' }],
    ['has a marker written by hand', { ImageDescription: '[copy of cn-bj2/uimage-s by hand]' }],
    ['has words before its marker', { ImageDescription: `golden ${ImageDescription}` }],
    ['has a marker that is cut', { ImageDescription: ImageDescription.slice(0, 30) }],
    ['has no description', { ImageDescription: undefined as never }],
    ['has another name', { ImageName: 'my-web-1' }],
    ['is no custom image', { ImageType: 'Business' }],
  ])('leaves alone what %s', (_, some) => {
    expect(decided([copy('a', 9), copy('b', 9), copy('c', 99), copy('x', 98, some)])).toEqual([
      'keep b: one of the 2 newest',
      'keep a: one of the 2 newest',
      'delete c: older than the newest 2',
    ]);
  });

  it.each<[string, Partial<Image>, string]>([
    ['Copying', { State: 'Copying' }, 'keep x: still Copying'],
    ['Making', { State: 'Making' }, 'keep x: still Making'],
    ['unknown', { State: 'Syncing' }, 'keep x: in the state Syncing, which this action does not know'],
    ['absent', { State: undefined as never }, 'keep x: its state is not known'],
    ['Unavailable', { State: 'Unavailable' }, 'delete x: cannot be used'],
    ['of no age', { CreateTime: undefined as never }, 'keep x: its age is not known'],
    ['of the age 0', { CreateTime: 0 }, 'keep x: its age is not known'],
  ])('one that is %s never takes the place of a sound one', (_, some, line) => {
    const told = decided([copy('a', 20), copy('b', 30), copy('x', 10, some), copy('c', 40)]);
    expect(told).toContain(line);
    expect(told.filter((each) => !each.includes(' x:'))).toEqual([
      'keep a: one of the 2 newest',
      'keep b: one of the 2 newest',
      'delete c: older than the newest 2',
    ]);
  });

  it('counts to the second', () => {
    const images = [copy('a', 8), copy('b', 7), copy('c', 7 - 1 / 86_400), copy('d', -1)];
    expect(decided(images, { keep: 1 })).toEqual([
      'keep d: younger than 7d',
      'keep c: younger than 7d',
      'delete b: older than the newest 1',
      'delete a: older than the newest 1',
    ]);
  });
});
