import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import type { Answer } from '../../src/promotion/answer.ts';
import { tellUnmarked } from '../../src/promotion/observe.ts';
import { newHeld, type Place } from '../../src/promotion/place.ts';
import { markedBy, SOURCE } from './fake-cloud.ts';
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
    one.at(120).look({ ...stranger('uimage-x'), ImageName: 'WEB-1.4.2' });
    expect(one.copy.problem?.message).toMatch(/hk.*uimage-x.*The API said no/);
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
        expect.stringMatching(/^hk: .*uimage-1, without a marker.*uimage-2.*left uimage-1 alone/),
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
      tellUnmarked(one.run, one.place);
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
    const refused = life().send(putOff(10)).at(5).look(stranger('uimage-x'));
    expect([refused.copy.problem, refused.due]).toEqual([null, ['send', 10]]);
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
    const { places } = one.run;
    const of = (index: number) => Object.assign(one, { place: places[index] as Place });
    for (const [index, answer] of answers.entries()) of(index).send(answer);
    return { of, places };
  };
  const made = (imageId: string) => ({ ...MADE, imageId });

  it('leaves a target in doubt to wait for its own: what another was answered with is none of its', () => {
    const { of } = several(UNCLEAR, made('uimage-b'));
    const one = of(0).at(3).look(available('uimage-b', 1));
    expect([one.copy.imageId, one.copy.problem, one.due]).toEqual([null, null, ['look', 4.5]]);
    expect(one.at(5).look(available('uimage-b', 1), available('uimage-a', 2)).copy.imageId).toBe('uimage-a');
    expect(one.scenario.warnings).toEqual([]);
    // Two ids may have been swapped: it is not sent again beside that one.
    const never = several(UNCLEAR, made('uimage-b')).of(0).at(120).look(available('uimage-b'));
    expect(never.copy.problem?.message).toMatch(
      /^hk: this run's copies are uimage-b, and which of them is here/,
    );
  });
});
