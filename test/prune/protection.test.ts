import { describe, expect, it } from 'vitest';
import { type Named, objectionsTo } from '../../src/prune/protection.ts';
import type { Item, PruneOrder, RegionReport } from '../../src/prune/prune.ts';

/** A region with these custom images, the last of which is to go. */
const listing = (region: string, ...listed: string[]): RegionReport => ({
  region,
  items: listed.map((ImageId, at) => {
    return { image: { ImageId }, fate: at === listed.length - 1 ? 'due' : 'kept' } as Item;
  }),
  listed,
  problems: [],
});
const named = (release: string, region: string, imageId: string | null, projectId = 'org-1'): Named => ({
  ...{ release, region, projectId, imageId, name: release.startsWith('db') ? 'db-1' : 'web-1' },
});
const objections = (regions: RegionReport[], names: Named[], ids: string[] = []) => {
  const protect = new Map(ids.map((id) => [id, 'named in protect']));
  const rules = { name: 'web-*', keep: 1, minAge: 0, protect };
  const order: PruneOrder = { projectId: 'org-1', regions: [], rules, dryRun: false, timeout: 1 };
  return objectionsTo(regions, order, names).map(
    ({ region = 'all', problem }) => `${region}: ${problem.message} ${problem.advice}`,
  );
};

const hk = listing('hk', 'uimage-new', 'UIMAGE-A', 'uimage-old');
const sg = listing('sg', 'uimage-sg', 'uimage-old-sg');

describe('releases forbid to delete', () => {
  it('anything, when nothing that they name is there: after a rollback', () => {
    const [told, ...more] = objections(
      [hk, sg],
      [named('current', 'hk', 'uimage-b'), named('current', 'sg', 'uimage-c')],
      ['uimage-new'],
    );
    expect(told).toMatch(
      /^all: protect-releases names uimage-b in hk \(release current\), uimage-c in sg \(release current\): no custom image of project org-1 in the regions to prune has such an id, so no release protects anything, and nothing is deleted\..* Run the promotion of that release again/,
    );
    expect(more).toEqual([]);
  });

  it('in a region one of whose images is not there any more, whatever the others name', () => {
    const names = [
      named('v2', 'sg', 'uimage-sg'),
      named('v2', 'hk', 'uimage-b'),
      named('v1', 'hk', 'uimage-a'),
    ];
    expect(objections([hk, sg], names)).toEqual([
      expect.stringMatching(
        /^hk: protect-releases names uimage-b in hk \(release v2\): no custom image .* nothing more is deleted there\. /,
      ),
    ]);
  });

  it('in no region whose images of another family are gone', () => {
    expect(objections([hk, sg], [named('db-v1', 'hk', 'uimage-db'), named('v1', 'sg', 'uimage-sg')])).toEqual(
      [],
    );
  });

  it.each(['Unavailable', 'Deleting'])('in a region whose image is %s', (State) => {
    const broken = { image: { ImageId: 'uimage-a', State }, fate: 'kept' } as Item;
    const report = { ...hk, items: [broken, ...(hk.items ?? [])] };
    expect(objections([report], [named('v1', 'hk', 'uimage-a')])).toEqual([
      expect.stringContaining('no custom image of project org-1 that can be used has such an id there'),
    ]);
  });

  it('in a region to which the copy has failed, unless something is protected there', () => {
    const names = [named('current', 'hk', 'uimage-a'), named('current', 'sg', null)];
    expect(objections([hk, sg], names)).toEqual([
      expect.stringMatching(
        /^sg: protect-releases: the copy to sg has failed in release current, and no other .* name the ids in use in sg in protect/,
      ),
    ]);
    expect(objections([hk, sg], names, ['uimage-sg'])).toEqual([]);
    expect(objections([hk, sg], [...names, named('v1', 'sg', 'uimage-sg')])).toEqual([]);
  });
});

it.each<[string, RegionReport[], Named[]]>([
  ['all are there, whatever the case of letters', [hk], [named('v1', 'HK', 'uimage-a')]],
  [
    'one is in a region that is not pruned',
    [hk],
    [named('v1', 'hk', 'uimage-a'), named('v1', 'sg', 'uimage-c')],
  ],
  [
    'one is in another project',
    [hk],
    [named('v1', 'hk', 'uimage-a'), named('v2', 'hk', 'uimage-x', 'org-2')],
  ],
  ['nothing is to go', [hk, listing('sg')], [named('v1', 'hk', 'uimage-a'), named('v1', 'sg', 'uimage-c')]],
  ['the list is missing', [{ ...hk, items: null, listed: [] }], [named('v1', 'hk', 'uimage-b')]],
  ['there are none', [hk], []],
])('releases forbid nothing when %s', (_, regions, names) => {
  expect(objections(regions, names)).toEqual([]);
});
