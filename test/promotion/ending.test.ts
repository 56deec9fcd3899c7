import { describe, expect, it } from 'vitest';
import { rolledBack } from '../../src/promotion/ending.ts';
import type { Copy, Promotion } from '../../src/promotion/model.ts';
import { SOURCE } from './fake-cloud.ts';
import { ours } from './undo.ts';

describe('a promotion whose images were rolled back', () => {
  const copy = (region: string, some: Partial<Copy> = {}): Copy => ({
    ...ours(region),
    name: 'web',
    plan: 'copy',
    why: '',
    taskId: null,
    state: 'Available',
    outcome: 'copied',
    created: true,
    unclear: false,
    optional: false,
    listed: true,
    pending: false,
    others: [],
    startedAt: 0,
    finishedAt: 1,
    problem: null,
    ...some,
  });

  const begun = {
    status: 'partial' as const,
    source: SOURCE,
    problems: [],
    ended: 'complete' as const,
    seconds: 1,
  };

  it('names no deleted image as there, and keeps the reason why the step failed', () => {
    const broken = { message: 'sg: the copy ended Unavailable.', advice: 'Look into it.' };
    const adopted = copy('us-ca', { plan: 'adopt', outcome: 'adopted', created: false });
    const copies = [
      copy('hk'),
      copy('sg', { outcome: 'failed', state: 'Unavailable', problem: broken }),
      adopted,
    ];
    const promotion: Promotion = { ...begun, copies };
    rolledBack(promotion, { deleted: [ours('hk'), ours('sg')], left: [] });
    expect(promotion).toMatchObject({ status: 'partial', rollback: { by: 'step', because: ['sg'] } });
    expect(promotion.copies).toEqual([
      copy('hk', {
        state: 'Deleted',
        created: false,
        outcome: 'failed',
        problem: { message: 'hk: the rollback deleted uimage-hk-1, because sg failed.', advice: '' },
      }),
      copy('sg', {
        state: 'Deleted',
        created: false,
        outcome: 'failed',
        problem: {
          message: 'sg: the copy ended Unavailable. The rollback deleted it.',
          advice: 'If the next copy fails too, give the vendor uimage-sg-1 and the ids of the next copy.',
        },
      }),
      adopted,
    ]);
  });

  it('hands out no image that is left and may yet be deleted, or is not known to be its own', () => {
    const one: Promotion = { ...begun, copies: [copy('hk', { others: ['uimage-hk-2', 'uimage-hk-3'] })] };
    rolledBack(one, { deleted: [ours('hk', 2)], left: [{ ...ours('hk'), unusable: true }] });
    const message = 'hk: uimage-hk-1 is left over from the rollback. Do not use it: see the warning.';
    const problem = { message, advice: '' };
    expect(one.copies).toEqual([copy('hk', { outcome: 'failed', problem, others: ['uimage-hk-3'] })]);
  });

  it('does not claim to have deleted what was gone when it came', () => {
    const lost = { message: 'sg: somebody deleted it.', advice: '' };
    const promotion: Promotion = {
      ...begun,
      copies: [copy('hk'), copy('sg', { outcome: 'failed', pending: true, problem: lost })],
    };
    const absent = true as const;
    rolledBack(promotion, {
      deleted: [
        { ...ours('hk'), absent },
        { ...ours('sg'), absent },
      ],
      left: [],
    });
    expect(promotion.copies.map(({ problem }) => problem)).toEqual([
      { message: 'hk: the rollback found uimage-hk-1 gone, because sg failed.', advice: '' },
      { message: 'sg: somebody deleted it. The rollback found it gone.', advice: '' },
    ]);
  });

  it('leaves no word of reusing a copy that it was to delete, and could not', () => {
    const problem = { message: 'hk: not known.', advice: 'A re-run reuses the copy.' };
    const late = { outcome: 'failed', pending: true, problem } as const;
    const one: Promotion = { ...begun, copies: [copy('hk', late), copy('sg', late)] };
    rolledBack(one, { deleted: [], left: [ours('hk')] });
    expect(one.copies.map((each) => each.problem)).toEqual([
      { message: 'hk: not known. The rollback has not deleted it.', advice: '' },
      problem,
    ]);
  });

  it('has failed as a whole when none is left, and is as it was when none was deleted', () => {
    const one = () => ({ ...begun, copies: [copy('hk')] });
    const gone: Promotion = one();
    rolledBack(gone, { deleted: [ours('hk')], left: [] });
    const message = 'hk: the rollback deleted uimage-hk-1, because the step failed.';
    expect(gone).toMatchObject({ status: 'failed', copies: [{ problem: { message } }] });
    for (const other of [ours('hk', 2), { ...ours('hk'), region: 'sg' }]) {
      const kept: Promotion = one();
      rolledBack(kept, { deleted: [other], left: [{ ...other, unusable: true }] });
      expect(kept.copies).toEqual(one().copies);
    }
    const unsent: Promotion = { ...one(), copies: [copy('hk', { imageId: null })] };
    rolledBack(unsent, { deleted: [ours('hk')], left: [] });
    expect(unsent.copies[0]?.state).toBe('Available');
    const nothing = one();
    rolledBack(nothing, { deleted: [], left: [] });
    expect(nothing).toEqual(one());
  });

  it('says of a copy in doubt, or beside that of another run, that it was found, and of a broken one that it was left', () => {
    const problem = (region: string) => ({ message: `${region}: …`, advice: 'Look.' });
    const doubtful = copy('hk', { imageId: null, outcome: 'failed', pending: true, problem: problem('hk') });
    const beside = copy('kr', { ...doubtful, ...ours('kr', 9), created: false, problem: problem('kr') });
    const promotion: Promotion = {
      ...begun,
      ended: 'timeout',
      copies: [doubtful, copy('sg', { outcome: 'failed', problem: problem('sg') }), copy('us-ca'), beside],
    };
    const found = [ours('hk'), ours('hk', 2), ours('kr')];
    rolledBack(promotion, { deleted: [...found, ours('us-ca')], left: [ours('sg')] });
    expect(promotion.copies[0]?.problem?.advice).toBe('');
    expect(promotion.copies.map(({ problem, pending }) => [problem?.message, pending])).toEqual([
      ['hk: … The rollback found and deleted uimage-hk-1, uimage-hk-2.', false],
      ['sg: … The rollback has not deleted it.', false],
      ['us-ca: the rollback deleted uimage-us-ca-1, because hk, sg, kr did not finish in time.', false],
      ['kr: … The rollback found and deleted uimage-kr-1.', true],
    ]);
    expect(promotion.rollback).toMatchObject({ because: ['hk', 'sg', 'kr'], left: [ours('sg')] });
  });
});
