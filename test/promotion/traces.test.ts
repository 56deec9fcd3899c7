import { expect, it } from 'vitest';
import type { Copy } from '../../src/promotion/model.ts';
import { keyOf, tracesOf } from '../../src/promotion/traces.ts';
import { HERE, PROD, RUN, SOURCE } from './fake-cloud.ts';
import { Scenario } from './scenario.ts';
import { ours } from './undo.ts';

const { order } = new Scenario().context;
const copy = (region: string, some: Partial<Copy> = {}): Copy =>
  ({ ...ours(region), plan: 'copy', created: true, unclear: false, others: [], ...some }) as Copy;
const place = (region: string) => ({ region, projectId: PROD });
const of = (copies: Copy[], submitted = true) => tracesOf(order, { copies, source: SOURCE }, submitted);

it('names what this run has made, and not what it has adopted or only found', () => {
  const adopted = copy('us-ca', { plan: 'adopt', created: false });
  const both = copy('sg', { created: false, others: ['uimage-own'] });
  const { run, created, places, unclear, sourceTime } = of([copy('hk'), both, adopted]);
  expect([run, unclear, sourceTime]).toEqual([RUN, false, SOURCE.CreateTime]);
  expect(created).toEqual([ours('hk'), { ...ours('sg'), imageId: 'uimage-own' }]);
  expect(places.filter(({ unasked }) => !unasked)).toEqual([place('hk'), place('sg')]);
});

it('has the source region beside a list, where an API endpoint that ignores it makes its image', () => {
  const places = (...copies: Copy[]) => of(copies).places;
  expect(places(copy('hk'))).toEqual([place('hk')]);
  expect(places(copy('hk'), copy('sg'))).toContainEqual({ ...place(HERE), unasked: true });
  expect(places(copy('hk'), copy(HERE))).toEqual([place('hk'), place(HERE)]);
  expect(of([copy('hk'), copy('sg')], false).places).toEqual([]);
});

it('tells a doubt of one that was sent, and that marks are kept by one that was made', () => {
  const traces = (some: Partial<Copy>) => of([copy('hk', some), copy('sg')]);
  expect(traces({ unclear: true }).unclear).toBe(true);
  expect(traces({ unclear: true, plan: 'adopt' }).unclear).toBe(false);
  expect(traces({ imageId: null }).created).toEqual([ours('sg')]);
  expect(traces({ marked: true }).marked).toBe(true);
  expect('marked' in traces({ marked: true, created: false })).toBe(false);
  expect('marked' in traces({})).toBe(false);
});

it('knows an image by its region, its project and its id', () => {
  const keys = [
    ours('hk'),
    { ...ours('hk'), region: 'sg' },
    { ...ours('hk'), projectId: 'x' },
    ours('hk', 2),
  ];
  expect(new Set(keys.map(keyOf)).size).toBe(4);
});

it('has the moment of the first copy that was sent, if one was: nothing older is of this run', () => {
  const since = (...times: (number | null)[]) =>
    of(times.map((startedAt) => copy('hk', { startedAt }))).since;
  expect([since(7, null, 5), since(null)]).toEqual([5, undefined]);
  expect('sourceTime' in tracesOf(order, { copies: [], source: null }, true)).toBe(false);
});
