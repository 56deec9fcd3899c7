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
    const { copies, warnings } = planFor({}, { hk: [namesake] });
    const copy = only(copies);
    expect(only(warnings).message).toMatch(/^hk: .*not known as copies of this source: uimage-namesake/);
    expect(copy).toMatchObject({ plan: 'copy', imageId: null });
    expect(copy.why).toContain('uimage-namesake');
  });

  it('may hold the source itself, where it is not known that the project is its own: nothing to delete', () => {
    const { warnings } = planFor(
      {},
      { hk: [{ ...copyOfSource, ImageId: SOURCE.ImageId, ImageDescription: '' }] },
    );
    expect(warnings).toEqual([]);
  });

  it.each([
    ['of another image', markedBy('77-1-old000', 'uimage-other')],
    ['of the same id in another region', '[copy of hk/uimage-source by 77-1-old000]'],
    ['that was cut', markedBy('77-1-old000').slice(0, 40)],
  ])('may hold an image with a mark %s: not adopted', (_, ImageDescription) => {
    const copy = only(planFor({}, { hk: [{ ...copyOfSource, ImageDescription }] }).copies);
    expect(copy).toMatchObject({ plan: 'copy', imageId: null });
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
    const { message } = only(warnings);
    expect(message).toContain('uimage-1-young');
    expect(message).toContain('uimage-4-twin');
    expect(message).not.toContain('uimage-2-broken');
  });

  it('is adopted whatever letters its name is stored in', () => {
    const small = { ...copyOfSource, ImageName: 'web-prod' };
    expect(only(planFor({ target: { name: 'Web-PROD' } }, { hk: [small] }).copies).plan).toBe('adopt');
  });

  it('is copied to again when that copy has another name', () => {
    const copy = only(planFor({ target: { name: 'web-prod' } }, { hk: [copyOfSource] }).copies);
    expect(copy).toMatchObject({ plan: 'copy', imageId: null, name: 'web-prod' });
    expect(copy.why).toContain('uimage-there');
    expect(copy.why).toContain('web-1.4.2');
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

  it('is copied to again when that copy is Unavailable, which is told: it stays', () => {
    const { copies, warnings } = planFor({}, { hk: [{ ...copyOfSource, State: 'Unavailable' }] });
    expect(only(copies)).toMatchObject({ plan: 'copy', imageId: null });
    expect(only(copies).why).toContain('uimage-there');
    expect(only(warnings).message).toMatch(/^hk: .*uimage-there is Unavailable/);
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
    const { copies, problems } = planFor({ ifExists: 'copy' }, { hk: [copyOfSource] });
    expect(only(copies)).toMatchObject({ plan: 'copy', imageId: null, outcome: 'planned' });
    expect(only(copies).why).toContain('uimage-there');
    expect(problems).toEqual([]);
  });

  it('stops everything with if-exists: fail, and every such region is told', () => {
    const held = { hk: [copyOfSource], sg: [{ ...copyOfSource, ImageId: 'uimage-sg', State: 'Copying' }] };
    const { problems } = planFor({ regions: ['hk', 'us-ca', 'sg'], ifExists: 'fail' }, held);
    expect(problems.map(({ message }) => /uimage-there|uimage-sg/.exec(message)?.[0])).toEqual([
      'uimage-there',
      'uimage-sg',
    ]);
    expect(problems[0]?.message).toMatch(/^hk\b/);
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
    expect(only(planFor(some).warnings).message).toContain('web-1.4.2');
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
    expect(copies[1]?.problem?.message).toBe('sg was not copied.');
    expect(problems).toEqual([]);
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
    expect(only(problems).message).toContain('target-image-name');
    expect(copies).toEqual([]);
    expect(planFor({ target: { name: 'web' } }, {}, { source }).problems).toEqual([]);
  });

  it('data disks of the source stay behind', () => {
    const warned = (DataSnapshotIds: string[]) =>
      planFor({}, {}, { source: { ...SOURCE, DataSnapshotIds } }).warnings.map(({ message }) => message);
    expect(warned([])).toEqual([]);
    expect(only(warned(['snap-1']))).toMatch(/\b1 data-disk snapshot:/);
    expect(only(warned(['snap-1', 'snap-2']))).toMatch(/\b2 data-disk snapshots:/);
  });

  it.each([
    ['2025/12/31', true],
    ['2026/01/01', false],
    ['2026/1/1', false],
    ['2025/1/2', true],
    ['2019/06/30', true],
    ['2034/04/30', false],
    ['', false],
    ['soon', false],
    ['2019-06-30', false],
  ])('an operating system that ends on %s, seen on 2026/01/01: told is %s', (MaintainEol, expected) => {
    const { warnings } = planFor({}, {}, { source: { ...SOURCE, MaintainEol } });
    expect(warnings.some(({ message }) => message.includes(MaintainEol))).toBe(expected);
    expect(warnings).toHaveLength(expected ? 1 : 0);
  });
});
