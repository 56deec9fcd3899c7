import { describe, expect, it } from 'vitest';
import type { Image } from '../../src/cloud/cloud.ts';
import { type Answer, answered, MOST_UNCLEAR } from '../../src/promotion/answer.ts';
import type { Findings } from '../../src/promotion/check.ts';
import { listed } from '../../src/promotion/listed.ts';
import { polled, tellUnmarked, unread } from '../../src/promotion/observe.ts';

import {
  type Deed,
  newHeld,
  newPlace,
  next,
  type Place,
  type Run,
  WINDOW,
} from '../../src/promotion/place.ts';
import { copyOf } from '../../src/promotion/view.ts';

import { BUILD, HERE, markedBy, ours, PROD, refused, Scenario, SOURCE } from './scenario.ts';

const WINDOW_SECONDS = WINDOW / 1000;
const DEADLINE = 7_200;
const problem = { message: 'The API said no.', advice: 'Ask it.' };
const MADE: Answer = { kind: 'made', imageId: 'uimage-1', taskId: 'task-1' };
const UNCLEAR: Answer = { kind: 'unclear', problem, ofList: false };
const REFUSED: Answer = { kind: 'refused', problem };
const putOff = (seconds: number, mayHaveRun = true): Answer => {
  return { kind: 'put off', problem, pause: seconds * 1000, mayHaveRun, ofList: false };
};
const copying = (imageId: string, CreateTime = 100) => ours(imageId, { CreateTime, State: 'Copying' });
const available = (imageId: string, CreateTime = 100) => ours(imageId, { CreateTime });
const byOther = (imageId: string, CreateTime: number, some: Partial<Image> = {}) =>
  ours(imageId, { CreateTime, ImageDescription: markedBy('77-1-other0'), ...some });
const stranger = (imageId: string) => ours(imageId, { ImageDescription: '' });

/** One target, lived through by hand: seconds since the start, polls 10 s apart. */
class Life {
  readonly scenario: Scenario;
  readonly run: Run;
  place: Place;

  constructor(some: ConstructorParameters<typeof Scenario>[0] = {}, findings: Partial<Findings> = {}) {
    this.scenario = new Scenario({ pollInterval: 10_000, ...some });
    this.run = this.scenario.byHand(findings);
    this.place = this.run.places[0] as Place;
  }
  get #now() {
    return this.scenario.clock.now();
  }
  get due() {
    const due = next(this.place, this.run, this.#now);
    return due && [due.deed, Math.max(0, due.at - this.run.startedAt) / 1000];
  }
  get copy() {
    return copyOf(this.place);
  }
  get excess() {
    return this.place.excess.map(({ imageId }) => imageId);
  }
  at(seconds: number): this {
    this.scenario.clock.advance(seconds * 1000 - this.scenario.clock.elapsed);
    return this;
  }
  send(answer: Answer): this {
    this.place.unclear = true;
    this.place.sentAt = this.#now;
    answered(this.run, this.place, answer);
    return this;
  }
  list(deed: Deed, ...images: Image[]): this {
    listed(this.run, this.place, images, { deed, at: this.#now });
    this.place.triedAt = this.#now;
    return this;
  }
  look(...images: Image[]): this {
    return this.list('look', ...images);
  }
  lastLook(...images: Image[]): this {
    return this.list('last look', ...images);
  }
  poll(image?: Image): this {
    polled(this.run, this.place, image);
    this.place.triedAt = this.#now;
    return this;
  }
  fail(deed: Deed, code: number): this {
    unread(this.run, this.place, refused('DescribeImage', code), { deed, at: this.#now });
    this.place.triedAt = this.#now;
    return this;
  }
}
const life = (...some: ConstructorParameters<typeof Life>) => new Life(...some);
/** Made at 0, Available at 60. */
const settled = (...some: ConstructorParameters<typeof Life>) =>
  life(...some)
    .send(MADE)
    .at(60)
    .poll(available('uimage-1'));
const adopted = (some: ConstructorParameters<typeof Scenario>[0] = {}) => {
  const image = byOther('uimage-old', 1);
  const held = new Map([['hk', [image]]]);
  return life(some, { held }).at(1).poll(image);
};

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
    expect(one.due).toEqual(['look', 60]);
    expect(one.at(60).look().due).toBeNull();
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
    const dueOf = (regions: string[], ...finished: number[]) => {
      const scenario = new Scenario({ regions });
      const run = scenario.byHand();
      run.finished.push(...finished);
      const now = scenario.clock.now();
      for (const place of run.places)
        Object.assign(place, { sentAt: now, triedAt: now + 100_000 }) && answered(run, place, MADE);
      return next(run.places[0] as Place, run, now)?.at ?? 0;
    };
    const usual = dueOf(['hk']);
    expect(dueOf(['hk'], 90_000)).toBeLessThan(usual);
    expect(dueOf(Array.from({ length: 33 }, (_, index) => `region-${index}`))).toBeGreaterThan(usual);
  });

  it('is listed once at the deadline, which may show a better one; an adopted one is read', () => {
    const one = life().send(MADE).at(7_195).poll(copying('uimage-1'));
    expect(one.due).toEqual(['last look', DEADLINE]);
    expect(one.at(DEADLINE).lastLook(copying('uimage-1')).due).toBeNull();
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
  });

  it('is read once without a wait, for its mark; there is a last look only after a doubt', () => {
    const one = life({ wait: false }).send(MADE);
    expect(one.due).toEqual(['poll', 0]);
    expect(one.at(1).poll(copying('uimage-1')).due).toBeNull();
    const again = life({ wait: false }).send(putOff(10)).at(5).look().at(10).send(MADE).at(11);
    expect(again.poll(copying('uimage-1')).due).toEqual(['last look', WINDOW_SECONDS]);
  });

  it('is left alone when it was adopted and is good, until it is read once more at the very end', () => {
    const one = adopted();
    expect([one.place.plan, one.due]).toEqual(['adopt', null]);
    one.run.closing = 1;
    expect(one.due).toEqual(['poll', 1]);
    expect(one.poll(byOther('uimage-old', 1)).due).toBeNull();
    expect(one.copy).toMatchObject({ outcome: 'adopted', state: 'Available' });
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

describe('what CopyCustomImage answers', () => {
  it('made: its image is held, and nothing is unclear', () => {
    const { copy } = life().at(3).send(MADE);
    expect(copy).toMatchObject({ imageId: 'uimage-1', taskId: 'task-1', created: true, unclear: false });
    expect(copy).toMatchObject({ outcome: 'copied', listed: true, state: null, finishedAt: null });
  });

  it('the source: nothing is to be copied, and nothing to be waited for', () => {
    const { copy, due } = life().send(putOff(1)).send({ kind: 'source' });
    expect(copy).toMatchObject({
      outcome: 'source',
      imageId: SOURCE.ImageId,
      created: false,
      unclear: false,
    });
    expect([copy.finishedAt, due]).toEqual([copy.startedAt, null]);
  });

  it('refused: the target fails and names its region; after a doubt not before another window', () => {
    expect(life().send(REFUSED).copy.problem?.message).toMatch(/^hk.*The API said no/);
    const one = life().send(UNCLEAR).at(120).look().send(REFUSED);
    expect(one.copy).toMatchObject({ problem: null, unclear: true });
    expect(one.at(239).look().copy.problem).toBeNull();
    expect(one.at(240).look().copy).toMatchObject({ problem: { advice: 'Ask it.' }, unclear: false });
    expect(one.due).toBeNull();
  });

  it('refused as part of a list: looked behind before it is denied', () => {
    const one = life().send({ ...REFUSED, inPart: true });
    expect(one.due).toEqual(['look', 1]);
    expect(one.at(9).look(copying('uimage-part')).copy).toMatchObject({
      imageId: 'uimage-part',
      problem: null,
    });
    expect(
      life()
        .send({ ...REFUSED, inPart: true })
        .at(120)
        .look().copy.problem,
    ).not.toBeNull();
  });

  it('unsent: nothing was made; lost: something may have been', () => {
    expect(life().send({ kind: 'unsent' }).copy.unclear).toBe(false);
    expect(life().send({ kind: 'lost' }).copy.unclear).toBe(true);
  });

  it('unclear again and again: given up, with the last answer', () => {
    const one = life();
    for (let round = 0; round < MOST_UNCLEAR; round++) {
      expect(one.due?.[0]).toBe('send');
      one
        .send(UNCLEAR)
        .at((round + 1) * WINDOW_SECONDS)
        .look();
    }
    expect(one.copy.problem?.message).toMatch(/hk.*4 .*The API said no/);
    expect(one.copy.problem?.advice).toMatch(
      /^Ask it. Wait 5 minutes, then re-run the job: it reuses a copy .* project org-prod alone .*"by \S+" in the description/,
    );
    expect(one.due).toBeNull();
  });

  it('what a list may have made stays in doubt for two minutes, whatever a single call is answered then', () => {
    const list: Answer = {
      kind: 'put off',
      problem,
      pause: 10_000,
      mayHaveRun: true,
      ofList: true,
      inPart: true,
    };
    const one = life({ timeout: 45_000 }).send(list).at(10).look();
    expect(one.due).toEqual(['send', 10]);
    one.send(putOff(30)).at(30).look();
    expect(one.copy.unclear).toBe(true);
    one.at(121).look();
    expect(one.copy.unclear).toBe(false);
  });

  it('given up names a new image of its name, though its description cannot be of this run', () => {
    const one = life();
    for (let round = 1; round <= MOST_UNCLEAR; round++)
      one
        .send(UNCLEAR)
        .at(round * WINDOW_SECONDS)
        .look(ours('uimage-x', { ImageDescription: 'by hand' }));
    expect(one.copy.problem?.message).toContain('was sent 4 times');
    expect(one.scenario.warnings).toEqual([expect.stringContaining('uimage-x')]);
  });
});

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
      expect.stringContaining('though this API endpoint keeps them'),
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
    expect(twice().lastLook(mine, available('uimage-2', 105)).excess).toEqual(['uimage-2']);
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
    const broken = { ...mine, State: 'Unavailable' };
    const one = twice().poll(broken).lastLook(broken, available('uimage-2', 105));
    expect(one.copy).toMatchObject({ imageId: 'uimage-2', problem: null });
    expect(one.excess).toEqual(['uimage-1']);
  });

  it('deletes nothing where none is sound, and tells the others', () => {
    const broken = { ...mine, State: 'Unavailable' };
    const one = twice()
      .poll(broken)
      .lastLook(broken, ours('uimage-2', { CreateTime: 105, State: 'Unavailable' }));
    expect([one.copy.outcome, one.copy.imageId, one.excess]).toEqual(['failed', 'uimage-1', []]);
    expect(one.scenario.warnings.join()).toContain('uimage-2');
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
    expect([none.copy.imageId, none.excess]).toEqual(['uimage-1', []]);
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
    const edited = { ...mine, ImageDescription: 'by hand' };
    const theirs = byOther('uimage-theirs', 99);
    const one = settled().lastLook(theirs, edited).lastLook(edited);
    for (const at of [70, 150, 300]) one.at(at).poll();
    expect(one.copy.problem?.message).toContain('uimage-theirs');
    expect(one.lastLook(edited).copy).toMatchObject({ imageId: 'uimage-1', created: true, problem: null });
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
    expect(one.lastLook(byOther('uimage-2', 99)).copy).toMatchObject({ imageId: 'uimage-2', problem: null });
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
    none.lastLook(stranger('uimage-x'), stranger('uimage-y'));
    expect(none.scenario.warnings.join()).toContain('uimage-y');
  });

  it('sees what became of the image since', () => {
    const one = settled().lastLook({ ...mine, State: 'Unavailable' });
    expect(one.copy).toMatchObject({ outcome: 'failed', state: 'Unavailable' });
  });

  it('knows a copied mark: the id that the API answered with goes before an older one, which is told', () => {
    const one = settled().lastLook(available('uimage-forged', 1), mine);
    expect([one.copy.imageId, one.excess]).toEqual(['uimage-1', []]);
    expect(one.scenario.warnings.join()).toContain('uimage-forged');
  });

  it('tells a newcomer of our name without a mark after a doubt, and only then', () => {
    expect(settled().lastLook(mine, stranger('uimage-x')).scenario.warnings).toEqual([]);
    const one = twice().lastLook(mine, stranger('uimage-x'));
    expect(one.scenario.warnings).toEqual([expect.stringContaining('uimage-x')]);
    expect(one.excess).toEqual([]);
  });
});

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
  });

  it('takes a state nobody knows for under way, told once', () => {
    const one = life()
      .send(MADE)
      .at(10)
      .poll(ours('uimage-1', { State: 'Syncing' }))
      .at(20);
    one.poll(ours('uimage-1', { State: 'Syncing' }));
    expect(one.copy).toMatchObject({ state: 'Syncing', finishedAt: null });
    expect(one.scenario.warnings).toEqual([expect.stringContaining('Syncing')]);
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
    expect(one.copy.problem !== null).toBe(gone);
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
    for (const place of one.run.places) tellUnmarked(one.run, place);
    expect(one.scenario.warnings).toEqual([expect.stringMatching(/uimage-1 in hk/)]);
    expect(one.copy).toMatchObject({ outcome: 'copied', problem: null });
    const theirs = adopted();
    tellUnmarked(theirs.run, theirs.place);
    expect(theirs.scenario.warnings).toEqual([]);
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
    const one = life().send(UNCLEAR).at(120).fail('look', 150);
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
    });
  });

  it('at the deadline denies nothing', () => {
    const one = life({ timeout: 60_000 }).send(UNCLEAR).at(60).fail('look', 150);
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
  });
});

it('that failed without a doubt at the last look is told, too: another run may have copied', () => {
  expect(settled().fail('last look', 150).scenario.warnings).toEqual([expect.stringMatching(/hk.*150/)]);
});

describe("another run's image that is handed out", () => {
  it('though the API answered with it as the copy of this run: the log says so', () => {
    const theirs = byOther('uimage-1', 1);
    const one = life().send(MADE).at(10).poll(theirs);
    expect(one.copy).toMatchObject({ imageId: null, outcome: 'failed' });
    expect(one.scenario.notices).toEqual([expect.stringMatching(/^hk: .*uimage-1.*marker of another run/)]);
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
