import { describe, expect, it } from 'vitest';
import { own, tellUnmarked } from '../../src/promotion/observe.ts';
import { type Held, newHeld, type Place } from '../../src/promotion/place.ts';

import {
  adopted,
  available,
  byOther,
  copying,
  life,
  MADE,
  putOff,
  settled,
  stranger,
  UNCLEAR,
} from './life.ts';
import { ours } from './scenario.ts';

describe('a poll', () => {
  it('tells each change once, with its seconds; an image Available and equal has settled', () => {
    const one = life().send(MADE).at(10).poll(copying('uimage-1')).at(20).poll(copying('uimage-1'));
    one.at(60).poll(available('uimage-1'));
    const states = one.scenario.of('state').map(({ from, copy, seconds }) => [from, copy.state, seconds]);
    expect(states).toEqual([
      [null, 'Copying', 10],
      ['Copying', 'Available', 60],
    ]);
    expect(one.copy).toMatchObject({ outcome: 'copied', listed: true, finishedAt: one.scenario.clock.now() });
    expect(one.run.finished).toEqual([60_000]);
  });

  it('fails a copy that ends Unavailable, or is not its source, with its task', () => {
    const broken = life()
      .send(MADE)
      .at(60)
      .poll({ ...available('uimage-1'), State: 'Unavailable' });
    expect(broken.copy.problem).toMatchObject({ message: expect.stringMatching(/^hk.*uimage-1/) });
    expect(broken.copy.problem?.advice).toContain('task-1');
    const differs = life()
      .send(MADE)
      .at(60)
      .poll(ours('uimage-1', { ImageSize: 20 }));
    expect(differs.copy.problem?.message).toMatch(/^hk.*uimage-1.*20 GB/);
    expect([broken.run.finished, differs.run.finished]).toEqual([[], []]);
    expect(broken.scenario.of('state')).toMatchObject([{ copy: { state: 'Unavailable' }, from: null }]);
  });

  it.each(['Syncing', 'unknown'])('takes a state nobody knows for under way, told once: %s', (state) => {
    const { State: _, ...stateless } = copying('uimage-1');
    const image = state === 'unknown' ? stateless : { ...stateless, State: state };
    const one = life()
      .send(MADE)
      .at(5)
      .poll(ours('uimage-1', { State: 'Making' }))
      .at(10)
      .poll(image);
    expect(one.at(20).poll(image).copy).toMatchObject({ state, finishedAt: null });
    expect(one.scenario.warnings).toEqual([expect.stringContaining(`documented: ${state}.`)]);
  });

  it('that misses a copy which was never listed is told once after the window, and waited for', () => {
    const one = life().send(MADE).at(119).poll();
    expect(one.scenario.notices).toEqual([]);
    one.at(120).poll().at(500).poll().at(600).poll();
    expect(one.scenario.notices).toEqual([expect.stringContaining('uimage-1')]);
    expect(one.copy).toMatchObject({ listed: false, problem: null });
    // Its answer may have named another image.
    expect(one.due?.[0]).toBe('last look');
    expect(one.lastLook(available('uimage-right')).copy.imageId).toBe('uimage-right');
  });

  it.each([
    ['two answers, however late', [200, 400], false],
    ['three, but not for long enough', [20, 60, 129], false],
    ['three over the window', [20, 60, 130], true],
  ])('that misses a copy which was seen, %s: gone is %s', (_, misses, gone) => {
    const one = life().send(MADE).at(10).poll(copying('uimage-1'));
    for (const at of misses as number[]) one.at(at).poll();
    expect([one.copy.problem !== null, one.scenario.of('state').length]).toEqual([gone, gone ? 2 : 1]);
    expect(one.place.held?.finishedAt !== null).toBe(gone);
  });

  it('that sees it again forgets what it missed', () => {
    const one = life().send(MADE).at(10).poll(copying('uimage-1')).at(60).poll().at(100).poll();
    one.at(110).poll(copying('uimage-1')).at(240).poll();
    expect(one.copy.problem).toBeNull();
  });

  it('that misses an adopted image at the end watches it until that is certain', () => {
    const one = adopted();
    one.run.closing = 1;
    expect(one.poll().due?.[0]).toBe('poll');
    one.at(60).poll().at(121).poll();
    expect(one.copy).toMatchObject({ outcome: 'failed', imageId: 'uimage-old' });
  });

  it('that finds no mark leads to one warning a run in the end; of an adopted one it does not', () => {
    const one = life({ regions: ['hk', 'sg'] });
    for (const place of one.run.places) {
      one.place = place;
      one.send(MADE).at(60).poll(stranger('uimage-1'));
    }
    tellUnmarked(one.run);
    expect(one.scenario.warnings).toEqual([expect.stringMatching(/uimage-1 in hk/)]);
    expect(one.copy).toMatchObject({ outcome: 'copied', problem: null });
    const theirs = adopted();
    tellUnmarked(theirs.run);
    expect(theirs.scenario.warnings).toEqual([]);
  });

  it('learns from a mark that this API endpoint keeps them, and tells one that is gone again', () => {
    const one = life().send(MADE).at(10).poll(stranger('uimage-1'));
    expect([one.run.keepsMarks, one.copy.marked]).toEqual([false, undefined]);
    const other = life().send(MADE).at(10).poll(copying('uimage-1'));
    expect([other.run.keepsMarks, other.copy.marked]).toEqual([true, true]);
    other.at(20).poll(stranger('uimage-1')).at(30).poll(stranger('uimage-1'));
    expect(other.scenario.warnings).toEqual([expect.stringMatching(/^hk.*does not carry this run's marker/)]);
    expect([adopted().run.keepsMarks, adopted().copy.marked]).toEqual([false, undefined]);
  });

  it('tells once that a copy is listed under another name, letters aside, and not of an adopted one', () => {
    const named = (ImageName: string) => ours('uimage-1', { ImageName, State: 'Copying' });
    const one = life().send(MADE).at(10).poll(named('other')).at(20).poll(named('third'));
    expect(one.scenario.warnings).toEqual([expect.stringMatching(/^hk.*uimage-1.*other/)]);
    expect(life().send(MADE).at(10).poll(named('WEB-1.4.2')).scenario.warnings).toEqual([]);
    const { ImageName: _, ...nameless } = copying('uimage-1');
    expect(life().send(MADE).at(10).poll(nameless).scenario.warnings).toEqual([]);
    const theirs = adopted()
      .at(20)
      .poll(byOther('uimage-old', 1, { ImageName: 'other', State: 'Unavailable' }));
    expect(theirs.scenario.warnings).toEqual([]);
  });

  it("that shows another run's image gives it up, and looks for its own for two minutes", () => {
    const one = life().send(MADE).at(10).poll(byOther('uimage-1', 1));
    expect(one.copy).toMatchObject({ imageId: null, unclear: true, others: [], outcome: 'failed' });
    expect([one.due, one.place.own]).toEqual([['last look', 130], []]);
    expect(one.scenario.of('ids').at(-1)?.copies[0]?.imageId).toBeNull();
    // A read that was under way meanwhile says nothing any more.
    one.poll().fail('poll', 150).at(130).lastLook(available('uimage-right'));
    expect(one.copy).toMatchObject({ imageId: 'uimage-right', outcome: 'copied', problem: null });
    const two = life().send(putOff(10)).at(5).look().send(MADE).at(130).lastLook(available('uimage-0'));
    two.lastLook(available('uimage-0'), byOther('uimage-1', 1));
    expect([two.copy.imageId, two.place.own]).toEqual([null, ['uimage-0']]);
  });

  it('after the end leaves what was Available so, unless it has ended', () => {
    const one = settled().at(70).poll().at(80).poll(copying('uimage-1'));
    expect([one.copy.state, one.copy.listed]).toEqual(['Copying', true]);
    const kept = settled().at(70).poll(copying('uimage-1'));
    expect([kept.copy.state, kept.copy.problem]).toEqual(['Available', null]);
    const ended = settled()
      .at(70)
      .poll({ ...available('uimage-1'), State: 'Unavailable' });
    expect(ended.copy.problem?.message).toMatch(/^hk.*Unavailable/);
  });

  it('tells features that the copy lost', () => {
    const one = life()
      .send(MADE)
      .at(60)
      .poll(ours('uimage-1', { Features: ['NetEnhanced'] }));
    expect(one.copy.problem).toBeNull();
    expect(one.scenario.warnings).toEqual([expect.stringMatching(/^hk.*CloudInit/)]);
  });
});

describe('a read that failed', () => {
  it('settles a copy that is watched when it can never pass, and only then', () => {
    const odd = life().send(MADE).at(10).fail('poll', 99_999).at(20).fail('poll', 230);
    expect([odd.copy.problem, odd.due]).toEqual([null, ['poll', 30]]);
    expect(odd.scenario.notices).toEqual([expect.stringMatching(/hk.*uimage-1/)]);
    const denied = life().send(MADE).at(10).fail('poll', 299);
    expect(denied.copy.problem?.message).toMatch(/hk.*uimage-1.*299/);
    expect([denied.copy.pending, denied.due]).toEqual([true, null]);
    expect(denied.scenario.of('state')).toHaveLength(1);
  });

  it('of a copy that has settled changes nothing', () => {
    const one = settled();
    expect(one.fail('poll', 150).copy).toMatchObject({ problem: null, state: 'Available' });
    expect([one.place.held?.readAt, one.scenario.notices]).toEqual([one.scenario.clock.now(), []]);
  });

  it('at the very end leaves an adopted copy as it was', () => {
    const one = adopted();
    one.run.closing = 1;
    expect(one.fail('poll', 299).due).toBeNull();
    expect(one.copy.outcome).toBe('adopted');
  });

  it('after a doubt fails the target alone: at once for good, else when the window is over', () => {
    expect(life().send(UNCLEAR).at(10).fail('look', 150).copy.problem).toBeNull();
    expect(life().send(UNCLEAR).at(10).fail('look', 299).copy.problem?.message).toMatch(
      /hk.*299.*The API said no/,
    );
    const one = life().send(UNCLEAR).at(120).fail('look', 153);
    expect(one.copy).toMatchObject({ unclear: true, pending: true, outcome: 'failed' });
  });

  it('behind a refusal need not be repeated: the throttle is left to the copy', () => {
    expect(life().send(putOff(30)).at(15).fail('look', 153).due).toEqual(['send', 30]);
  });

  it('behind a refusal is repeated until it can be read, whatever else stood in its way', () => {
    const one = life().send(putOff(30)).at(15).fail('look', 150);
    expect(one.due).toEqual(['look', 22.5]);
    expect(one.at(60).fail('look', 150).due).toEqual(['look', 75]);
    expect(one.at(75).look(copying('uimage-1')).copy).toMatchObject({
      imageId: 'uimage-1',
      outcome: 'copied',
      startedAt: one.run.startedAt,
    });
    expect(one.scenario.notices).toEqual([expect.stringMatching(/^hk cannot be listed: .*RetCode 150/)]);
  });

  it('at the deadline denies nothing', () => {
    const one = life({ timeout: 60_000 }).send(UNCLEAR).at(60).fail('look', 299);
    expect([one.copy.problem, one.copy.unclear, one.due]).toEqual([null, true, null]);
  });

  it('at the last look is not repeated, changes nothing and is told', () => {
    const one = life()
      .send(putOff(10))
      .at(5)
      .look()
      .at(10)
      .send(MADE)
      .at(60)
      .poll(available('uimage-1'))
      .at(120);
    expect(one.fail('last look', 150).due).toBeNull();
    expect(one.copy.problem).toBeNull();
    expect(one.scenario.warnings).toEqual([expect.stringMatching(/hk.*150/)]);
    expect(one.poll(available('uimage-1')).scenario.notices).toEqual([]);
  });
});

it('that failed without a doubt at the last look is told, too: another run may have copied', () => {
  const one = settled().fail('last look', 150);
  expect(one.scenario.warnings).toEqual([expect.stringMatching(/hk.*150/)]);
  expect(one.due).toBeNull();
});

describe('an image that is listed in another region than it was answered for', () => {
  const swapped = () => {
    const { run } = life({ regions: ['hk', 'sg', 'us-ca'] });
    const [hk, sg, us] = run.places as [Place, Place, Place];
    for (const [place, imageId] of [
      [hk, 'uimage-s'],
      [sg, 'uimage-h'],
    ] as const) {
      const held = newHeld({ imageId, created: true, startedAt: 1, taskId: `task-${imageId}`, misses: 2 });
      Object.assign(place, { own: [imageId], held });
    }
    return { run, hk, sg, us };
  };

  it('is swapped with the one that was answered here, task and all', () => {
    const { run, hk, sg } = swapped();
    const before = sg.held;
    sg.held = newHeld({ imageId: 'uimage-s', created: true, startedAt: 1 });
    own(run, sg, 'uimage-s', before);
    expect([sg.own, sg.held?.taskId]).toEqual([['uimage-s'], 'task-uimage-s']);
    expect([hk.own, hk.held]).toMatchObject([
      ['uimage-h'],
      { imageId: 'uimage-h', taskId: 'task-uimage-h', misses: 0 },
    ]);
  });

  it('is not taken from a place that has seen it, or that never had it', () => {
    const { run, hk, sg, us } = swapped();
    Object.assign(hk.held as Held, { seenAt: 5 });
    own(run, sg, 'uimage-s', sg.held);
    own(run, us, 'uimage-x', null);
    expect([hk.own, sg.own, us.own]).toEqual([['uimage-s'], ['uimage-h'], []]);
  });

  it('is all that moves where nothing was answered here, or that was seen, or the other place has failed', () => {
    for (const odd of ['nothing', 'seen', 'failed']) {
      const { run, hk, sg } = swapped();
      if (odd === 'failed') hk.problem = { message: 'Gone.', advice: '' };
      if (odd === 'seen') Object.assign(sg.held as Held, { seenAt: 5 });
      own(run, sg, 'uimage-s', odd === 'nothing' ? null : sg.held);
      expect([hk.own, sg.own, hk.held?.imageId]).toEqual([[], ['uimage-h', 'uimage-s'], 'uimage-s']);
    }
  });
});
