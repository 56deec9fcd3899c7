import { describe, expect, it } from 'vitest';
import { tellLeft } from '../../src/promotion/excess.ts';
import { markedBy, PROD } from './fake-cloud.ts';
import {
  adopted,
  available,
  byOther,
  copying,
  DEADLINE,
  life,
  MADE,
  putOff,
  settled,
  stranger,
  UNCLEAR,
} from './life.ts';
import { ours } from './scenario.ts';

describe('the last look', () => {
  it('leaves an image as it was seen where a listing lags, and heeds that it differs', () => {
    expect(settled().lastLook(copying('uimage-1')).copy).toMatchObject({ state: 'Available', problem: null });
    const differs = settled().lastLook({ ...available('uimage-1'), ImageSize: 99 }).copy;
    expect(differs).toMatchObject({
      outcome: 'failed',
      problem: { message: expect.stringContaining('99 GB') },
    });
  });

  const mine = available('uimage-1', 100);

  it('of two runs that copied at once hands out the older one; each deletes only its own', () => {
    const older = settled().lastLook(byOther('uimage-theirs', 99), mine);
    expect(older.copy).toMatchObject({ imageId: 'uimage-theirs', created: false, outcome: 'adopted' });
    expect(older.excess).toEqual(['uimage-1']);
    const younger = settled().lastLook(byOther('uimage-theirs', 101), mine);
    expect([younger.copy.imageId, younger.excess, younger.scenario.warnings]).toEqual(['uimage-1', [], []]);
    expect(younger.scenario.of('state')).toHaveLength(1);
    expect(settled().lastLook(byOther('uimage-0', 100), mine).copy.imageId).toBe('uimage-0');
  });

  it('waits for an older one of another run, and deletes its own only when that is good', () => {
    const one = settled().lastLook(byOther('uimage-theirs', 99, { State: 'Copying' }), mine);
    expect([one.copy.imageId, one.copy.finishedAt, one.excess]).toEqual(['uimage-theirs', null, []]);
    expect(one.due?.[0]).toBe('poll');
    one.at(80).poll(byOther('uimage-theirs', 99));
    expect(one.due).toEqual(['last look', 80]);
    expect(one.lastLook(byOther('uimage-theirs', 99), mine).excess).toEqual(['uimage-1']);
  });

  it('returns to its own when the other one ends Unavailable', () => {
    const one = settled().lastLook(byOther('uimage-theirs', 99, { State: 'Copying' }), mine);
    const broken = byOther('uimage-theirs', 99, { State: 'Unavailable' });
    one.at(80).poll(broken).lastLook(broken, mine);
    expect(one.copy).toMatchObject({ imageId: 'uimage-1', created: true, problem: null, state: 'Available' });
    expect(one.excess).toEqual([]);
  });

  it.each([
    ['is Unavailable', { State: 'Unavailable' }],
    ['differs from the source', { ImageSize: 20 }],
    ['has another name', { ImageName: 'db' }],
    ['is of another source', { ImageDescription: markedBy('77-1-other0', 'uimage-other') }],
    ['has no mark', { ImageDescription: 'by hand' }],
  ])('prefers no older image that %s, and deletes none', (_, some) => {
    const one = settled().lastLook(byOther('uimage-theirs', 1, some), mine);
    expect([one.copy.imageId, one.copy.problem, one.excess]).toEqual(['uimage-1', null, []]);
  });

  it('with if-exists: copy prefers no copy of another run', () => {
    expect(settled({ ifExists: 'copy' }).lastLook(byOther('uimage-0', 1), mine).copy.imageId).toBe(
      'uimage-1',
    );
  });

  /** Sent twice: a refusal that lied, or an answer that was not clear, may have made one. */
  const twice = (first = putOff(10), half = 5) =>
    life().send(first).at(half).look().send(MADE).at(160).poll(mine).at(300);

  it('deletes the younger one of two that this run made', () => {
    for (const second of [available('uimage-2', 105), copying('uimage-2', 105)])
      for (const first of [mine, { ...mine, ImageDescription: 'by hand' }])
        expect(twice().lastLook(first, second).excess).toEqual(['uimage-2']);
    expect(settled().lastLook(mine, available('uimage-2', 105)).excess).toEqual(['uimage-2']);
    for (const one of [twice(), twice(UNCLEAR, 120)]) {
      one.lastLook(mine, available('uimage-0', 95));
      expect([one.copy.imageId, one.excess]).toEqual(['uimage-0', ['uimage-1']]);
    }
  });

  it('deletes its own one that has lost its mark meanwhile, too', () => {
    const one = twice().lastLook(mine, copying('uimage-0', 95)).at(340).poll(available('uimage-0', 95));
    expect(one.excess).toEqual([]);
    one.lastLook(available('uimage-0', 95), { ...mine, ImageDescription: 'by hand' });
    expect(one.excess).toEqual(['uimage-1']);
  });

  it('hands out the other one of ours when the first is broken, and deletes that', () => {
    const one = twice();
    const now = Math.floor(one.scenario.clock.now() / 1000);
    const broken = { ...mine, State: 'Unavailable', CreateTime: now };
    one.poll(broken).lastLook(broken, available('uimage-2', now + 5));
    expect(one.copy).toMatchObject({ imageId: 'uimage-2', problem: null });
    expect(one.excess).toEqual(['uimage-1']);
    const other = settled()
      .poll(broken)
      .lastLook(broken, byOther('uimage-theirs', now + 5));
    expect([other.copy.imageId, other.excess]).toEqual(['uimage-theirs', ['uimage-1']]);
  });

  it('deletes nothing where none is sound, and tells the others', () => {
    const broken = { ...mine, State: 'Unavailable' };
    const one = twice()
      .poll(broken)
      .lastLook(broken, ours('uimage-2', { CreateTime: 105, State: 'Unavailable' }));
    expect([one.copy.outcome, one.copy.imageId, one.excess]).toEqual(['failed', 'uimage-1', []]);
    expect(one.scenario.warnings.join()).toContain('uimage-2');
    expect(one.scenario.of('state').map(({ copy }) => copy.state)).toEqual(['Available', 'Unavailable']);
  });

  it('at the deadline takes an Available one before its own that is still under way', () => {
    const one = life().send(putOff(10)).at(5).look().at(10).send(MADE).at(DEADLINE);
    one.lastLook(copying('uimage-1'), available('uimage-2', 105));
    expect(one.copy).toMatchObject({ imageId: 'uimage-2', state: 'Available', problem: null });
    expect([one.excess, one.scenario.warnings.join()]).toEqual([[], expect.stringContaining('uimage-1')]);
    const none = life()
      .send(MADE)
      .at(DEADLINE)
      .lastLook(copying('uimage-1'), byOther('uimage-0', 1, { State: 'Copying' }));
    expect([none.copy.imageId, none.excess, none.scenario.warnings]).toEqual(['uimage-1', [], []]);
    const theirs = life().send(MADE).at(DEADLINE).lastLook(copying('uimage-1'), byOther('uimage-0', 1));
    expect(theirs.copy.imageId).toBe('uimage-0');
  });

  it('at the deadline tells no other copy that is younger, or broken, and names no image twice in the end', () => {
    const others = [byOther('uimage-0', 1, { State: 'Unavailable' }), byOther('uimage-2', 200)];
    expect(
      settled()
        .at(DEADLINE)
        .lastLook(mine, ...others).scenario.warnings,
    ).toEqual([]);
    const one = life()
      .send(putOff(10))
      .at(5)
      .look()
      .send({ ...MADE, imageId: 'uimage-3' })
      .send(MADE);
    one.at(DEADLINE).lastLook(copying('uimage-1'), available('uimage-2', 105));
    tellLeft(one.run, one.place);
    expect(one.scenario.warnings).toEqual([
      expect.stringContaining('second copy, uimage-1 (Copying).'),
      expect.stringContaining('uimage-3 in hk as a duplicate; it is not listed'),
    ]);
  });

  it('decides nothing when the image is missing from this one answer', () => {
    const one = settled().lastLook(byOther('uimage-theirs', 1));
    expect([one.copy.imageId, one.excess, one.copy.problem]).toEqual(['uimage-1', [], null]);
    expect(one.scenario.warnings).toEqual([]);
    const tagged = settled({ target: { projectId: PROD, tag: 'prod' } }).lastLook();
    expect(tagged.scenario.warnings).toEqual([expect.stringMatching(/uimage-1.*target-image-tag/)]);
  });

  it('reads the image by its id where it is missing at the end, and goes on to another of ours when it is gone', () => {
    const one = twice().lastLook(mine);
    one.run.closing = 300_000;
    one.at(300).lastLook(available('uimage-2', 105));
    expect([one.copy.imageId, one.due?.[0]]).toEqual(['uimage-1', 'poll']);
    for (const at of [310, 400, 500]) one.at(at).poll();
    // A list may show for a while what was deleted.
    one.lastLook(mine, available('uimage-2', 105));
    expect([one.copy.imageId, one.copy.problem, one.excess]).toEqual(['uimage-2', null, []]);
  });

  it('goes back to its own image, known by its id, though somebody has edited its mark away', () => {
    const edited = { ...mine, ImageDescription: 'by hand', CreateTime: Date.UTC(2026, 0, 1) / 1000 };
    const theirs = byOther('uimage-theirs', 99);
    const one = settled().lastLook(theirs, edited).lastLook(edited);
    for (const at of [70, 150, 300]) one.at(at).poll();
    expect(one.copy.problem?.message).toContain('uimage-theirs');
    expect(one.lastLook(edited).copy).toMatchObject({ imageId: 'uimage-1', created: true, problem: null });
    // Its own is to be deleted by then.
    const reused = settled()
      .lastLook(theirs, mine)
      .lastLook({ ...theirs, ImageDescription: 'by hand' }, mine);
    expect([reused.copy.imageId, reused.excess[0]]).toEqual(['uimage-theirs', 'uimage-1']);
  });

  it('takes no copied mark for a second copy where the first call never reached the API', () => {
    const one = life().send(putOff(10, false)).at(10).send(MADE).at(DEADLINE);
    const now = Math.floor(one.scenario.clock.now() / 1000);
    one.lastLook(copying('uimage-1', now - 99), available('uimage-forged', now - 5));
    expect(one.copy).toMatchObject({ imageId: 'uimage-1', state: 'Copying' });
  });

  it('without a wait, too, is for another copy when the one that was to be reused has vanished', () => {
    const one = adopted({ wait: false });
    for (const at of [10, 100, 200]) one.at(at).poll();
    expect([one.copy.outcome, one.due]).toEqual(['failed', ['last look', 200]]);
    // A list may show for a while what was deleted.
    const old = byOther('uimage-old', 1);
    one.lastLook(old, stranger('uimage-x'), byOther('uimage-3', 100), byOther('uimage-2', 99));
    expect(one.copy).toMatchObject({ imageId: 'uimage-2', problem: null });
    expect(adopted().lastLook(old, byOther('uimage-0', 0)).copy.imageId).toBe('uimage-old');
  });

  it('is once more at the end for a copy that could not be watched: a doubt may have left another one', () => {
    const one = life().send(putOff(10)).at(5).look().at(10).send(MADE).at(20).fail('poll', 172);
    expect(one.at(125).lastLook().due).toBeNull();
    one.at(900).run.closing = one.scenario.clock.now();
    expect(one.due?.[0]).toBe('last look');
    expect(one.lastLook(ours('uimage-late')).copy).toMatchObject({ imageId: 'uimage-late', problem: null });
    expect(one.due).toBeNull();
  });

  it('without a wait keeps the older of two that may be its own, though it is still under way', () => {
    const one = life({ wait: false }).send(putOff(10)).at(5).look().send(MADE).at(125);
    one.lastLook(copying('uimage-1', 100), available('uimage-2', 101));
    expect([one.copy.imageId, one.excess]).toEqual(['uimage-1', ['uimage-2']]);
    const gone = life({ wait: false }).send(putOff(10)).at(5).look().send(MADE).at(9);
    gone.poll(copying('uimage-1', 100)).at(125).lastLook(copying('uimage-2', 101));
    expect(gone.scenario.warnings).toEqual([expect.stringContaining('uimage-2')]);
  });

  it('takes no copied mark for its own beside the one broken image of a single call', () => {
    const one = life().send(UNCLEAR).at(20);
    const now = Math.floor(one.scenario.clock.now() / 1000);
    const broken = ours('uimage-1', { CreateTime: now, State: 'Unavailable' });
    one.look(broken).lastLook(broken, available('uimage-forged', now + 60));
    expect([one.copy.imageId, one.copy.outcome, one.excess]).toEqual(['uimage-1', 'failed', []]);
    expect(one.scenario.warnings.join()).toContain('uimage-forged');
  });

  it('is made once more at the very end where the image has failed and another may be listed late', () => {
    const broken = { ...mine, State: 'Unavailable' };
    const one = twice().poll(broken).lastLook(broken).at(900);
    one.run.closing = 900_000 + one.run.startedAt;
    expect(one.due).toEqual(['last look', 900]);
    expect(one.lastLook(broken, available('uimage-late', 1)).copy.imageId).toBe('uimage-late');
    expect(settled().poll(broken).lastLook(broken).due).toBeNull();
    const none = life().send(UNCLEAR).at(120).look(stranger('uimage-x')).at(900);
    none.run.closing = 900_000 + none.run.startedAt;
    expect(none.due).toEqual(['last look', 900]);
    const late = ours('uimage-z', { State: 'Unavailable' });
    none.lastLook(stranger('uimage-x'), stranger('uimage-y'), late);
    expect(none.scenario.warnings).toEqual([
      expect.stringContaining('second copy, uimage-z (Unavailable)'),
      expect.stringContaining('during this run: uimage-y.'),
    ]);
  });

  it('sees what became of the image since', () => {
    const one = settled().lastLook({ ...mine, State: 'Unavailable' });
    expect(one.copy).toMatchObject({ outcome: 'failed', state: 'Unavailable' });
  });

  it('knows a copied mark: the id that the API answered with goes before an older one, which is told', () => {
    const one = settled().at(200).lastLook(available('uimage-forged', 1), mine);
    expect([one.copy.imageId, one.excess]).toEqual(['uimage-1', []]);
    expect(one.scenario.warnings.join()).toContain('uimage-forged');
    const unseen = life({ timeout: 60_000 }).send(MADE).at(60).lastLook(available('uimage-forged', 1));
    expect(unseen.copy.imageId).toBe('uimage-1');
  });

  it('tells a newcomer of our name without a mark after a doubt, and only then', () => {
    expect(settled().lastLook(mine, stranger('uimage-x')).scenario.warnings).toEqual([]);
    const one = twice().lastLook(mine, stranger('uimage-x'));
    expect(one.scenario.warnings).toEqual([expect.stringContaining('uimage-x')]);
    expect(one.excess).toEqual([]);
  });
});
