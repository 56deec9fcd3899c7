import { EOL } from 'node:os';
import * as core from '@actions/core';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { createLog, failureMessage, headline } from '../../src/log.ts';
import type { Copy, Event, Promotion } from '../../src/promotion/model.ts';
import { HOSTILE } from './hostile.ts';
import { aCopy, aPromotion, hostileEverywhere, manyCopies, promotions, SOURCE, T0 } from './promotions.ts';

let stdout: MockInstance<typeof process.stdout.write>;
beforeEach(() => {
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(() => {
  stdout.mockRestore();
});

/** What the real @actions/core writes; its ends of line are the system's. */
function written(play: () => void): string {
  stdout.mockClear();
  play();
  return stdout.mock.calls
    .map(([chunk]) => String(chunk))
    .join('')
    .replaceAll(EOL, '\n');
}

interface Heard {
  commands: { name: string; text: string }[];
  lines: string[];
}

/** Reads a step's stdout as a runner does, but takes even unknown names for commands. */
function listen(raw: string): Heard {
  const heard: Heard = { commands: [], lines: [] };
  for (const line of raw.split(/\r\n|\r|\n/)) {
    const now = /^\s*::(.*?)::(.*)$/.exec(line);
    const old = /##\w*\[([^\]]*)\](.*)$/.exec(line);
    if (now) {
      const text = (now[2] ?? '').replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
      heard.commands.push({ name: now[1] ?? '', text });
    } else if (old) heard.commands.push({ name: `old ${old[1]}`, text: old[2] ?? '' });
    else if (line !== '') heard.lines.push(line);
  }
  return heard;
}

function play(events: Event[], promotion: Promotion): Heard & { raw: string } {
  const raw = written(() => {
    const log = createLog({ sink: core, region: 'cn-bj2' });
    for (const event of events) log.report(event);
    log.close(promotion);
  });
  return { raw, ...listen(raw) };
}

function state(copy: Copy, from: string | null = 'Copying'): Event {
  return { type: 'state', copy, from, seconds: ((copy.finishedAt ?? T0) - T0) / 1000 };
}

/** A whole promotion, with every kind of event, all with these copies. */
function story(promotion: Promotion, text: string): Event[] {
  const { copies } = promotion;
  return [
    { type: 'plan', source: promotion.source ?? SOURCE, copies, dryRun: promotion.status === 'planned' },
    { type: 'submitting', copies },
    { type: 'ids', copies },
    ...copies.map((copy) => state(copy, null)),
    { type: 'notice', message: text },
    { type: 'heartbeat', copies, seconds: 60, slowest: 10 },
    { type: 'warning', problem: { message: text, advice: text } },
    ...copies.map((copy) => state(copy, text)),
  ];
}

describe('a log of hostile texts', () => {
  function check(promotion: Promotion, text: string): void {
    const { raw, commands, lines } = play(story(promotion, text), promotion);
    expect(commands.map(({ name }) => name)).toEqual(['group', 'endgroup', 'warning']);
    expect(raw).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    expect(lines.length).toBeLessThan(30);
    const message = failureMessage(promotion);
    for (const line of [
      ...lines,
      ...commands.flatMap(({ text: one }) => one.split('\n')),
      ...(message ?? '').split('\n'),
    ]) {
      expect(listen(line).commands).toEqual([]);
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    }
    if (message === null) return;
    const error = listen(written(() => core.error(message)));
    expect(error.commands).toEqual([{ name: 'error', text: message }]);
    expect(error.lines).toEqual([]);
  }

  it.each(HOSTILE.map((text, index) => [index, text]))('holds the corpus as text: %i', (_index, text) => {
    check(hostileEverywhere(text), text);
  });

  it('holds any promotion as text', () => {
    fc.assert(fc.property(promotions, fc.constantFrom(...HOSTILE), check), { numRuns: 200 });
  });
});

describe('a log', () => {
  it('tells a promotion from its plan to its outcome', () => {
    const hk = aCopy({ finishedAt: null, state: 'Copying' });
    const sg = aCopy({
      region: 'sg',
      imageId: 'uimage-sg1',
      taskId: null,
      finishedAt: null,
      state: 'Copying',
    });
    const us = aCopy({
      region: 'us-ca',
      plan: 'adopt',
      why: 'it is there',
      imageId: 'uimage-us1',
      outcome: 'adopted',
      created: false,
      finishedAt: T0,
    });
    const copies = [hk, sg, us];
    const raw = written(() => {
      const log = createLog({ sink: core, region: 'cn-bj2' });
      log.report({
        type: 'plan',
        source: SOURCE,
        copies: [{ ...hk, imageId: null }, { ...sg, imageId: null }, us],
        dryRun: false,
      });
      log.report({ type: 'submitting', copies: [hk, sg] });
      log.report({ type: 'ids', copies });
      log.report({ type: 'ids', copies });
      log.report(state(us, null));
      log.report(state(hk, null));
      log.report({ type: 'heartbeat', copies, seconds: 61, slowest: null });
      log.report({ type: 'notice', message: 'The site is slow.' });
      Object.assign(hk, { state: 'Available', finishedAt: T0 + 250_000 });
      log.report(state(hk));
      log.report({ type: 'heartbeat', copies, seconds: 725, slowest: 250 });
      const problem = { message: 'sg: the copy uimage-sg1 ended Unavailable.', advice: 'Delete it.' };
      Object.assign(sg, { state: 'Unavailable', finishedAt: T0 + 3_720_000, outcome: 'failed', problem });
      log.report(state(sg));
      log.close(aPromotion({ status: 'partial', copies }));
    });
    expect(raw.split('\n')).toEqual([
      '::group::Plan: uimage-abc123 to 3 regions',
      'Source: uimage-abc123 in cn-bj2 (web-1.4.2, 40 GB, Ubuntu 24.04)',
      'copy to hk, sg in project org-prod as web-1.4.2: no copy of this source is there',
      'adopt in us-ca uimage-us1 in project org-prod as web-1.4.2: it is there',
      '::endgroup::',
      'Copies under way: hk uimage-hk1 (task task-hk1), sg uimage-sg1',
      'us-ca: uimage-us1 Available after 0s (adopted)',
      '1 of 3 available, hk and sg copying for 1m',
      'The site is slow.',
      'hk: uimage-hk1 Available after 4m 10s',
      '2 of 3 available, sg copying for 12m · slowest so far 4m 10s',
      'sg: uimage-sg1 Unavailable after 1h 02m, failed: the copy uimage-sg1 ended Unavailable.',
      '',
    ]);
  });

  it('ends with what came of it when all went well; else the error of the step begins with that', () => {
    const copies = [aCopy({ finishedAt: T0 + 250_000 })];
    expect(play([], aPromotion({ copies })).lines).toEqual(['web-1.4.2 is Available in hk after 4m 10s.']);
    const problem = { message: 'hk: the copy ended Unavailable.', advice: 'Delete it.' };
    const failed = aPromotion({ status: 'failed', copies: [aCopy({ outcome: 'failed', problem })] });
    expect(play([], failed).lines).toEqual([]);
    expect(failureMessage(failed)?.split('\n')[0]).toBe('web-1.4.2 is not Available in hk.');
  });

  it('warns once of one fact', () => {
    const warning: Event = {
      type: 'warning',
      problem: { message: 'Only the system disk.', advice: 'Mind it.' },
    };
    const { commands } = play([warning, warning, { ...warning }], aPromotion());
    expect(commands).toEqual([{ name: 'warning', text: 'Only the system disk.\nMind it.' }]);
  });

  it('shows a change that is not an end', () => {
    const { lines } = play([state(aCopy({ state: 'Making', finishedAt: null }))], aPromotion());
    expect(lines[0]).toBe('hk: uimage-hk1 Making after 0s');
  });

  it('shows a dry run as what would happen', () => {
    const copies = [
      aCopy({ imageId: null, outcome: 'planned' }),
      aCopy({ region: 'cn-bj2', plan: 'source', why: 'it is the source', outcome: 'planned' }),
    ];
    const promotion = aPromotion({
      status: 'planned',
      copies: copies.map((copy) => ({ ...copy, startedAt: null, finishedAt: null })),
    });
    const { commands, lines } = play([{ type: 'plan', source: SOURCE, copies, dryRun: true }], promotion);
    expect(commands[0]?.text).toBe('Plan (dry run, nothing is changed): uimage-abc123 to 2 regions');
    expect(lines.at(-1)).toBe('Dry run: web-1.4.2 would be copied to hk and left alone in cn-bj2.');
  });
});

describe('the length of a log', () => {
  /** Copies that end one by one, each a while after the other, with a heartbeat a minute. */
  function run(count: number, minutes: number, each: (index: number) => Partial<Copy>): string[] {
    const copies = manyCopies(count, (index) => ({
      state: 'Copying',
      finishedAt: null,
      why: `reason ${index}`,
      ...each(index),
    }));
    const raw = written(() => {
      const log = createLog({ sink: core, region: 'cn-bj2' });
      log.report({ type: 'plan', source: SOURCE, copies, dryRun: false });
      log.report({ type: 'ids', copies });
      for (const copy of copies) log.report(state(copy, null));
      for (let minute = 1; minute <= minutes; minute++) {
        log.report({ type: 'heartbeat', copies, seconds: minute * 60 + minute / 100, slowest: null });
        const due = Math.floor((count * minute) / minutes);
        for (const copy of copies.slice(0, due).filter(({ finishedAt }) => finishedAt === null)) {
          Object.assign(copy, { state: 'Available', finishedAt: T0 + minute * 60_000 });
          log.report(state(copy));
        }
      }
      log.close(aPromotion({ copies }));
    });
    return raw.trimEnd().split('\n');
  }

  it.each([
    [20, 1],
    [20, 45],
    [20, 120],
    [40, 1],
    [40, 45],
    [40, 120],
  ])('is under 60 lines for %i regions over %i minutes, with every id in it', (count, minutes) => {
    const lines = run(count, minutes, () => ({}));
    expect(lines.length).toBeLessThan(60);
    for (let index = 0; index < count; index++) {
      expect(
        lines.filter((line) => line.includes(`region-${index}: uimage-${index} Available after`)),
      ).toHaveLength(1);
      expect(
        lines.filter((line) => line.includes(`region-${index} uimage-${index} (reason ${index})`)),
      ).toHaveLength(1);
    }
  });

  it('has a line for each end of up to 20 copies, and a heartbeat each minute at first', () => {
    const lines = run(3, 15, (index) => (index < 2 ? { state: 'Available', finishedAt: T0 } : {}));
    expect(lines.filter((line) => /copying for \d+m$/.test(line))).toHaveLength(15);
  });
});

describe('failureMessage', () => {
  it('is null when nothing went wrong', () => {
    expect(failureMessage(aPromotion())).toBeNull();
    expect(failureMessage(aPromotion({ status: 'copying' }))).toBeNull();
  });

  it('lists every failed target once, with one remedy for one cause', () => {
    const failed = (region: string, message: string, advice = 'Delete images.') =>
      aCopy({ region, state: null, imageId: null, outcome: 'failed', problem: { message, advice } });
    const promotion = aPromotion({
      status: 'partial',
      copies: [
        aCopy(),
        failed('sg', 'CopyCustomImage in cn-bj2: 8095, quota.'),
        failed('us-ca', 'CopyCustomImage in cn-bj2: 8095, quota.'),
        failed('vn-sng', 'vn-sng: the copy ended Unavailable.', 'Run again.'),
        failed('kr', 'kr: quota.'),
      ],
      problems: [{ message: 'The timeout of 2h is over.', advice: 'Run again.' }],
    });
    expect(failureMessage(promotion)?.split('\n')).toEqual([
      'web-1.4.2 is Available in 1 of 5 regions.',
      '- The timeout of 2h is over.',
      '- vn-sng: the copy ended Unavailable.',
      'What to do: Run again.',
      '- sg and us-ca: CopyCustomImage in cn-bj2: 8095, quota.',
      '- kr: quota.',
      'What to do: Delete images.',
    ]);
  });

  it('fits an annotation, with every one of 40 targets as long as it can', () => {
    const promotion = (length: number) =>
      aPromotion({
        status: 'failed',
        copies: manyCopies(40, (index) => ({
          outcome: 'failed',
          problem: { message: `region-${index}: ${'long '.repeat(length)}`, advice: 'Try again.' },
        })),
      });
    const message = failureMessage(promotion(1000)) ?? '';
    expect(message.length).toBeLessThanOrEqual(4096);
    expect(message.match(/^- region-/gm)).toHaveLength(40);
    const hopeless = promotion(1000);
    for (const [index, copy] of hopeless.copies.entries())
      if (copy.problem) copy.problem.advice = `${index} ${'x'.repeat(500)}`;
    const cut = failureMessage(hopeless) ?? '';
    expect(cut.length).toBeLessThanOrEqual(4096);
    expect(cut.endsWith('There is more: see the job summary.')).toBe(true);
    expect(cut.match(/There is more/g)).toHaveLength(1);
    expect(cut.match(/^- region-/gm)?.length).toBeGreaterThan(15);
  });
});

describe('headline', () => {
  const say = (some: Partial<Promotion>) => headline(aPromotion(some), (text) => text);
  const failed = { state: 'Unavailable', outcome: 'failed' } as const;
  const open = { state: 'Copying', finishedAt: null };
  it.each<[string, Partial<Promotion>]>([
    ['web-1.4.2 is Available in hk', {}],
    ['web-1.4.2 is Available in 3 regions', { copies: manyCopies(3) }],
    ['web-1.4.2 is being copied to hk', { status: 'copying', copies: [aCopy(open)] }],
    [
      'web-1.4.2 is being copied to hk and Available in sg',
      { status: 'copying', copies: [aCopy(open), aCopy({ region: 'sg' })] },
    ],
    ['web-1.4.2 is Available in 1 of 2 regions', { status: 'partial', copies: [aCopy(), aCopy(failed)] }],
    [
      'web-1.4.2 is Available in none of 2 regions',
      { status: 'failed', copies: manyCopies(2, () => failed) },
    ],
    ['web-1.4.2 is not Available in hk', { status: 'failed', copies: [aCopy(failed)] }],
    ['web-1.4.2 was not copied', { status: 'failed', copies: [aCopy({ ...failed, created: false })] }],
    ['web-1.4.2 was not copied', { status: 'failed', copies: [] }],
    ['uimage-1 was not copied', { status: 'failed', copies: [], source: { ImageId: 'uimage-1' } }],
    ['The image was not copied', { status: 'failed', copies: [], source: null }],
    [
      'web-1.4.2 is Available in none of 2 regions; what this run made in 2 regions was deleted again',
      {
        status: 'failed',
        copies: manyCopies(2, () => ({ state: 'Deleted', outcome: 'failed', created: false })),
      },
    ],
  ])('says: %s', (text, promotion) => {
    expect(say(promotion)).toBe(text);
  });
});
