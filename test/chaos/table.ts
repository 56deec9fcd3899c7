import { parseArgs } from 'node:util';
import { play } from './play.ts';
import type { Run, Scenario, Target } from './scenario.ts';
import { schedules } from './search.ts';

/**
 * node test/chaos/table.ts [--seed N] [--schedules M]
 * What an API endpoint does × how the step is run: each cell is M schedules of the search in which both are so. It
 * tells how many broke a promise of the oracle (no double that is not told, no image lost, no stranger's handed out,
 * nothing denied that is there), and how many of the runs that ended by themselves ended with every copy Available.
 */

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '20261124' }, schedules: { type: 'string', default: '100' } },
});
const seed = Number(values.seed);
const count = Number(values.schedules);

type Change = (one: Scenario) => Scenario;

const site =
  (some: Partial<Scenario['site']>): Change =>
  (one) => ({ ...one, site: { ...one.site, ...some } });
const targets =
  (change: (target: Target) => Partial<Target>): Change =>
  (one) => ({ ...one, targets: one.targets.map((target) => ({ ...target, ...change(target) })) });
const fates = (some: Partial<Target['fates'][number]>): Change =>
  targets(({ fates: all }) => ({ fates: all.map((fate) => ({ ...fate, ...some })) }));
const copyFault =
  (effect: Scenario['faults'][number]['effect']): Change =>
  (one) => ({ ...one, faults: [{ on: 'CopyCustomImage', nth: 1, count: 1, effect }, ...one.faults] });
const unwhole =
  (how: 'empty' | 'null'): Change =>
  (one) => ({
    ...one,
    faults: [{ on: 'DescribeImage', nth: 2, count: 5, effect: { kind: 'unwhole', how } }, ...one.faults],
  });
const stranger = (described: 'not' | 'as ours'): Change =>
  targets(() => ({ strangers: [{ after: 30, described, same: true }] }));

const BEHAVIOURS: [string, Change][] = [
  ['as documented', (one) => one],
  ['answer lost, executed', copyFault({ kind: 'lost', after: 60, executed: 20 })],
  ['answer lost, not executed', copyFault({ kind: 'lost', after: 60, executed: null })],
  ['RetCode 110, executed late', copyFault({ kind: 'code', code: 110, executed: 60, mask: 31 })],
  ['batch refused, made in part', copyFault({ kind: 'code', code: 8095, executed: 0, mask: 5 })],
  ['throttle refuses, and made it', copyFault({ kind: 'code', code: 153, executed: 30, mask: 31 })],
  ['ignores the list of regions', site({ batch: false })],
  ['answers a list with one id', site({ answersOne: true })],
  ['answers two ids for a region', copyFault({ kind: 'partial', which: 0, how: 'twice', executed: 0 })],
  ['answers an older image', copyFault({ kind: 'partial', which: 0, how: 'old', executed: 0 })],
  ['swaps the ids of two regions', copyFault({ kind: 'partial', which: 0, how: 'swapped', executed: 0 })],
  ['drops descriptions', site({ description: 0 })],
  ['cuts descriptions at 128', site({ description: 128 })],
  ['names in small letters', site({ lowercases: true })],
  ['spells UnAvailable', site({ states: 'UnAvailable' })],
  ['sizes of 0', fates({ sizeless: 'always' })],
  ['lists 50 s late', fates({ listedAfter: 50 })],
  ['lists minutes late', fates({ listedAfter: 300 })],
  ['lists what is deleted', site({ ghosts: { seconds: 200, byId: true } })],
  ['lists that are not whole', unwhole('empty')],
  ['lists with null in them', unwhole('null')],
  ['lists of every region in each', site({ everywhere: true })],
  ['no TotalCount, pages of 20', site({ total: false, page: 20, others: 19 })],
  [
    'reads: HTTP 403, 40 times',
    (one) => ({
      ...one,
      faults: [
        { on: 'DescribeImage', nth: 20, count: 40, effect: { kind: 'http', status: 403, executed: null } },
        ...one.faults,
      ],
    }),
  ],
  [
    'one region full',
    (one) => ({
      ...one,
      targets: one.targets.map((target, index) => (index === 0 ? { ...target, refuses: 8095 } : target)),
    }),
  ],
  ['one call a second', site({ throttle: { rate: 1, burst: 1 } })],
  ['deletes locked (295)', site({ locked: true })],
  ['deletes carried out 40 s late', site({ deletes: { how: 'late', seconds: 40 } })],
  ['deletes accepted, not done', site({ deletes: { how: 'ignored', times: 99 } })],
  ['8956 for what is not listed', site({ missingIsAnError: true })],
  ['a stranger of the name', stranger('not')],
  ['a stranger with our mark', stranger('as ours')],
  ['copies deleted meanwhile', fates({ removedAfter: 200 })],
  ['marks edited meanwhile', fates({ edited: { after: 60, how: 'replaced' } })],
];

const plain = (one: Run | undefined): Run => ({
  ifExists: 'adopt',
  wait: one?.wait ?? true,
  timeout: one?.timeout ?? '2h',
  pollInterval: '',
  rollback: 'never',
  stop: null,
  laterStepFails: false,
  twin: null,
  gap: one?.gap ?? 120,
});

const WAYS: [string, (own: Run | undefined) => Run[]][] = [
  ['one run', (own) => [plain(own)]],
  ['re-run', (own) => [plain(own), plain(own)]],
  ['two at once', () => [{ ...plain(undefined), twin: 500 }]],
  [
    'cancel + post',
    (own) => [
      { ...plain(own), rollback: 'step', stop: { how: 'cancel', at: { copy: 1, plus: 3_000 }, post: true } },
    ],
  ],
  [
    'kill + post',
    (own) => [
      { ...plain(own), rollback: 'step', stop: { how: 'kill', at: { copy: 1, plus: 3_000 }, post: true } },
    ],
  ],
  ['rollback', (own) => [{ ...plain(own), rollback: 'job', laterStepFails: true }]],
];

const base = schedules(seed, count);
let broken = 0;
console.log(
  `${count} schedules a cell, seed ${seed}: how many broke a promise, runs that ended with every copy Available / runs that ended.`,
);
console.log(['what the endpoint does'.padEnd(32), ...WAYS.map(([way]) => way.padStart(14))].join(''));
for (const [name, change] of BEHAVIOURS) {
  const cells: string[] = [];
  for (const [, runs] of WAYS) {
    const kinds: string[] = [];
    const ends = { all: 0, available: 0 };
    for (const [index, one] of base.entries()) {
      const { violations, struck } = await play(change({ ...one, runs: runs(one.runs[0]) }), false);
      for (const [kind, times] of struck) {
        if (/^run ends (?!by)/.test(kind)) ends.all += times;
        if (kind === 'run ends available') ends.available += times;
      }
      if (violations.length > 0) kinds.push(`${index + 1}: ${violations[0]}`);
    }
    broken += kinds.length;
    cells.push(`${kinds.length}, ${ends.available}/${ends.all}`.padStart(14));
    for (const kind of kinds.slice(0, 2)) console.error(`${name}, ${kind}`);
  }
  console.log([name.padEnd(32), ...cells].join(''));
}
console.log(`${BEHAVIOURS.length * WAYS.length * count} schedules, ${broken} broke a promise.`);
process.exitCode = broken > 0 ? 1 : 0;
