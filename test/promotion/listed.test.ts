import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import type { Answer } from '../../src/promotion/answer.ts';
import { beginDoubt, tellUnmarked } from '../../src/promotion/observe.ts';
import { newHeld, newPlace, type Place, WINDOW } from '../../src/promotion/place.ts';
import { copyOf } from '../../src/promotion/view.ts';
import { HERE, markedBy, SOURCE } from './fake-cloud.ts';
import { available, byOther, copying, DEADLINE, life, MADE, putOff, stranger, UNCLEAR } from './life.ts';
import { ours } from './scenario.ts';

describe('a look', () => {
  it('finds what this run made: sent once, that is certain, and no doubt is left', () => {
    const one = life().send(UNCLEAR).at(3).look(copying('uimage-a'));
    expect(one.copy).toMatchObject({ imageId: 'uimage-a', created: true, unclear: false, listed: true });
    expect(one.scenario.of('ids').at(-1)?.copies[0]?.imageId).toBe('uimage-a');
    expect(one.at(60).poll(available('uimage-a')).due).toEqual(['last look', 60]);
    expect(one.scenario.warnings).toEqual([]);
  });

  it('that finds it after it was sent twice leaves the doubt of the second', () => {
    const one = life()
      .send(putOff(10))
      .at(5)
      .look()
      .at(10)
      .send(putOff(20))
      .at(11)
      .look(available('uimage-a'));
    expect(one.due).toEqual(['last look', 130]);
  });

  it('at the deadline tells the others of ours: no later look will delete them', () => {
    const one = life().send(UNCLEAR).at(DEADLINE).look(copying('uimage-1', 100), copying('uimage-2', 105));
    expect(one.copy.imageId).toBe('uimage-1');
    expect(one.scenario.warnings).toEqual([expect.stringContaining('uimage-2')]);
  });

  it('takes the oldest of ours that is sound, else the oldest', () => {
    const broken = ours('uimage-a', { CreateTime: 1, State: 'Unavailable' });
    const differs = ours('uimage-b', { CreateTime: 2, ImageSize: 20 });
    const found = (...images: Image[]) =>
      life()
        .send(UNCLEAR)
        .at(3)
        .look(...images).copy.imageId;
    expect(found(available('uimage-d', 4), broken, copying('uimage-c', 3), differs)).toBe('uimage-c');
    expect(found(differs, broken)).toBe('uimage-a');
  });

  it('believes new ids only: not the source, and none that was listed before', () => {
    const old = ours('uimage-before', { ImageDescription: markedBy('8123456789-1-k3f9za') });
    const one = life({}, { held: new Map([['hk', [old]]]) });
    one.place.plan = 'copy';
    one.place.held = null;
    one.send(UNCLEAR).at(3).look(old, ours(SOURCE.ImageId));
    expect(one.copy.imageId).toBeNull();
  });

  it('takes the copy of another run when the window is over, and not with if-exists: copy', () => {
    const twin = byOther('uimage-twin', 50);
    const one = life().send(UNCLEAR).at(60).look(twin);
    expect(one.copy.imageId).toBeNull();
    expect(one.at(120).look(twin).copy).toMatchObject({ imageId: 'uimage-twin', outcome: 'adopted' });
    expect(life({ ifExists: 'copy' }).send(UNCLEAR).at(120).look(twin).due).toEqual(['send', 120]);
  });

  it.each([
    ['of another source', { ImageDescription: markedBy('77-1-other0', 'uimage-other') }],
    ['from another region', { ImageDescription: '[copy of hk/uimage-source by 77-1-other0]' }],
    ['under another name', { ImageName: 'db' }],
  ])('takes no copy %s', (_, some) => {
    const one = life()
      .send(UNCLEAR)
      .at(120)
      .look(byOther('uimage-twin', 50, some));
    expect([one.copy.imageId, one.copy.problem, one.due]).toEqual([null, null, ['send', 120]]);
  });

  it('never hands out a newcomer of our name without a mark: the target fails, and names it', () => {
    const one = life().send(UNCLEAR).at(60).look(stranger('uimage-x'));
    expect(one.copy).toMatchObject({ imageId: null, problem: null });
    const others = ours('uimage-y', { ImageDescription: 'by hand' });
    one.at(120).look({ ...stranger('uimage-x'), ImageName: 'WEB-1.4.2' }, others);
    expect(one.copy.problem?.message).toMatch(/hk.*uimage-x \([^)]+\) appeared.*The API said no/);
    expect(one.copy.unclear).toBe(true);
    expect([one.due, one.excess]).toEqual([null, []]);
  });

  it.each([
    '&#91;copy of cn-bj2/uimage-source by 77-2-abcdef&#93; nginx',
    '[COPY OF CN-BJ2/UIMAGE-SOURCE BY 77-2-ABCDEF]',
    'copy of cn-bj2 uimage-source by 77-2-abcdef',
    '%5Bcopy%20of%20cn-bj2/uimage-source',
  ])('does not send beside a newcomer whose mark the API endpoint has changed: %s', (ImageDescription) => {
    const one = life().send(UNCLEAR).at(120).look(ours('uimage-x', { ImageDescription }));
    expect(one.copy.problem?.message).toContain('uimage-x');
    expect(one.due).toBeNull();
  });

  it.each([true, false])(
    'hands out the image with the mark and not the one that was answered without it (wait: %s)',
    (wait) => {
      const one = life({ wait })
        .send(MADE)
        .at(wait ? 60 : 1);
      const bare = stranger('uimage-1');
      one.poll(bare);
      expect(one.due).toEqual(['last look', wait ? 120 : 0]);
      one.at(wait ? 120 : 2).lastLook(bare, available('uimage-2', 90));
      expect(one.copy).toMatchObject({ imageId: 'uimage-2', created: true, problem: null, others: [] });
      expect([one.excess, one.scenario.warnings.at(-1)]).toEqual([
        [],
        expect.stringMatching(/^hk: .*uimage-1, without a marker.*left uimage-1 alone/),
      ]);
    },
  );

  it('deletes what it made beside the image with the mark, too', () => {
    const one = life().send(UNCLEAR).at(120).look().send(MADE).at(130).poll(stranger('uimage-1'));
    one.at(240).lastLook(stranger('uimage-1'), available('uimage-2', 90), available('uimage-3', 91));
    expect([one.copy.imageId, one.excess]).toEqual(['uimage-2', ['uimage-3']]);
  });

  it('goes back to no image without a mark when another run’s has failed, where a third has the mark', () => {
    const one = life().send(MADE).at(60).poll(stranger('uimage-1'));
    const theirs = byOther('uimage-0', 1, { State: 'Copying' });
    one.at(120).lastLook(stranger('uimage-1'), theirs);
    expect(one.copy.imageId).toBe('uimage-0');
    one.at(130).poll({ ...theirs, State: 'Unavailable' });
    one.lastLook(stranger('uimage-1'), { ...theirs, State: 'Unavailable' }, available('uimage-2'));
    expect([one.copy.imageId, one.excess]).toEqual(['uimage-2', []]);
  });

  it('holds the image with the mark though it is broken, rather than another', () => {
    const one = life().send(MADE).at(60).poll(stranger('uimage-1'));
    one.at(120).lastLook(stranger('uimage-1'), ours('uimage-2', { State: 'Unavailable' }));
    expect(one.copy).toMatchObject({ imageId: 'uimage-2', outcome: 'failed' });
  });

  it('of an image without a mark is told in the end as what it is: the API endpoint drops marks, or keeps them', () => {
    const told = (others: boolean) => {
      const one = life({ regions: ['hk', 'sg'] })
        .send(MADE)
        .at(10)
        .poll(stranger('uimage-1'));
      const startedAt = one.run.startedAt;
      const held = newHeld({ imageId: 'uimage-2', created: true, startedAt, marked: true });
      if (others) Object.assign(one.run.places[1] as Place, { held });
      expect(one.scenario.warnings).toEqual([]);
      tellUnmarked(one.run);
      return one.scenario.warnings.join();
    };
    expect([told(false), told(true)]).toEqual([
      expect.stringContaining('drops or cuts descriptions'),
      expect.stringContaining('though this API endpoint keeps markers'),
    ]);
  });

  it('is one more without a wait where the image has no mark, and no more where nothing else has it', () => {
    const one = life({ wait: false }).send(MADE).at(1).poll(stranger('uimage-1'));
    expect(one.due?.[0]).toBe('last look');
    expect(one.at(2).lastLook(stranger('uimage-1')).due).toBeNull();
    expect(one.copy).toMatchObject({ imageId: 'uimage-1', problem: null });
    expect(life({ wait: false }).send(MADE).at(1).poll(copying('uimage-1')).due).toBeNull();
  });

  it('tells a newcomer of our name beside an image without a mark: one of the two may be somebody else’s', () => {
    const one = life().send(MADE).at(60).poll(stranger('uimage-1'));
    one.at(120).lastLook(stranger('uimage-1'), stranger('uimage-2'));
    expect(one.copy).toMatchObject({ imageId: 'uimage-1', problem: null });
    expect(one.scenario.warnings.at(-1)).toMatch(/hk: other images .*uimage-2/);
  });

  it.each([
    ['with words of its own', 'by hand', false],
    ['where marks are kept', '', true],
  ])(
    'takes a newcomer of our name %s for somebody else’s: it may be sent again',
    (_, ImageDescription, keepsMarks) => {
      const one = life().send(UNCLEAR);
      one.run.keepsMarks = keepsMarks;
      expect(one.at(120).look(ours('uimage-x', { ImageDescription })).copy.problem).toBeNull();
      expect(one.due).toEqual(['send', 120]);
    },
  );

  it('fails a target for a stranger at the deadline, too, and not after a refusal that passes', () => {
    const late = life({ timeout: 60_000 }).send(UNCLEAR).at(60).look(stranger('uimage-x'));
    expect(late.copy.problem?.message).toContain('uimage-x');
    for (const answer of [putOff(10), { ...putOff(10), inPart: true } as Answer]) {
      const refused = life().send(answer).at(5).look(stranger('uimage-x'));
      expect([refused.copy.problem, refused.due]).toEqual([null, ['send', 10]]);
      expect(refused.scenario.warnings).toEqual([expect.stringContaining('during this run: uimage-x.')]);
    }
  });

  it('that says absent is told, once it may be sent again', () => {
    const one = life().send(UNCLEAR).at(60).look();
    expect(one.scenario.notices).toEqual([]);
    one.at(120).look();
    expect(one.scenario.notices).toEqual([expect.stringContaining('hk')]);
    expect(one.copy.unclear).toBe(false);
  });
});

describe('a list with the images of every region', () => {
  /** Targets side by side, and what CopyCustomImage has answered for each. */
  const several = (...answers: Answer[]) => {
    const one = life({ regions: ['hk', 'sg', 'us-ca', 'jpn-tky'].slice(0, answers.length) });
    const { run } = one;
    const { places } = run;
    const of = (index: number) => Object.assign(one, { place: places[index] as Place });
    for (const [index, answer] of answers.entries()) of(index).send(answer);
    /** The region of the source, which a list that is ignored leaves its image in. */
    const home = (...own: string[]) => {
      const place = newPlace({ ...(places[0] as Place), region: HERE, plan: 'nothing' });
      beginDoubt(Object.assign(place, { own }), { kind: 'unclear', since: run.startedAt }, WINDOW);
      places.push(place);
      return of(places.length - 1);
    };
    return { of, places, home };
  };
  const ofList = { ...UNCLEAR, ofList: true };
  const refusedList = { ...putOff(10), ofList: true } as Answer;
  const made = (imageId: string) => ({ ...MADE, imageId });

  it('leaves a target in doubt to wait for its own: what another was answered with is none of its', () => {
    const { of } = several(UNCLEAR, made('uimage-b'));
    const one = of(0).at(3).look(available('uimage-b', 1));
    expect([one.copy.imageId, one.copy.problem, one.due]).toEqual([null, null, ['look', 4.5]]);
    expect(one.at(120).look(available('uimage-b', 1), available('uimage-a', 2)).copy.imageId).toBe(
      'uimage-a',
    );
    expect(one.scenario.warnings).toEqual([]);
    // Two ids may have been swapped: it is not sent again beside that one.
    const never = several(UNCLEAR, made('uimage-b')).of(0).at(120).look(available('uimage-b'));
    expect(never.copy.problem?.message).toMatch(
      /^hk: this run's copies are uimage-b, and which of them is here/,
    );
  });

  it('fails those in doubt of which one has found any of them, and keeps what an answer has named', () => {
    const refused = { kind: 'refused', problem: UNCLEAR.problem, inPart: true } as const;
    const { of, places } = several(refused, UNCLEAR, UNCLEAR, made('uimage-d'));
    const all = ['a', 'b', 'c', 'd'].map((letter, index) => available(`uimage-${letter}`, index));
    expect(
      of(0)
        .at(3)
        .look(...all).copy.imageId,
    ).toBe('uimage-a');
    for (const index of [1, 2]) of(index).look(...all);
    const last = of(3)
      .poll(available('uimage-d', 3))
      .lastLook(...all);
    const others = all.map(({ ImageId }) => ImageId);
    expect(places.map(copyOf)).toMatchObject([
      ...[1, 2, 3].map(() => ({ imageId: null, unclear: true, others, outcome: 'failed' })),
      { imageId: 'uimage-d', problem: null },
    ]);
    expect([last.excess, last.scenario.warnings.length]).toEqual([[], 1]);
  });

  it('fails two of which one has found its own, and the other has taken that of another run', () => {
    const { of, places } = several(UNCLEAR, made('uimage-b'));
    of(0).at(3).look(available('uimage-a'));
    of(1).at(60).poll(available('uimage-b')).lastLook(available('uimage-b'), byOther('uimage-0', 50));
    expect(places[1]?.held?.imageId).toBe('uimage-0');
    of(0).lastLook(available('uimage-a'), byOther('uimage-0', 50));
    expect(places.map(({ problem }) => problem?.message)).toEqual([
      expect.stringMatching(/^hk: .*uimage-a, uimage-0/),
      expect.stringMatching(/^sg: .*uimage-a, uimage-0/),
    ]);
  });

  it('is none where ids are alike in two regions, or were swapped: each has what is listed there', () => {
    const alike = several(MADE, MADE)
      .of(0)
      .at(60)
      .poll(available('uimage-1'))
      .lastLook(available('uimage-1'));
    expect(alike.scenario.warnings).toEqual([]);
    const { of, places } = several(made('uimage-a'), made('uimage-b'));
    of(0).at(120).poll().lastLook(available('uimage-b'));
    of(1).poll().lastLook(available('uimage-a'));
    expect(places.map(copyOf).map(({ imageId }) => imageId)).toEqual(['uimage-b', 'uimage-a']);
  });

  it('in the region of the source: none is deleted that a target may hold', () => {
    const { of, home, places } = several(ofList, ofList);
    expect(home('uimage-a').at(3).lastLook(available('uimage-a'), available('uimage-b')).excess).toEqual([]);
    of(0).look(available('uimage-a'));
    expect(of(2).lastLook(available('uimage-a')).excess).toEqual([]);
    expect(places[0]).toMatchObject({ held: { imageId: 'uimage-a' }, problem: null });
  });

  it('of a list that was ignored: it is sent again at once where only that list was not clear', () => {
    const { of, home, places } = several(refusedList, ofList, refusedList, { kind: 'unsent' });
    of(0).at(2).send(ofList);
    of(1).at(3).look(available('uimage-s'));
    const left = home('uimage-h').lastLook(available('uimage-h'), available('uimage-i'));
    expect(left.excess).toEqual(['uimage-h', 'uimage-i']);
    expect(places.map(({ doubt, sends }) => [doubt?.kind, sends])).toEqual([
      [undefined, 1],
      ['unclear', 1],
      ['refused', 1],
      [undefined, 0],
      // Until the image is read and has the mark.
      ['unclear', 0],
    ]);
    expect(of(0).copy.unclear).toBe(false);
    expect(of(0).due).toEqual(['send', 3]);
    expect(of(0).at(DEADLINE).look().copy).toMatchObject({ imageId: null, problem: null });
  });

  it.each([
    ['a list, that made none in the region of the source: one look there is enough', ofList, 3],
    ['a call for one region says nothing of a list', UNCLEAR, 120],
  ])('found after %s', (_, answer, until) => {
    const { of, home, places } = several(answer, refusedList);
    of(1).send(made('uimage-s'));
    const { run } = home();
    of(0).at(3).look(available('uimage-a'));
    const ends = places.map(({ doubt }) => ((doubt?.until ?? 0) - run.startedAt) / 1000);
    expect(ends).toEqual([3, 120, until]);
  });
});
