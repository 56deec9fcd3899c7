import { describe, expect, it } from 'vitest';
import { type Answer, MOST_UNCLEAR } from '../../src/promotion/answer.ts';
import { SOURCE } from './fake-cloud.ts';
import { copying, life, MADE, problem, putOff, REFUSED, UNCLEAR, WINDOW_SECONDS } from './life.ts';
import { ours } from './scenario.ts';

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
      why: 'same image',
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
