import { EOL } from 'node:os';
import * as core from '@actions/core';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { createLog, failureMessage, voidMessage } from '../../src/log.ts';
import type { Copy, Event, Promotion } from '../../src/promotion/model.ts';
import { HOSTILE } from './hostile.ts';
import {
  aCopy,
  anOrder,
  aPromotion,
  hostileEverywhere,
  manyCopies,
  promotions,
  SOURCE,
  T0,
} from './promotions.ts';

const ORDER = anOrder();

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
    const log = createLog({ sink: core, order: ORDER });
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
    {
      type: 'rolled-back',
      deleted: [{ region: text, projectId: text, imageId: text }],
      left: [{ message: text, advice: text }],
    },
  ];
}

describe('a log of hostile texts', () => {
  function check(promotion: Promotion, text: string): void {
    const { raw, commands, lines } = play(story(promotion, text), promotion);
    const names = commands.map(({ name }) => name).join(' ');
    expect(names).toMatch(/^group endgroup (group endgroup )*warning( warning)*$/);
    expect(raw).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(200);
    const message = failureMessage(promotion, ORDER);
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

const failed = (region: string, message: string, some: Partial<Copy> = {}) =>
  aCopy({
    region,
    imageId: `uimage-${region}`,
    state: 'Unavailable',
    outcome: 'failed',
    problem: { message, advice: 'Delete it, then re-run the job.' },
    ...some,
  });

describe('a log', () => {
  it('tells a promotion from its plan to its outcome, one region one line', () => {
    const open = { state: 'Copying', finishedAt: null };
    const hk = aCopy({
      ...open,
      plan: 'adopt',
      outcome: 'adopted',
      created: false,
      why: 'still copying since an earlier run',
    });
    const sg = aCopy({ ...open, region: 'sg', imageId: 'uimage-sg1', taskId: 'task-sg1' });
    const us = aCopy({ ...open, region: 'us-ca', imageId: 'uimage-us1', taskId: null });
    const copies = [hk, sg, us];
    const raw = written(() => {
      const log = createLog({ sink: core, order: ORDER });
      const bare = [hk, { ...sg, imageId: null }, { ...us, imageId: null }];
      log.report({ type: 'plan', source: SOURCE, copies: bare, dryRun: false });
      log.report({ type: 'submitting', copies: [sg, us] });
      log.report({ type: 'ids', copies });
      log.report({ type: 'ids', copies });
      log.report(state(hk, null));
      log.report({ type: 'heartbeat', copies, seconds: 61, slowest: null });
      log.report({ type: 'notice', message: 'DescribeImage in sg: HTTP 502. Trying again in 2 s.' });
      Object.assign(hk, { state: 'Available', finishedAt: T0 + 250_000 });
      log.report(state(hk));
      log.report({ type: 'heartbeat', copies, seconds: 725, slowest: 250 });
      log.report(state({ ...us, state: 'Making' }));
      const problem = { message: 'sg: the copy uimage-sg1 ended Unavailable.', advice: 'Delete it.' };
      Object.assign(sg, { state: 'Unavailable', finishedAt: T0 + 3_720_000, outcome: 'failed', problem });
      log.report(state(sg));
      const late = { message: 'us-ca: uimage-us1 was still Copying after 10m.', advice: 'Re-run the job.' };
      Object.assign(us, { outcome: 'failed', pending: true, problem: late });
      log.close(aPromotion({ status: 'partial', ended: 'timeout', copies }));
    });
    expect(raw.split('\n')).toEqual([
      '::group::Plan: copy web-1.4.2 to 3 regions of org-prod',
      'from   uimage-abc123 in cn-bj2 (40 GB, Ubuntu 24.04)',
      'reuse  hk       uimage-hk1, still copying since an earlier run',
      'copy   sg, us-ca (not there yet)',
      '::endgroup::',
      '::group::Started 2 copies (image ids, task ids)',
      'sg       uimage-sg1  task-sg1',
      'us-ca    uimage-us1',
      '::endgroup::',
      '[ 1m] 0/3 ready; waiting for hk, sg, us-ca',
      'DescribeImage in sg: HTTP 502. Trying again in 2 s.',
      '✓ hk       uimage-hk1  4m 10s (reused)',
      '[12m] 1/3 ready; waiting for sg, us-ca (slowest so far: 4m 10s)',
      '· us-ca    uimage-us1  now Making, was Copying',
      '✗ sg       uimage-sg1  1h 02m: ended Unavailable',
      '… us-ca    uimage-us1  was still Copying after 10m',
      '',
    ]);
  });

  it('gives another image that takes the place of one that had ended a line of its own', () => {
    const own = aCopy({ imageId: 'uimage-own' });
    const other = aCopy({ imageId: 'uimage-other', outcome: 'adopted', created: false });
    const events = [state(own), state(own), state(other), state(failed('hk', 'hk: gone.'))];
    expect(play(events, aPromotion()).lines.slice(0, 3)).toEqual([
      '✓ hk       uimage-own  4m 10s',
      '✓ hk       uimage-other  4m 10s (reused)',
      '✗ hk       uimage-hk  4m 10s: gone',
    ]);
  });

  it('does not call reused what cannot be, nor gives a time to what took none', () => {
    const problem = { message: 'hk: uimage-hk1 does not match the source.', advice: '' };
    const found = aCopy({ plan: 'adopt', outcome: 'failed', problem, created: false });
    const { lines } = play(
      [
        { type: 'plan', source: SOURCE, copies: [found], dryRun: true },
        state({ ...found, outcome: 'adopted', problem: null, finishedAt: T0 }, null),
        { type: 'ids', copies: [aCopy()] },
      ],
      aPromotion(),
    );
    expect(lines.slice(1, 4)).toEqual([
      '       hk       uimage-hk1 cannot be reused: does not match the source',
      '✓ hk       uimage-hk1  (reused)',
      'Started 1 copy: hk uimage-hk1, task id task-hk1',
    ]);
  });

  it('ends with the outcome when all went well; else the error of the step begins with it', () => {
    const copies = [aCopy({ finishedAt: T0 + 250_000 })];
    expect(play([], aPromotion({ copies, seconds: 250 })).lines).toEqual([
      '✅ web-1.4.2 is ready in hk (4m 10s).',
    ]);
    const promotion = aPromotion({
      status: 'failed',
      copies: [failed('hk', 'hk: the copy ended Unavailable.')],
    });
    expect(play([], promotion).lines).toEqual(['✗ hk       uimage-hk  the copy ended Unavailable']);
    expect(failureMessage(promotion, ORDER)?.split('\n')[0]).toBe('web-1.4.2 is not ready in hk.');
  });

  it('makes one fact in 12 regions one annotation, told at once and marked at the end', () => {
    const copies = manyCopies(12);
    const warnings = copies.map(
      ({ region }, index): Event => ({
        type: 'warning',
        problem: {
          message: `${region}: other copies exist: uimage-old${index}.`,
          advice: 'Delete those that nobody uses.',
        },
      }),
    );
    const { commands, lines } = play([...warnings, ...warnings], aPromotion({ copies }));
    expect(lines.slice(0, 12)).toEqual(
      copies.map(({ region }, index) => `! ${region}: other copies exist: uimage-old${index}.`),
    );
    expect(commands.map(({ name }) => name)).toEqual(['warning']);
    for (const { region } of copies) expect(commands[0]?.text).toContain(`- ${region}: other copies exist`);
    expect(commands[0]?.text.split('Delete those')).toHaveLength(2);
    const alike = copies.map(
      ({ region }): Event => ({
        type: 'warning',
        problem: { message: `${region}: No marker.`, advice: 'Mind it.' },
      }),
    );
    expect(play(alike, aPromotion({ copies })).commands).toEqual([
      { name: 'warning', text: `${copies.map(({ region }) => region).join(', ')}: No marker. Mind it.` },
    ]);
  });

  it('makes the failure of an optional region a warning', () => {
    const promotion = aPromotion({
      copies: [aCopy(), failed('sg', 'sg: the copy ended Unavailable.', { optional: true })],
    });
    const { commands, lines } = play([], promotion);
    expect(failureMessage(promotion, ORDER)).toBeNull();
    expect(commands).toEqual([
      { name: 'warning', text: 'sg: the copy ended Unavailable. Delete it, then re-run the job.' },
    ]);
    expect(lines.join(' ')).toContain(
      'ready in 1 of 2 regions, optional sg failed. Next: this step passed; if you need sg: delete',
    );
  });

  it('names what a rollback has deleted, and warns of what it left', () => {
    const image = (region: string) => ({ region, projectId: 'org-prod', imageId: `uimage-${region}` });
    const left = [{ message: 'uimage-kr in kr was not deleted.', advice: 'Delete it by hand.' }];
    const { raw, commands } = play(
      [{ type: 'rolled-back', deleted: [image('hk'), image('sg')], left }],
      aPromotion(),
    );
    expect(raw).toContain(
      '::group::Rolled back: 2 images deleted\nhk       uimage-hk\nsg       uimage-sg\n::endgroup::\n',
    );
    expect(commands.at(-1)).toEqual({
      name: 'warning',
      text: 'uimage-kr in kr was not deleted. Delete it by hand.',
    });
    const headline = { icon: '🗑️', text: 'Rolled back: 2 images deleted', next: 're-run the job.' };
    expect(voidMessage(headline, [image('hk'), image('sg')]).split('\n')).toEqual([
      'Rolled back: 2 images deleted.',
      'Next: re-run the job.',
      '- void: hk uimage-hk',
      '- void: sg uimage-sg',
    ]);
    expect(play([{ type: 'rolled-back', deleted: [], left: [] }], aPromotion()).lines[0]).toContain(
      'no image of this run was found',
    );
  });

  it('shows a dry run as what would happen', () => {
    const copies = [
      aCopy({ imageId: null, outcome: 'planned' }),
      aCopy({ region: 'cn-bj2', plan: 'source', why: 'it is the source', outcome: 'planned' }),
    ];
    const promotion = aPromotion({ status: 'planned', copies });
    const { commands, lines } = play([{ type: 'plan', source: SOURCE, copies, dryRun: true }], promotion);
    expect(commands[0]?.text).toBe(
      'Plan (dry run, nothing is changed): copy web-1.4.2 to 2 regions of org-prod',
    );
    expect(lines.at(-1)).toBe(
      '📝 Dry run: would copy to hk; cn-bj2 has it already. Next: run it without dry-run to copy.',
    );
  });

  it.each([
    [33, 15],
    [33, 120],
    [40, 45],
  ])('of %i regions over %i minutes has no line over 200 characters nor with two ids', (count, minutes) => {
    const copies = manyCopies(count, () => ({ state: 'Copying', finishedAt: null }));
    const order = anOrder({ target: { projectId: 'org-prod', regions: copies.map(({ region }) => region) } });
    const raw = written(() => {
      const log = createLog({ sink: core, order });
      log.report({
        type: 'plan',
        source: SOURCE,
        copies: copies.map((copy) => ({ ...copy, imageId: null })),
        dryRun: false,
      });
      log.report({ type: 'ids', copies });
      for (let minute = 1; minute <= minutes; minute++) {
        log.report({
          type: 'heartbeat',
          copies,
          seconds: minute * 60 + minute / 100,
          slowest: 60,
        });
        const due = Math.floor((count * minute) / minutes);
        for (const copy of copies.slice(0, due).filter(({ finishedAt }) => finishedAt === null)) {
          const broken = copy.region === 'region-7';
          Object.assign(copy, {
            state: broken ? 'Unavailable' : 'Available',
            finishedAt: T0 + minute * 60_000,
          });
          const problem = { message: `region-7: the copy uimage-7 ended Unavailable.`, advice: 'Delete it.' };
          if (broken) Object.assign(copy, { outcome: 'failed', problem });
          log.report(state(copy));
        }
      }
      const promotion = aPromotion({ status: 'partial', copies });
      log.close(promotion);
      core.setFailed(failureMessage(promotion, order) ?? '');
    });
    const lines = raw.replaceAll('%0A', '\n').trimEnd().split('\n');
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(200);
      expect((line.match(/uimage-/g) ?? []).length).toBeLessThan(2);
    }
    for (let index = 0; index < count; index++) {
      const end = new RegExp(`^[✓✗] region-${index} +uimage-${index}  `);
      expect(lines.filter((line) => end.test(line))).toHaveLength(1);
    }
    expect(lines.filter((line) => /^\[ *\S+m\] .* ready/.test(line)).length).toBeLessThan(30);
  });
});

describe('failureMessage', () => {
  it('is null when nothing went wrong', () => {
    expect(failureMessage(aPromotion(), ORDER)).toBeNull();
    expect(failureMessage(aPromotion({ status: 'copying' }), ORDER)).toBeNull();
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
    expect(failureMessage(promotion, ORDER)?.split('\n')).toEqual([
      'web-1.4.2: ready in 1 of 5 regions, 4 failed.',
      'Next: follow the advice for 4 regions, then re-run the failed job: it keeps the ready copy and copies only the failed regions.',
      '- The timeout of 2h is over.',
      '- vn-sng: the copy ended Unavailable.',
      '  What to do: Run again.',
      '- sg, us-ca: CopyCustomImage in cn-bj2: 8095, quota.',
      '- kr: quota.',
      '  What to do: Delete images.',
    ]);
  });

  it('tells one refusal of many regions once, though each answer names its region and has its own request id', () => {
    const copies = ['hk', 'sg'].map((region, index) =>
      failed(region, `${region}: full (RetCode 8095: "no room in [${region}]", request id id-${index}).`),
    );
    expect(failureMessage(aPromotion({ status: 'failed', copies }), ORDER)).toContain(
      '- hk, sg: full (RetCode 8095: "no room in […]", request id of hk: id-0). Delete it',
    );
    const other = [...copies, failed('kr', 'kr: full (RetCode 8095: "another word", request id id-3).')];
    expect(failureMessage(aPromotion({ status: 'failed', copies: other }), ORDER)).toContain(
      '- kr: full (RetCode 8095: "another word", request id id-3).',
    );
  });

  it('fits an annotation, with every one of 40 targets as long as it can', () => {
    const promotion = (length: number) =>
      aPromotion({
        status: 'failed',
        copies: manyCopies(40, (index) => ({
          outcome: 'failed',
          problem: { message: `region-${index}: ${index} ${'long '.repeat(length)}`, advice: 'Try again.' },
        })),
      });
    const message = failureMessage(promotion(1000), ORDER) ?? '';
    expect(message.length).toBeLessThanOrEqual(4096);
    expect(message.match(/^- region-/gm)).toHaveLength(40);
    const hopeless = promotion(1000);
    for (const [index, copy] of hopeless.copies.entries())
      if (copy.problem) copy.problem.advice = `${index} ${'x'.repeat(500)}`;
    const cut = failureMessage(hopeless, ORDER) ?? '';
    expect(cut.length).toBeLessThanOrEqual(4096);
    expect(cut.endsWith('There is more: see the job summary.')).toBe(true);
    expect(cut.match(/There is more/g)).toHaveLength(1);
    expect(cut.match(/^- region-/gm)?.length).toBeGreaterThan(15);
  });
});
