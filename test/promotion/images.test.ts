import { expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { byAge } from '../../src/promotion/images.ts';
import { SOURCE } from './fake-cloud.ts';

const image = (ImageId: string, some: Partial<Image> = {}): Image => ({ ...SOURCE, ImageId, ...some });

it('by age, the oldest image comes first, and of one second the one with the first id', () => {
  const [a, b] = [image('a'), image('b')];
  expect([byAge(a, b), byAge(b, a)]).toEqual([-1, 1]);
  expect(byAge(image('a', { CreateTime: 9 }), image('b', { CreateTime: 4 }))).toBe(5);
});
