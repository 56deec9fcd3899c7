import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { nearest } from '../../src/promotion/near.ts';

const regions = ['cn-bj2', 'cn-bj1', 'cn-sh2', 'hk', 'sg', 'tw-tp', 'us-ca', 'us-ws', 'jpn-tky', 'kr-seoul'];

it.each([
  ['cn-bj3', ['cn-bj1', 'cn-bj2']],
  ['cn-jb2', ['cn-bj2', 'cn-sh2']],
  ['us-cal', ['us-ca']],
  ['us', ['us-ca', 'us-ws']],
  ['HK', ['hk']],
  ['hkk', ['hk']],
  ['seoul', ['kr-seoul']],
  ['kr-seoul-01', ['kr-seoul']],
  ['us_ca', ['us-ca']],
])('offers for %s %j, and no wild ones', (word, wanted) => {
  expect(nearest(word, regions)).toEqual(wanted);
});

it('does not count the stars of a glob', () => {
  expect(nearest('web*', ['web', 'w'])).toEqual(['web']);
  expect(nearest('wbe-server-*', ['web-server-12', 'db'])).toEqual(['web-server-12']);
  expect(nearest('***', ['a', 'abc'])).toEqual([]);
});

it('offers nothing where nothing is near', () => {
  expect(nearest('frankfurt-am-main', regions)).toEqual([]);
  expect(nearest('hk', [])).toEqual([]);
});

it('does not take one letter for a part of a word', () => {
  expect(nearest('u', ['ubuntu-24.04', 'us-ca'])).toEqual([]);
});

it('takes a word inside another for near', () => {
  expect(nearest('prod', ['web-prod-frontend', 'other'])).toEqual(['web-prod-frontend']);
  expect(nearest('web-prod-frontend', ['prod'])).toEqual(['prod']);
});

it('offers the word alone that differs in nothing but its case', () => {
  expect(nearest('Web', ['a-web', 'b-web', 'c-web', 'web'])).toEqual(['web']);
});

it('never offers more than three, each once, all of them there', () => {
  const words = fc.array(fc.stringMatching(/^[a-z0-9-]{1,12}$/), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(words, fc.nat(), (candidates, at) => {
      const word = candidates[at % candidates.length] ?? '';
      const offered = nearest(word, [...candidates, ...candidates]);
      expect(offered.length).toBeLessThanOrEqual(3);
      expect(new Set(offered).size).toBe(offered.length);
      expect(candidates).toEqual(expect.arrayContaining(offered));
      expect(offered.length).toBeGreaterThan(0);
    }),
  );
});
