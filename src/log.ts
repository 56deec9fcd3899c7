import { formatDuration } from './promotion/duration.ts';
import type { Copy, Event, Problem, Promotion, Report } from './promotion/model.ts';
import { logLine, oneLine } from './text.ts';

/** The part of @actions/core that the log writes to. `info` writes the line as it is. */
export interface Sink {
  info(message: string): void;
  warning(message: string): void;
  startGroup(name: string): void;
  endGroup(): void;
}

export interface Log {
  report: Report;
  /** The last line of a promotion that went well. Of another, the last is its error: `failureMessage`. */
  close(promotion: Promotion): void;
}

/** Characters: an id or a region, a sentence, a line that lists many targets. */
const SHORT = 120;
const LONG = 1000;
const LIST = 8000;

/** At most so many lines of settled copies, and so many of the plan: a log of 40 targets stays under 60 lines. */
const SETTLED_LINES = 20;
const PLAN_LINES = 12;

/** Seconds between two heartbeat lines: up to the 15th, up to the 24th (an hour), from then on. */
const HEARTBEATS: readonly { upTo: number; gap: number }[] = [
  { upTo: 15, gap: 60 },
  { upTo: 24, gap: 300 },
  { upTo: Number.POSITIVE_INFINITY, gap: 1800 },
];

/** `region` is the source's. */
export function createLog({ sink, region }: { sink: Sink; region: string }): Log {
  const info = (line: string) => sink.info(logLine(line, LIST));
  const warned = new Set<string>();
  const named = new Set<string>();
  let settled: string[] = [];
  let targets = 1;
  let heartbeats = 0;
  let lastHeartbeat = 0;

  function flush(): void {
    if (settled.length > 0) info(settled.join(' · '));
    settled = [];
  }

  function plan({ source, copies, dryRun }: Event & { type: 'plan' }): void {
    targets = copies.length;
    const about = [source.ImageName, size(source.ImageSize), source.OsName].filter(Boolean).join(', ');
    const title = `${dryRun ? 'Plan (dry run, nothing is changed)' : 'Plan'}: ${short(source.ImageId)} to ${count(copies.length)}`;
    sink.startGroup(logLine(title));
    info(
      `Source: ${short(source.ImageId)} in ${short(region)}${about ? ` (${oneLine(about, 3 * SHORT)})` : ''}`,
    );
    for (const line of planLines(copies, dryRun ? copies.length : PLAN_LINES)) info(line);
    sink.endGroup();
  }

  function ids(copies: readonly Copy[]): void {
    const fresh = copies.filter(({ created, imageId }) => created && imageId !== null && !named.has(imageId));
    for (const { imageId } of fresh) named.add(imageId ?? '');
    if (fresh.length === 0) return;
    flush();
    info(`Copies under way: ${fresh.map(nameOf).join(', ')}`);
  }

  /** Only ends and real changes are lines: that a new copy is Copying was told with its id. */
  function state(copy: Copy, from: string | null, seconds: number): void {
    if (copy.finishedAt === null && from === null) return;
    settled.push(stateOf(copy, seconds));
    if (settled.length >= Math.ceil(targets / SETTLED_LINES)) flush();
  }

  function heartbeat({ copies, seconds, slowest }: Event & { type: 'heartbeat' }): void {
    const gap = HEARTBEATS.find(({ upTo }) => heartbeats < upTo)?.gap ?? 0;
    // A tenth less, since beats come a little early or late.
    if (seconds - lastHeartbeat < gap * 0.9) return;
    heartbeats += 1;
    lastHeartbeat = seconds;
    settled.push(progress(copies, seconds, slowest));
    flush();
  }

  function rolledBack({ deleted, left }: Event & { type: 'rolled-back' }): void {
    for (const { imageId, region } of deleted)
      info(`Rolled back: ${short(imageId)} in ${short(region)} was deleted.`);
    for (const problem of left) warn(problem);
    if (deleted.length === 0 && left.length === 0) info('Rollback: this run left no image.');
  }

  function warn({ message, advice }: Problem): void {
    const text = [message, advice].map((part) => logLine(part, LONG)).join('\n');
    if (warned.has(text)) return;
    warned.add(text);
    flush();
    sink.warning(text);
  }

  return {
    report(event) {
      if (event.type === 'plan') plan(event);
      else if (event.type === 'ids') ids(event.copies);
      else if (event.type === 'state') state(event.copy, event.from, event.seconds);
      else if (event.type === 'heartbeat') heartbeat(event);
      else if (event.type === 'warning') warn(event.problem);
      else if (event.type === 'rolled-back') rolledBack(event);
      else if (event.type === 'notice') {
        flush();
        info(oneLine(event.message, LONG));
      }
    },
    close(promotion) {
      flush();
      // The error begins with the same sentence.
      if (failureMessage(promotion) !== null) return;
      const took = wholeTime(promotion.copies);
      info(`${headline(promotion, short)}${took === null ? '' : ` after ${formatDuration(took)}`}.`);
    },
  };
}

function short(text: string): string {
  return oneLine(text, SHORT);
}

function size(gigabytes: number | undefined): string {
  return gigabytes === undefined ? '' : `${gigabytes} GB`;
}

function nameOf({ region, imageId, taskId }: Copy): string {
  return `${short(region)} ${short(imageId ?? '?')}${taskId ? ` (task ${short(taskId)})` : ''}`;
}

const WHAT: Record<Copy['plan'], string> = { copy: 'copy to', adopt: 'adopt in', source: 'leave alone in' };

/** Targets of one plan and one reason share a line; beyond `most` lines, all targets of one plan do. */
function planLines(copies: readonly Copy[], most: number): string[] {
  const regions = (some: readonly Copy[]) => some.map((copy) => short(copy.region)).join(', ');
  const rest = ({ projectId, name }: Copy) => `in project ${short(projectId)} as ${short(name)}`;
  const lines = groupBy(copies, ({ plan, why, imageId, projectId, name }) => [
    plan,
    why,
    imageId,
    projectId,
    name,
  ]).map(
    ([first, ...others]) =>
      `${WHAT[first.plan]} ${regions([first, ...others])}${first.imageId ? ` ${short(first.imageId)}` : ''} ${rest(first)}: ${oneLine(first.why, LONG)}`,
  );
  if (lines.length <= most) return lines;
  return groupBy(copies, ({ plan, projectId, name }) => [plan, projectId, name]).map(
    ([first, ...others]) =>
      `${WHAT[first.plan]} ${count(others.length + 1)} ${rest(first)}: ${[first, ...others]
        .map(
          ({ region, imageId, why }) =>
            `${short(region)}${imageId ? ` ${short(imageId)}` : ''} (${short(why)})`,
        )
        .join(', ')}`,
  );
}

function stateOf(copy: Copy, seconds: number): string {
  const image = `${short(copy.region)}: ${short(copy.imageId ?? 'no image')}`;
  const adopted = copy.outcome === 'adopted' ? ' (adopted)' : '';
  const line = `${image} ${short(copy.state ?? 'in an unknown state')} after ${formatDuration(seconds)}${adopted}`;
  if (!copy.problem) return line;
  const { message } = copy.problem;
  const prefix = `${copy.region}: `;
  return `${line}, failed: ${oneLine(message.startsWith(prefix) ? message.slice(prefix.length) : message, 3 * SHORT)}`;
}

function progress(copies: readonly Copy[], seconds: number, slowest: number | null): string {
  const failed = copies.filter(({ problem }) => problem).length;
  const open = copies
    .filter((copy) => copy.imageId && !copy.problem && !isUsable(copy))
    .map(({ region }) => short(region));
  return [
    `${copies.filter(isUsable).length} of ${copies.length} available`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    `${enumerate(open, 5)} copying for ${elapsed(seconds)}${slowest === null ? '' : ` · slowest so far ${formatDuration(slowest)}`}`,
  ].join(', ');
}

function wholeTime(copies: readonly Copy[]): number | null {
  const starts = copies.flatMap(({ startedAt }) => startedAt ?? []);
  const ends = copies.flatMap(({ finishedAt }) => finishedAt ?? []);
  if (starts.length === 0 || ends.length === 0) return null;
  return (Math.max(...ends) - Math.min(...starts)) / 1000;
}

/** `hk, sg and 3 more` */
function enumerate(words: readonly string[], most: number): string {
  const shown =
    words.length > most ? [...words.slice(0, most - 1), `${words.length - most + 1} more`] : words;
  if (shown.length <= 1) return shown[0] ?? 'none';
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

function groupBy<Item>(items: readonly Item[], key: (item: Item) => unknown): [Item, ...Item[]][] {
  const groups = new Map<string, [Item, ...Item[]]>();
  for (const item of items) {
    const name = JSON.stringify(key(item));
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return [...groups.values()];
}

/** An image that can be used now. */
export function isUsable({ state, outcome }: Copy): boolean {
  return outcome !== 'failed' && outcome !== 'planned' && state === 'Available';
}

function count(regions: number): string {
  return `${regions} region${regions === 1 ? '' : 's'}`;
}

/** The outcome in one sentence without its full stop. `show` makes a name harmless where the sentence will stand. */
export function headline({ status, source, copies }: Promotion, show: (text: string) => string): string {
  const called = copies[0]?.name ?? source?.ImageName ?? source?.ImageId;
  const name = called === undefined ? 'The image' : show(called);
  const where = (some: readonly Copy[]) =>
    some[0] && some.length === 1 ? show(some[0].region) : count(some.length);
  const usable = copies.filter(isUsable);
  const failed = copies.filter(({ outcome }) => outcome === 'failed');
  const deleted = copies.filter(({ state }) => state === 'Deleted');
  const after = deleted.length > 0 ? `; what this run made in ${where(deleted)} was deleted again` : '';
  if (status === 'planned') {
    const planned = (plan: Copy['plan'], verb: string) => {
      const some = copies.filter((copy) => copy.plan === plan);
      return some.length > 0 ? [`${verb} ${where(some)}`] : [];
    };
    const parts = [
      ...planned('copy', 'copied to'),
      ...planned('adopt', 'adopted in'),
      ...planned('source', 'left alone in'),
    ];
    return `Dry run: ${name} would be ${enumerate(parts, 3)}`;
  }
  if (status === 'available') return `${name} is Available in ${where(usable.length > 0 ? usable : copies)}`;
  if (status === 'copying') {
    const open = copies.filter((copy) => !usable.includes(copy) && !failed.includes(copy));
    return `${name} is being copied to ${where(open)}${usable.length > 0 ? ` and Available in ${where(usable)}` : ''}`;
  }
  if (
    usable.length === 0 &&
    deleted.length === 0 &&
    !copies.some(({ created, unclear }) => created || unclear)
  )
    return `${name} was not copied`;
  if (copies.length === 1) return `${name} is not Available in ${where(copies)}${after}`;
  return `${name} is Available in ${usable.length === 0 ? 'none' : usable.length} of ${count(copies.length)}${after}`;
}

export interface Failure {
  /** Those of the targets it struck that the message does not name itself. */
  regions: string[];
  problem: Problem;
}

/** What went wrong, each fact once: first what stopped the whole, then the targets. */
export function failuresOf({ problems, copies }: Promotion): Failure[] {
  const struck = copies.flatMap(({ region, problem }) => (problem ? [{ region, problem }] : []));
  return groupBy([...problems.map((problem) => ({ region: null, problem })), ...struck], ({ problem }) => [
    problem.message,
    problem.advice,
  ]).map((group) => {
    const { problem } = group[0];
    const words = new Set(problem.message.split(/[^\p{L}\p{N}_-]+/u));
    return {
      problem,
      regions: group.flatMap(({ region }) => (region === null || words.has(region) ? [] : [region])),
    };
  });
}

/** A runner cuts annotations at 4,096 characters. */
const ANNOTATION = 4000;

/** The one error of the step, harmless for an annotation; null when nothing went wrong. */
export function failureMessage(promotion: Promotion): string | null {
  const failures = failuresOf(promotion);
  if (failures.length === 0) return null;
  const first = logLine(`${headline(promotion, short)}.`);
  const byAdvice = groupBy(failures, ({ problem }) => problem.advice);
  const render = (most: number) =>
    byAdvice.flatMap((group) => [
      ...group.map(({ regions, problem }) =>
        logLine(
          `- ${regions.length > 0 ? `${enumerate(regions.map(short), 10)}: ` : ''}${oneLine(problem.message, most)}`,
          LONG,
        ),
      ),
      logLine(`What to do: ${oneLine(group[0].problem.advice, most)}`, LONG),
    ]);
  const whole = [first, ...render(LONG)].join('\n');
  if (whole.length <= ANNOTATION) return whole;
  const room = Math.floor((ANNOTATION - first.length) / (failures.length + byAdvice.length));
  const lines = [first, ...render(Math.max(60, room - 30))];
  const more = 'There is more: see the job summary.';
  while (lines.length > 1 && lines.join('\n').length > ANNOTATION)
    lines.splice(lines.at(-1) === more ? -2 : -1, 2, more);
  return lines.join('\n');
}

/** Whole minutes that are over: no line tells more time than the copies took. A beat may come a second early. */
function elapsed(seconds: number): string {
  return formatDuration(seconds < 59 ? seconds : Math.floor((seconds + 1) / 60) * 60);
}
