import { describe, expect, it } from 'vitest';
import { answered } from '../../src/promotion/answer.ts';

import { newPlace, next, type Place, WINDOW } from '../../src/promotion/place.ts';
import { BUILD, HERE } from './fake-cloud.ts';
import {
  adopted,
  available,
  byOther,
  copying,
  DEADLINE,
  type Life,
  life,
  MADE,
  problem,
  putOff,
  REFUSED,
  settled,
  UNCLEAR,
  WINDOW_SECONDS,
} from './life.ts';
import { Scenario } from './scenario.ts';

describe('a place that wants an image', () => {
  it('is sent to at once, or when its time has come, and never at the deadline', () => {
    expect(life().due).toEqual(['send', 0]);
    expect(life().send(putOff(40, false)).due).toEqual(['send', 40]);
    expect(life().send(putOff(9_999, false)).due).toEqual(['send', DEADLINE]);
    expect(life().at(DEADLINE).due).toBeNull();
  });

  it('is looked for after an unclear answer, ever more rarely, and sent to when the window is over', () => {
    const one = life().send(UNCLEAR);
    const times: number[] = [];
    for (let due = one.due; due?.[0] === 'look'; due = one.due) {
      times.push(Number(due[1]));
      one.at(Number(due[1])).look();
    }
    expect(times.slice(0, 5)).toEqual([1, 2, 3, 4.5, 6.75]);
    expect(times.at(-1)).toBe(WINDOW_SECONDS);
    expect(Math.max(...times.map((at, index) => at - (times[index - 1] ?? 0)))).toBeLessThanOrEqual(15);
    expect(one.due).toEqual(['send', WINDOW_SECONDS]);
  });

  it('is not sent to before a listing that began when the window was over', () => {
    const one = life().send(UNCLEAR).at(119).look().at(125);
    expect(one.due).toEqual(['look', WINDOW_SECONDS]);
    expect(one.fail('look', 150).due).not.toEqual(['send', WINDOW_SECONDS]);
    expect(life().send(UNCLEAR).at(119).fail('look', 150).due).toEqual(['look', WINDOW_SECONDS]);
  });

  it('is looked behind half-way after a refusal that passes, then sent to again', () => {
    const one = life().send(putOff(30));
    expect(one.due).toEqual(['look', 1]);
    expect(one.at(14).look().due).toEqual(['look', 15]);
    expect(one.at(15).look().due).toEqual(['send', 30]);
    expect(one.copy).toMatchObject({ unclear: false, problem: null });
  });

  it('in doubt at the deadline is looked for once more, and no image is denied', () => {
    const one = life({ timeout: 60_000 }).send(UNCLEAR).at(58).look();
    for (const now of [58, 60]) expect(one.at(now).due).toEqual(['look', 60]);
    expect(one.look().due).toBeNull();
    expect(one.copy).toMatchObject({ unclear: true, problem: null });
    const inPart = life({ timeout: 5_000 })
      .send({ ...REFUSED, inPart: true })
      .at(5)
      .look();
    expect(inPart.copy).toMatchObject({ unclear: true, problem: null });
    expect(inPart.scenario.notices).toEqual([]);
  });
});

describe('a place that has an image', () => {
  it('is polled until it has settled, at the interval that was ordered', () => {
    const one = life().send(MADE);
    expect(one.due).toEqual(['poll', 10]);
    expect(one.at(12).poll(copying('uimage-1')).due).toEqual(['poll', 22]);
  });

  it('is polled the sooner when another has finished, and the more rarely the more there are', () => {
    // Polled 80 s after it was sent, and looked at after 91 s.
    const dueOf = (open: number, ...finished: number[]) => {
      const scenario = new Scenario({ regions: Array.from({ length: 33 }, (_, index) => `region-${index}`) });
      const run = scenario.byHand();
      run.finished.push(...finished);
      const now = scenario.clock.now();
      for (const place of run.places.slice(0, open))
        Object.assign(place, { sentAt: now, triedAt: now + 80_000 }) && answered(run, place, MADE);
      return ((next(run.places[0] as Place, run, now + 91_000)?.at ?? 0) - now) / 1000;
    };
    expect(dueOf(1)).toBe(89.5);
    expect(dueOf(1, 90_000)).toBeLessThan(89);
    expect(dueOf(33)).toBeGreaterThan(90);
  });

  it('is listed once at the deadline, which may show a better one; an adopted one is read', () => {
    const one = life().send(MADE).at(7_190).poll(copying('uimage-1'));
    expect(one.due).toEqual(['last look', DEADLINE]);
    // Its poll took longer than until then.
    expect(one.at(DEADLINE + 1).poll(copying('uimage-1')).due).toEqual(['last look', DEADLINE]);
    expect(one.lastLook(copying('uimage-1')).due).toBeNull();
    const other = adopted()
      .at(7_195)
      .poll()
      .poll(byOther('uimage-old', 1, { State: 'Copying' }));
    expect(other.due).toEqual(['poll', DEADLINE]);
    expect(other.at(DEADLINE).poll().due).toBeNull();
  });

  it('has its last look when it has settled, but not before a doubt is over, nor after the deadline', () => {
    expect(settled().due).toEqual(['last look', 60]);
    expect(settled().lastLook(available('uimage-1')).due).toBeNull();
    const again = (timeout: number) =>
      life({ timeout }).send(putOff(10)).at(5).look().at(10).send(MADE).at(20).poll(available('uimage-1'));
    expect(again(7_200_000).due).toEqual(['last look', WINDOW_SECONDS]);
    expect(again(70_000).due).toEqual(['last look', 70]);
    const found = life().send(UNCLEAR).at(120).look().send(UNCLEAR).at(125).look(available('uimage-1'));
    expect(found.due).toEqual(['last look', 240]);
  });

  it('is listed again at the very end, unless it was just now', () => {
    const one = settled().lastLook(available('uimage-1'));
    const closing = (seconds: number) => {
      one.run.closing = one.at(seconds).scenario.clock.now();
      return one.due;
    };
    expect([closing(65), closing(66)]).toEqual([null, ['last look', 66]]);
  });

  it('that was promised and is in no read is looked for in the list when it should be there, once', () => {
    const one = life().send(MADE).at(60).poll();
    expect(one.due).toEqual(['poll', 70]);
    expect(one.at(WINDOW_SECONDS).poll().due).toEqual(['last look', WINDOW_SECONDS]);
    expect(one.lastLook().due).toEqual(['poll', 130]);
    const seen = life().send(MADE).at(10).poll(copying('uimage-1'));
    expect(seen.at(130).poll().due).toEqual(['poll', 140]);
  });

  it('is read once without a wait, for its mark; there is a last look only after a doubt', () => {
    const one = life({ wait: false }).send(MADE);
    expect(one.due).toEqual(['poll', 0]);
    expect(one.at(1).poll(copying('uimage-1')).due).toBeNull();
    expect(life({ wait: false }).send(MADE).at(1).poll().due).toBeNull();
    expect(life({ wait: false }).send(MADE).at(1).fail('poll', 150).due).toBeNull();
    const again = life({ wait: false }).send(putOff(10)).at(5).look().at(10).send(MADE).at(11);
    expect(again.poll(copying('uimage-1')).due).toEqual(['last look', WINDOW_SECONDS]);
  });

  it('is left alone when it was adopted and is good, until it is read once more at the very end', () => {
    const one = adopted();
    expect([one.place.plan, one.due]).toEqual(['adopt', null]);
    one.run.closing = one.at(2).scenario.clock.now();
    expect(one.due).toEqual(['poll', 2]);
    expect(one.poll(byOther('uimage-old', 1)).due).toBeNull();
    expect(one.copy).toMatchObject({ outcome: 'adopted', state: 'Available' });
  });

  it('is, where it was adopted and there is no wait, read again only when it has vanished', () => {
    const gone = adopted({ wait: false });
    gone.run.closing = 1;
    expect(gone.poll().due).toEqual(['poll', 11]);
    const image = byOther('uimage-old', 1, { State: 'Copying' });
    const going = life({ wait: false }, { held: new Map([['hk', [image]]]) });
    expect(going.due).toEqual(['poll', 0]);
    expect(going.at(1).poll(image).due).toBeNull();
  });

  it('is done where it is the source, and where it has failed', () => {
    expect(life({ regions: [HERE], target: { projectId: BUILD } }).due).toBeNull();
    expect(life().send(REFUSED).due).toBeNull();
  });
});

describe('a region that is no target', () => {
  const home = () => {
    const one = life({ regions: ['hk', 'sg'] });
    const { projectId } = one.place;
    for (const place of one.run.places) {
      one.place = place;
      one.send({ ...UNCLEAR, ofList: true });
    }
    one.place = newPlace({ region: HERE, projectId, name: '', optional: true, plan: 'nothing', why: '' });
    one.place.doubt = { ...(one.run.places[0]?.doubt as NonNullable<Place['doubt']>) };
    one.run.places.push(one.place);
    return one;
  };

  it('is looked at until the window of a list that was ignored is over', () => {
    const one = home();
    expect(one.due).toEqual(['last look', 1]);
    expect(one.at(115).lastLook().due).toEqual(['last look', WINDOW_SECONDS]);
    expect(one.at(120).lastLook().due).toBeNull();
    one.at(900).run.closing = 900_000 + one.run.startedAt;
    expect(one.due).toEqual(['last look', 900]);
    expect(one.lastLook().due).toBeNull();
  });

  it('that holds an image of ours shows that the list was ignored: all others may be sent to now', () => {
    const one = home();
    const [hk, sg] = one.run.places as [Place, Place];
    sg.doubt = { ...(sg.doubt as NonNullable<Place['doubt']>), ofList: false };
    one.place.own.push('uimage-home');
    one.at(5).lastLook(copying('uimage-home'), byOther('uimage-theirs', 1));
    expect([one.excess, one.run.keepsMarks]).toEqual([['uimage-home'], true]);
    expect(one.due).toEqual(['delete', 5]);
    expect(next(hk, one.run, one.scenario.clock.now())).toMatchObject({ deed: 'send' });
    expect(next(sg, one.run, one.scenario.clock.now())).toMatchObject({ deed: 'look' });
  });

  it('that holds an image with our mark alone shows it as well, but the window is waited for: it may be a copied one', () => {
    const one = home();
    const [hk] = one.run.places as [Place];
    const { sends } = hk;
    one.at(5).lastLook(copying('uimage-home')).at(6).lastLook(copying('uimage-home'));
    expect(one.excess).toEqual(['uimage-home']);
    expect(next(hk, one.run, one.scenario.clock.now())).toMatchObject({ deed: 'look' });
    // Told of no second copy that may appear.
    expect(hk.sends).toBe(sends - 1);
  });

  it('tells an id that the API answered with and never listed, unless a target has it', () => {
    const one = home();
    one.place.own.push('uimage-nowhere');
    one.at(119).lastLook();
    expect(one.scenario.warnings).toEqual([]);
    one.at(120).lastLook();
    expect(one.scenario.warnings).toEqual([expect.stringContaining('uimage-nowhere')]);
  });

  it('is looked at no longer once the last image of the list has turned up where it was asked for', () => {
    const one = home();
    const source = one.place;
    const [hk, sg] = one.run.places as [Place, Place];
    one.place = hk;
    one.at(5).look(copying('uimage-hk'));
    expect(source.doubt?.until).toBe(one.run.startedAt + WINDOW);
    one.place = sg;
    one.at(9).look(copying('uimage-sg'));
    expect(source.doubt?.until).toBe(one.run.startedAt + 9_000);
  });
});

describe("another run's image that is handed out", () => {
  it('though the API answered with it as the copy of this run: the log says so', () => {
    const theirs = byOther('uimage-1', 1);
    const one = life().send(MADE).at(10).poll(theirs);
    expect(one.copy).toMatchObject({ imageId: null, outcome: 'failed' });
    expect(one.scenario.notices).toEqual([
      expect.stringMatching(/^hk: .*uimage-1.*marker that is not this run's/),
    ]);
    expect(one.at(130).lastLook(theirs).copy).toMatchObject({ imageId: 'uimage-1', outcome: 'adopted' });
  });

  it('and missing from the last list is read by its id, once: its run may have deleted it', () => {
    const one = settled();
    one.lastLook(byOther('uimage-theirs', 1), available('uimage-1'));
    expect([one.copy.imageId, one.excess]).toEqual(['uimage-theirs', ['uimage-1']]);
    one.place.excess = [];
    one.at(70).lastLook(available('uimage-1'));
    expect([one.copy.listed, one.copy.finishedAt, one.due?.[0]]).toEqual([false, null, 'poll']);
    one.at(80).poll(byOther('uimage-theirs', 1));
    expect([one.copy.listed, one.due?.[0]]).toEqual([true, 'last look']);
    // A list that does not show it, again, tells no more.
    one.lastLook(available('uimage-1'));
    expect([one.copy.finishedAt !== null, one.due]).toEqual([true, null]);
  });
});

it('what is excess is deleted before anything else is done', () => {
  const one = life().at(7);
  one.place.excess.push({ imageId: 'uimage-9', why: '' });
  expect(one.due).toEqual(['delete', 7]);
});

describe('the copy that a place shows', () => {
  it('is planned, then copied or adopted; failed if and only if it has a problem', () => {
    expect(life().copy).toMatchObject({
      outcome: 'planned',
      imageId: null,
      startedAt: null,
      finishedAt: null,
    });
    expect(adopted().copy).toMatchObject({
      outcome: 'adopted',
      created: false,
      listed: true,
      pending: false,
    });
    expect(settled().copy).toMatchObject({ outcome: 'copied', problem: null, pending: false });
  });

  it('is pending when the step has ended and an image may yet come', () => {
    const end = (one: Life) => {
      one.place.problem = problem;
      return one.copy;
    };
    expect(end(life().send(MADE)).pending).toBe(true);
    expect(end(life().send(UNCLEAR)).pending).toBe(true);
    expect(end(life()).pending).toBe(false);
    expect(end(settled()).pending).toBe(false);
  });

  it('is unclear for as long as what a refused list made may be listed, and not after a single refusal', () => {
    const inPart = { ...putOff(10), ofList: true };
    expect(life().send(inPart).at(5).look().copy.unclear).toBe(true);
    expect(life().send(inPart).at(120).look().copy.unclear).toBe(false);
    expect(life().send(putOff(10)).at(5).look().copy.unclear).toBe(false);
  });

  it('has the ids of this run that it does not hand out, for the rollback', () => {
    const one = settled().lastLook(byOther('uimage-theirs', 99), available('uimage-1', 100));
    expect(one.copy).toMatchObject({ imageId: 'uimage-theirs', others: ['uimage-1'] });
    expect(settled().copy.others).toEqual([]);
  });

  it('is a snapshot', () => {
    const one = life();
    const before = one.copy;
    one.send(MADE);
    expect(before.imageId).toBeNull();
  });
});
