import { describe, expect, it } from 'vitest';
import { listedElsewhere, whichIsWhere } from '../../src/promotion/elsewhere.ts';
import {
  endOf,
  isSettled,
  mayAppear,
  problemsOf,
  statusOf,
  tooLate,
  unsettled,
} from '../../src/promotion/ending.ts';
import type { Copy, Problem, Promotion } from '../../src/promotion/model.ts';
import { newHeld, newPlace, type Place } from '../../src/promotion/place.ts';
import {
  refused as notCopied,
  oneByOne,
  refusedUnseen,
  sentAgainIn,
  unwatchable,
} from '../../src/promotion/refusal.ts';
import * as words from '../../src/promotion/words.ts';
import { markedBy, PROD, refused } from './fake-cloud.ts';
import { Scenario } from './scenario.ts';

const NOW = 1_795_000_000_000;
const problem: Problem = { message: 'The API said no (RetCode 110).', advice: 'Ask it.' };
const place = (region = 'hk', some: Partial<Place> = {}): Place => ({
  ...newPlace({ region, projectId: PROD, name: 'web-1.4.2', optional: false, plan: 'copy', why: '' }),
  ...some,
});
const held = (some: Partial<Place['held'] & object> = {}) =>
  newHeld({ imageId: 'uimage-1', created: true, startedAt: NOW - 600_000, taskId: 'task-1', ...some });
const both = (...regions: string[]) => regions.map((region) => place(region, { answer: problem }));
const image = (ImageId: string, State?: string) => ({
  ImageId,
  ...(State === undefined ? {} : { State }),
});
const denied = refused('DescribeImage', 299, 'hk');
const adopting = new Scenario().byHand();
const copying = new Scenario({ ifExists: 'copy', wait: false }).byHand();

/** Every sentence of the core, each as a reader would get it: the page that a change of words changes. */
it('every sentence is as it stands in sentences.txt', async () => {
  const { order } = adopting;
  const two = [image('uimage-1', 'Copying'), image('uimage-2')];
  const ends = (some: Partial<Place>, of = order) =>
    (['timeout', 'cancelled', 'stopped'] as const).map((end) => unsettled(place('hk', some), of, end, NOW));
  const cancelled = (...places: Place[]) =>
    problemsOf(new Error('x'), { signal: AbortSignal.abort(), order }, places);
  const said: Record<string, (string | Problem | Problem[])[]> = {
    lookFor: [words.lookFor(place())],
    reuses: [words.reuses(order), words.reuses(copying.order)],
    resume: [words.resume(order), words.resume(copying.order)],
    whole: [words.whole('a.b'), words.whole('a!'), words.whole('a')],
    refused: [notCopied(place(), problem)],
    refusedUnseen: [refusedUnseen(place(), problem)],
    withoutId: [
      words.withoutId(place(), { requestId: 'request-1' }),
      words.withoutId(place(), { TargetImageId: 'uimage-1' }),
      words.withoutId(place(), {}, 'uimage-1'),
    ],
    idTwice: [
      words.idTwice(place(), 'uimage-1', { requestId: 'request-1' }),
      words.idTwice(place(), 'uimage-1', {}),
    ],
    twoIds: [words.twoIds(place(), ['uimage-1', 'uimage-2'], {})],
    notOurs: [
      words.notOurs(place(), { ImageId: 'uimage-1', ImageDescription: markedBy('77-1-other0') }),
      words.notOurs(place(), { ImageId: 'uimage-1', ImageName: 'db-9' }),
    ],
    oneForList: [words.oneForList(both('hk', 'sg'), 'uimage-1')],
    sentAgainIn: [sentAgainIn(denied, 1_400)],
    oneByOne: [oneByOne(denied)],
    lastLookIn: [words.lastLookIn(both('hk', 'sg'), 61_200)],
    unclear: [words.unclear(both('hk', 'sg')), words.unclear([place()])],
    nothingKnown: [words.nothingKnown(place())],
    absent: [words.absent(place())],
    unclearTooOften: [adopting, copying].map((run) =>
      words.unclearTooOften(run, place('hk', { unclears: 4 }), problem),
    ),
    stranger: [
      words.stranger(place(), two, problem),
      words.stranger(
        place(),
        [{ ImageId: 'uimage-1', State: 'Available', ImageSize: 40, CreateTime: 1_795_000_000 }],
        problem,
      ),
    ],
    listedNowhere: [words.listedNowhere('uimage-1', 'cn-bj2')],
    copiedMark: [words.copiedMark(place(), two)],
    listedElsewhere: [listedElsewhere(place(), two)],
    whichIsWhere: [whichIsWhere(place(), two)],
    olderTwin: [words.olderTwin(place(), image('uimage-3'), two)],
    notTheCopy: [words.notTheCopy(place(), [image('uimage-1')])],
    namesakes: [words.namesakes(place(), two)],
    keptSecond: [words.keptSecond(adopting, place(), two)],
    unreadable: [
      words.unreadable(adopting, place('hk', { answer: problem }), denied),
      words.unreadable(adopting, place(), denied),
    ],
    unlooked: [words.unlooked(place(), denied)],
    lastLookFailed: [
      words.lastLookFailed(adopting, place('hk', { held: held() }), denied),
      words.lastLookFailed(
        copying,
        place('hk', { doubt: { kind: 'unclear', since: NOW, clearAt: NOW, until: NOW } }),
        denied,
      ),
    ],
    notListedYet: [words.notListedYet(place(), held())],
    gone: [words.gone(held())],
    insteadOf: [words.insteadOf(problem, held(), 'uimage-2')],
    unwatchable: [
      unwatchable(adopting, place(), held(), refused('DescribeImage', 174, 'hk')),
      unwatchable(adopting, place(), held(), denied),
    ],
    broken: [
      words.broken(held({ state: 'Unavailable' })),
      words.broken(held({ state: 'Deleting', taskId: null })),
    ],
    ifNextFails: [words.ifNextFails('uimage-1', 'task-1')],
    unknownState: [words.unknownState('Syncing')],
    markLost: [words.markLost([place('hk', { held: held() }), place('sg', { held: held() })])],
    notInList: [words.notInList(place(), held())],
    markEdited: [words.markEdited(place(), held())],
    renamed: [words.renamed(place(), held(), 'Web')],
    trouble: [words.trouble(place(), held(), denied), words.trouble(place(), held(), null)],
    mayAppear: [adopting, copying].map((run) => mayAppear(both('hk', 'sg'), run.order)),
    'not settled: nothing sent': ends({}),
    'not settled: waiting for its turn': ends({ sentAt: 1 }),
    'not settled: refused': ends({ answer: problem, trouble: problem }),
    'not settled: refused, for later': [3, 1].flatMap((refusals) =>
      ends({ unclear: true, refusals, answer: problem }),
    ),
    'not settled: unclear': ends({ unclear: true, unclears: 1, refusals: 1, answer: problem }),
    'not settled: unclear, for later': ends({ unclear: true, answer: { ...problem, advice: LASTING } }),
    'not settled: unclear, no answer': ends({ unclear: true }),
    'not settled: appeared': ends({ unclears: 1 }),
    'not settled: copying': ends({ held: held({ state: 'Copying', seenAt: NOW }) }, copying.order),
    'not settled: not read': ends({ held: held() }),
    'not settled: beside its own': ends({
      held: held({ created: false }),
      own: ['uimage-1', 'uimage-2', 'uimage-3'],
    }),
    'not settled: unreadable': ends({ held: held(), trouble: problem }),
    'not settled: never listed': [
      ...ends({ held: held({ misses: 1 }) }),
      ...ends({ held: held({ misses: 1, taskId: null }) }),
    ],
    'not settled: vanished': ends({ held: held({ misses: 2, seenAt: NOW - 90_000 }) }),
    'not settled: sent twice': [
      ...ends({ held: held({ misses: 1 }), sends: 2, unclears: 1 }),
      ...ends({ held: held({ misses: 1 }), sends: 1, unclears: 1 }).slice(0, 1),
      ...ends({ held: held({ misses: 1 }), sends: 2 }).slice(0, 1),
    ],
    'cancelled: before': [cancelled(place())],
    'cancelled: all settled': [
      cancelled(place('hk', { sentAt: 1, held: held({ finishedAt: NOW }) }), place('sg')),
    ],
    'cancelled: copying': [
      cancelled(
        place('hk', { sentAt: 1, held: held() }),
        place('sg', { sentAt: 1, unclear: true, held: held({ imageId: 'uimage-2' }) }),
        place('us-ca', { sentAt: 1, unclear: true }),
        place('kr', { sentAt: 1, unclear: true }),
        place('ge-fra', { plan: 'source', held: held({ imageId: 'uimage-s' }) }),
      ),
      cancelled(place('hk', { sentAt: 1, held: held() })),
      cancelled(place('hk', { sentAt: 1, unclear: true })),
    ],
    'a defect': [
      problemsOf(new Error('x is no function'), { signal: new AbortController().signal, order }, []),
    ],
    tooLate: [tooLate(600_000)],
  };
  const lines = Object.entries(said).flatMap(([name, some]) => [
    `${name}`,
    ...some.flat().map((one) => `  ${typeof one === 'string' ? one : `${one.message} >> ${one.advice}`}`),
  ]);
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('sentences.txt');
  expect(Object.keys(words).filter((name) => !(name in said))).toEqual([]);
});

const LASTING = "Re-run the job in a few minutes; if it lasts, give the request id to the vendor's support.";

describe('how a promotion has ended', () => {
  const copy = (some: Partial<Copy> = {}) =>
    ({
      outcome: 'copied',
      state: 'Available',
      optional: false,
      problem: null,
      finishedAt: 1,
      ...some,
    }) as Copy;
  const failed = copy({ outcome: 'failed', problem });
  const ended = (copies: Copy[], problems: Problem[] = []) => ({ copies, problems }) as unknown as Promotion;

  it.each<[string, string, Copy[], Problem[]?]>([
    ['nothing known', 'failed', []],
    ['all there', 'available', [copy(), copy({ outcome: 'source', state: null })]],
    ['one still copying', 'copying', [copy(), copy({ state: 'Copying' })]],
    ['one failed', 'partial', [copy(), failed]],
    ['all failed', 'failed', [failed, failed]],
    ['an optional one failed', 'available', [copy(), { ...failed, optional: true }]],
    ['the required ones failed', 'failed', [failed, copy({ optional: true })]],
    ['optional ones alone, one failed', 'partial', [copy({ optional: true }), { ...failed, optional: true }]],
    ['a problem of the whole', 'failed', [copy()], [problem]],
  ])('%s: %s', (_, status, copies, problems = []) => {
    expect(statusOf(ended(copies, problems), false)).toBe(status);
  });

  it('a plan is planned, unless it would fail', () => {
    expect(statusOf(ended([copy({ state: null })]), true)).toBe('planned');
    expect(statusOf(ended([failed, copy()]), true)).toBe('partial');
  });

  it('by a cancel, at its timeout, stopped, or as it should', () => {
    const open = copy({ problem, finishedAt: null });
    const live = new AbortController().signal;
    const end = (late: boolean, copies: Copy[], problems: Problem[] = [], signal = live) =>
      endOf(ended(copies, problems), signal, late);
    expect(end(true, [open], [], AbortSignal.abort())).toBe('cancelled');
    expect(end(true, [copy(), open])).toBe('timeout');
    expect(end(false, [open])).toBe('complete');
    expect(end(true, [failed, copy({ finishedAt: null })])).toBe('complete');
    expect(end(false, [], [problem])).toBe('stopped');
  });

  it('a target is settled when it has failed, is there, or need not be waited for', () => {
    const open = held({ startedAt: 1 });
    const done = held({ finishedAt: NOW });
    expect(isSettled(place('hk', { problem }), true)).toBe(true);
    expect(isSettled(place('hk'), false)).toBe(false);
    expect(isSettled(place('hk', { plan: 'adopt' }), false)).toBe(false);
    expect(isSettled(place('hk', { held: done }), true)).toBe(true);
    expect([true, false].map((waited) => isSettled(place('hk', { held: open }), waited))).toEqual([
      false,
      true,
    ]);
    const vanished = { ...open, misses: 1 };
    expect(isSettled(place('hk', { held: vanished, plan: 'adopt' }), false)).toBe(false);
    expect(isSettled(place('hk', { held: vanished }), false)).toBe(true);
  });
});
