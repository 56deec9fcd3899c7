import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import type { Findings } from '../../src/promotion/check.ts';
import { nearQuota, plan } from '../../src/promotion/plan.ts';
import { copyOf } from '../../src/promotion/view.ts';
import { BUILD, HERE, markedBy, PROD, SOURCE } from './fake-cloud.ts';
import { Scenario } from './scenario.ts';

const NOW = Date.UTC(2026, 0, 1);

const copyOfSource: Image = { ...SOURCE, ImageId: 'uimage-there', ImageDescription: markedBy('77-1-old000') };

function planFor(
  some: ConstructorParameters<typeof Scenario>[0],
  held: Record<string, Image[]> = {},
  findings: Partial<Findings> = {},
) {
  const { order } = new Scenario(some);
  const nothing = order.target.regions.map((region): [string, Image[]] => [region, []]);
  const heldByRegion = new Map([...nothing, ...Object.entries(held)]);
  const found = {
    source: SOURCE,
    sourceProject: BUILD,
    held: heldByRegion,
    unreadable: new Map(),
    ...findings,
  };
  const { places, ...told } = plan(order, found, NOW);
  return { copies: places.map(copyOf), places, found, ...told };
}

function only<T>(items: T[]): T {
  expect(items).toHaveLength(1);
  return items[0] as T;
}

describe('a target that holds nothing of ours', () => {
  it('is to be copied to, under the name of the source', () => {
    const { copies, warnings, problems } = planFor({ regions: ['hk', 'sg'] });
    expect(copies.map(({ region }) => region)).toEqual(['hk', 'sg']);
    for (const copy of copies) {
      expect(copy).toMatchObject({ plan: 'copy', projectId: PROD, name: 'web-1.4.2', outcome: 'planned' });
      expect(copy).toMatchObject({ imageId: null, taskId: null, state: null, created: false, problem: null });
      expect(copy.why).toBe('not there yet');
      expect(copy.unclear).toBe(false);
    }
    expect([warnings, problems]).toEqual([[], []]);
  });

  it('is counted; near the quota there is a warning, but not where no copy could be created', () => {
    const others = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ ImageId: `uimage-x${at}`, ImageName: 'other' }));
    const few = planFor({ regions: ['hk', 'sg'] }, { hk: others(8), sg: [] });
    expect(few.census).toBe('Custom images in the target project before this run: hk 8, sg 0.');
    expect(nearQuota(few.found, few.places)).toBeNull();
    const { found, places } = planFor({ regions: ['hk', 'sg'] }, { hk: others(9), sg: others(10) });
    for (const place of places)
      if (place.region === 'sg') place.problem = { message: 'RetCode 8095', advice: '' };
    const near = nearQuota(found, places);
    expect(near?.message).toMatch(/^Near the quota of custom images, .*: hk 9\. .* 10 \(.* or 30 \(/);
    expect(near?.advice).toContain('the action prune');
    for (const place of places) place.problem = { message: 'RetCode 8095', advice: '' };
    expect(nearQuota(found, places)).toBeNull();
  });

  it('is to be copied to under the name that was ordered', () => {
    expect(only(planFor({ target: { name: 'web' } }).copies).name).toBe('web');
  });

  it('may hold a namesake without our mark: left alone, and mentioned', () => {
    const namesake = { ...copyOfSource, ImageId: 'uimage-namesake', ImageDescription: 'nginx and friends' };
    const other = { ...namesake, ImageId: 'uimage-other', ImageName: 'other' };
    const { copies, warnings } = planFor({}, { hk: [namesake, other] });
    expect(only(copies)).toMatchObject({
      plan: 'copy',
      imageId: null,
      why: 'an image of this name is not known as a copy of this source, so it is left alone: uimage-namesake',
    });
    expect(only(warnings)).toEqual({
      message:
        'hk: images named web-1.4.2 exist that are not known as copies of this source: uimage-namesake. The action leaves them alone.',
      advice: 'Delete those that are earlier copies and that nobody uses.',
    });
  });

  it('may hold the source itself, where it is not known that the project is its own: nothing to delete', () => {
    const { warnings } = planFor(
      {},
      { hk: [{ ...copyOfSource, ImageId: SOURCE.ImageId, ImageDescription: '' }] },
    );
    expect(warnings).toEqual([]);
  });

  it.each([
    ['of another image', markedBy('77-1-old000', 'uimage-other'), true],
    ['of the same id in another region', '[copy of hk/uimage-source by 77-1-old000]', true],
    ['that was cut', markedBy('77-1-old000').slice(0, 40), false],
  ])('may hold an image with a mark %s: not adopted', (_, ImageDescription, isEarlier) => {
    const { copies, warnings } = planFor({}, { hk: [{ ...copyOfSource, ImageDescription }] });
    expect(only(copies)).toMatchObject({ plan: 'copy', imageId: null });
    // An earlier build under the same name is no finding.
    expect(only(copies).why).toMatch(
      isEarlier ? /^not there yet; copies of other sources have/ : /not known/,
    );
    expect(warnings).toHaveLength(isEarlier ? 0 : 1);
  });

  it('is not confused with what another region holds', () => {
    const { copies } = planFor({ regions: ['hk', 'sg'] }, { sg: [copyOfSource] });
    expect(copies.map((copy) => [copy.region, copy.plan])).toEqual([
      ['hk', 'copy'],
      ['sg', 'adopt'],
    ]);
  });
});

describe('a target that holds a copy of this source', () => {
  it.each(['Available', 'Copying', 'Making'])('is adopted when it is %s', (State) => {
    const copy = only(planFor({}, { hk: [{ ...copyOfSource, State }] }).copies);
    expect(copy).toMatchObject({ plan: 'adopt', outcome: 'adopted', imageId: 'uimage-there' });
    expect(copy.why).toMatch(State === 'Available' ? /Available/ : /copying/);
    expect(copy.created).toBe(false);
  });

  it('is adopted, though the list does not tell its name', () => {
    const { ImageName: _, ...nameless } = copyOfSource;
    expect(only(planFor({}, { hk: [nameless] }).copies)).toMatchObject({
      plan: 'adopt',
      imageId: 'uimage-there',
    });
  });

  it('is adopted: the oldest healthy one, by id when they are of one second; the others are named', () => {
    const young = { ...copyOfSource, ImageId: 'uimage-1-young', CreateTime: 300 };
    const broken = { ...copyOfSource, ImageId: 'uimage-2-broken', CreateTime: 100, State: 'Unavailable' };
    const old = { ...copyOfSource, ImageId: 'uimage-3-old', CreateTime: 200 };
    const twin = { ...copyOfSource, ImageId: 'uimage-4-twin', CreateTime: 200 };
    const { copies, warnings } = planFor({}, { hk: [young, twin, broken, old] });
    expect(only(copies).imageId).toBe('uimage-3-old');
    expect(only(warnings)).toEqual({
      message:
        'hk: more copies of this source exist under this name: uimage-4-twin, uimage-1-young. The action reuses uimage-3-old.',
      advice: 'Delete those that nobody uses.',
    });
  });

  it('is adopted whatever letters its name is stored in', () => {
    const small = { ...copyOfSource, ImageName: 'web-prod' };
    expect(only(planFor({ target: { name: 'Web-PROD' } }, { hk: [small] }).copies).plan).toBe('adopt');
  });

  it('is copied to again when that copy has another name', () => {
    const other = { ...copyOfSource, ImageId: 'uimage-other', ImageName: 'other' };
    const namesake = { ...SOURCE, ImageId: 'uimage-namesake', ImageName: 'web-prod' };
    const held = { hk: [copyOfSource, other, namesake] };
    const { copies, warnings } = planFor({ target: { name: 'web-prod' } }, held);
    expect(only(copies)).toMatchObject({ plan: 'copy', imageId: null, name: 'web-prod' });
    expect(only(copies).why).toBe(
      'this source was copied under another name: uimage-there (web-1.4.2), uimage-other (other)',
    );
    expect(warnings).toEqual([]);
  });

  it.each(['Frozen', undefined])(
    'is adopted when its state is %s: to copy again could double it',
    (State) => {
      const { State: _, ...rest } = copyOfSource;
      const image: Image = State === undefined ? rest : { ...rest, State };
      expect(only(planFor({}, { hk: [image] }).copies)).toMatchObject({
        plan: 'adopt',
        imageId: 'uimage-there',
      });
    },
  );

  it('is copied to again when that copy is Unavailable, its name told or not, which is told: it stays', () => {
    const unusable = { ...copyOfSource, State: 'Unavailable' };
    const { ImageName: _, ...nameless } = { ...unusable, ImageId: 'uimage-nameless' };
    const { copies, warnings } = planFor({}, { hk: [unusable, nameless] });
    const states = 'uimage-nameless is Unavailable, uimage-there is Unavailable';
    const why = `the copy there cannot be used: ${states}`;
    expect(only(copies)).toMatchObject({ plan: 'copy', imageId: null, why });
    expect(only(warnings)).toEqual({
      message: `hk: an earlier copy of this source cannot be used: ${states}.`,
      advice: 'Delete it: it is billed and uses quota.',
    });
  });

  it('that differs has failed by the plan: it is not called reused', () => {
    const small = { ...copyOfSource, ImageSize: 1 };
    expect(only(planFor({}, { hk: [small] }).copies)).toMatchObject({
      plan: 'adopt',
      outcome: 'failed',
      problem: { message: expect.stringMatching(/^hk: uimage-there does not match the source/) },
    });
  });

  it('is copied to once more with if-exists: copy', () => {
    const { copies, problems, warnings } = planFor({ ifExists: 'copy' }, { hk: [copyOfSource] });
    expect(only(copies)).toMatchObject({ plan: 'copy', imageId: null, outcome: 'planned' });
    expect(only(copies).why).toBe('if-exists is copy; already there: uimage-there');
    expect([problems, warnings]).toEqual([[], []]);
    // Whoever signed it.
    expect(planFor({ ifExists: 'copy', markSecret: 'hush' }, { hk: [copyOfSource] }).problems).toEqual([]);
  });

  it('stops everything with if-exists: fail, and every such region is told', () => {
    const held = { hk: [copyOfSource], sg: [{ ...copyOfSource, ImageId: 'uimage-sg', State: 'Copying' }] };
    const { problems } = planFor({ regions: ['hk', 'us-ca', 'sg'], ifExists: 'fail' }, held);
    const advice = 'Set if-exists: adopt to reuse it, or copy to create another.';
    expect(problems).toEqual([
      { message: 'hk: uimage-there is already a copy of this source, and if-exists is fail.', advice },
      { message: 'sg: uimage-sg is already a copy of this source, and if-exists is fail.', advice },
    ]);
  });

  it('does not stop if-exists: fail when the copy there is Unavailable or has another name', () => {
    const held = {
      hk: [
        { ...copyOfSource, State: 'Unavailable' },
        { ...copyOfSource, ImageName: 'web' },
      ],
    };
    const { copies, problems } = planFor({ ifExists: 'fail' }, held);
    expect(problems).toEqual([]);
    expect(only(copies).plan).toBe('copy');
  });
});

describe('a target that is the source itself', () => {
  it('is left alone: its id is the id of the source', () => {
    const { copies, warnings } = planFor({ regions: [HERE, 'hk'], target: { projectId: BUILD } });
    expect(copies[0]).toMatchObject({
      plan: 'source',
      outcome: 'source',
      imageId: SOURCE.ImageId,
      state: 'Available',
      created: false,
    });
    expect(copies[1]).toMatchObject({ plan: 'copy', region: 'hk' });
    expect(warnings).toEqual([]);
  });

  it('is so whatever else is there', () => {
    const { copies } = planFor({ regions: [HERE], target: { projectId: BUILD } }, { [HERE]: [copyOfSource] });
    expect(only(copies)).toMatchObject({ plan: 'source', imageId: SOURCE.ImageId });
  });

  it('is so for a source that tells no state, too', () => {
    const { State: _, ...source } = SOURCE;
    const { copies } = planFor({ regions: [HERE], target: { projectId: BUILD } }, {}, { source });
    expect(only(copies).state).toBe('Available');
  });

  it('keeps its name, which is told when another was ordered', () => {
    const some = { regions: [HERE], target: { projectId: BUILD, name: 'web-prod' } };
    expect(only(planFor(some).warnings)).toEqual({
      message: 'cn-bj2: the target is the same image as the source, so it is not named web-prod.',
      advice: 'An image cannot be copied inside its own project and region.',
    });
    expect(planFor({ ...some, target: { projectId: BUILD, name: 'web-1.4.2' } }).warnings).toEqual([]);
  });

  it('is not assumed in another project, in another region, or where the project is not known', () => {
    const where = (some: ConstructorParameters<typeof Scenario>[0], findings: Partial<Findings> = {}) =>
      only(planFor(some, {}, findings).copies).plan;
    expect(where({ regions: [HERE] })).toBe('copy');
    expect(where({ regions: ['hk'], target: { projectId: BUILD } })).toBe('copy');
    expect(where({ regions: [HERE], target: { projectId: BUILD } }, { sourceProject: null })).toBe('copy');
  });
});

describe('a target', () => {
  it('that could not be listed fails alone, with the reason', () => {
    const unreadable = new Map([['sg', { message: 'sg was not copied.', advice: 'Re-run.' }]]);
    const held = new Map([['hk', []]]);
    const { copies, problems } = planFor({ regions: ['hk', 'sg'] }, {}, { held, unreadable });
    expect(copies.map(({ outcome }) => outcome)).toEqual(['planned', 'failed']);
    expect(copies[1]).toMatchObject({
      problem: { message: 'sg was not copied.' },
      why: 'the region could not be listed',
    });
    expect(problems).toEqual([]);
    expect(planFor({ regions: ['sg'] }, {}, { held: new Map(), unreadable }).census).toBe('');
  });

  it('that is optional comes after the others, and once', () => {
    const { copies } = planFor(
      { regions: ['sg', 'hk'], target: { optionalRegions: ['us-ca'] } },
      { 'us-ca': [] },
    );
    expect(copies.map(({ region, optional }) => [region, optional])).toEqual([
      ['sg', false],
      ['hk', false],
      ['us-ca', true],
    ]);
  });
});

describe('what is told before copying', () => {
  it('a source without a name needs one for its copies', () => {
    const { ImageName: _, ...source } = SOURCE;
    const { problems, copies } = planFor({}, {}, { source });
    expect(only(problems)).toEqual({
      message: 'target-image-name: the source uimage-source has no name to take over.',
      advice: 'Set target-image-name: a copy is recognised by its name.',
    });
    expect(copies).toEqual([]);
    expect(planFor({ target: { name: 'web' } }, {}, { source }).problems).toEqual([]);
  });

  it('data disks of the source stay behind', () => {
    const warned = (DataSnapshotIds: string[]) =>
      planFor({}, {}, { source: { ...SOURCE, DataSnapshotIds } }).warnings;
    expect(warned([])).toEqual([]);
    expect(only(warned(['snap-1'])).message).toMatch(/\b1 data-disk snapshot:/);
    expect(only(warned(['snap-1', 'snap-2']))).toEqual({
      message: 'The source uimage-source has 2 data-disk snapshots: only the system disk is copied.',
      advice: 'Copy the data disks on their own where the machines need them.',
    });
  });

  it.each([
    ['2025/12/31', true],
    ['2026/01/01', false],
    ['2026/1/1', false],
    ['2025/1/2', true],
    ['2019/06/30 00:00:00', true],
    ['2034/04/30', false],
    ['', false],
    ['soon', false],
    ['2019-06-30', false],
  ])('an operating system that ends on %s, seen on 2026/01/01: told is %s', (MaintainEol, expected) => {
    const { OsName, ...nameless } = SOURCE;
    const advice = 'It gets no security updates: plan a newer image.';
    for (const [image, name] of [[SOURCE, OsName] as const, [nameless, 'operating system'] as const]) {
      const message = `The source's ${name} reached the end of its life on ${MaintainEol}.`;
      const { warnings } = planFor({}, {}, { source: { ...image, MaintainEol } });
      expect(warnings).toEqual(expected ? [{ message, advice }] : []);
    }
  });
});
