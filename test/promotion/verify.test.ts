import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { differences, lostFeatures } from '../../src/promotion/verify.ts';
import { SOURCE } from './fake-cloud.ts';

const copy: Image = {
  ...SOURCE,
  ImageId: 'uimage-copy',
  ImageDescription: 'another',
  CreateTime: 1,
};

describe('a copy against its source', () => {
  it('is the same when operating system and size are, whatever else differs', () => {
    expect(differences(SOURCE, copy)).toBeNull();
    // Another endpoint may spell them otherwise.
    expect(differences(SOURCE, { ...copy, OsType: 'linux', OsName: 'ubuntu 24.04 ' })).toBeNull();
  });

  it.each([
    ['OsType', 'Windows', 'Linux'],
    ['OsName', 'Debian 12', 'Ubuntu 24.04'],
    ['ImageSize', 20, 40],
  ] as const)('differs in %s: both values are told', (field, value, was) => {
    const { message } = differences(SOURCE, { ...copy, [field]: value }) ?? { message: '' };
    for (const word of ['uimage-copy', String(value), String(was)]) expect(message).toContain(word);
  });

  it('is told all that differs at once', () => {
    const problem = differences(SOURCE, { ...copy, OsName: 'Debian 12', ImageSize: 20 });
    expect(problem?.message).toMatch(/20 GB.*Debian 12/);
    expect(problem?.message).not.toContain('Linux');
  });

  it.each(['OsType', 'OsName', 'ImageSize'] as const)(
    'is not compared in %s when either lacks it',
    (field) => {
      const { [field]: _, ...without } = copy;
      expect(differences(SOURCE, without)).toBeNull();
      const { [field]: __, ...source } = SOURCE;
      expect(differences(source, { ...copy, [field]: field === 'ImageSize' ? 1 : 'x' })).toBeNull();
    },
  );
});

describe('features', () => {
  it('that the copy lacks are named; those it has more are not', () => {
    const problem = lostFeatures(
      { ...SOURCE, Features: ['CloudInit', 'IPv6', 'GPU'] },
      { ...copy, Features: ['IPv6', 'HotPlug'] },
    );
    expect(problem?.message).toMatch(/CloudInit.*GPU/);
    expect(problem?.message).not.toContain('IPv6');
    expect(problem?.message).not.toContain('HotPlug');
  });

  it('name the architecture when that is lost', () => {
    const arm = { ...SOURCE, Features: ['Aarch64_Type'] };
    expect(lostFeatures(arm, { ...copy, Features: [] })?.message).toContain('arm64');
    expect(lostFeatures(SOURCE, { ...copy, Features: [] })?.message).not.toContain('arm64');
  });

  it('are not compared when either side lists none at all, and are fine in another order', () => {
    const { Features: _, ...without } = copy;
    expect(lostFeatures(SOURCE, without)).toBeNull();
    const { Features: __, ...source } = SOURCE;
    expect(lostFeatures(source, copy)).toBeNull();
    expect(lostFeatures(SOURCE, { ...copy, Features: ['CloudInit', 'NetEnhanced'] })).toBeNull();
  });
});
