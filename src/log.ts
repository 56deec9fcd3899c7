import { type Failure, failuresOf, warningsOf } from './facts.ts';
import { headlineOf } from './headline.ts';
import { enumerate, groupBy, type Headline, isReady, needsReader, phraseOf, plural } from './outcome.ts';
import { formatDuration } from './promotion/duration.ts';
import type { Copy, Event, ImageRef, Order, Problem, Promotion, Report } from './promotion/model.ts';
import { logLines, oneLine } from './text.ts';

/** The part of @actions/core that the log writes to. `info` writes the line as it is. */
export interface Sink {
  info(message: string): void;
  warning(message: string): void;
  startGroup(name: string): void;
  endGroup(): void;
}

export interface Log {
  report: Report;
  /** What is still to be said at the end: regions without a line, and the annotations. The error of a step that failed comes after it. */
  close(promotion?: Promotion): void;
}

/** Characters: an id or a region, a sentence. */
const SHORT = 120;
const LONG = 1000;

/** At most so many regions are named in a line of progress. */
const NAMED = 8;

/** Seconds between two lines of progress: up to the 15th, up to the 24th (an hour), from then on. */
const HEARTBEATS: readonly { upTo: number; gap: number }[] = [
  { upTo: 15, gap: 60 },
  { upTo: 24, gap: 300 },
  { upTo: Number.POSITIVE_INFINITY, gap: 1800 },
];

/** One region, one line. What people are to do something about becomes an annotation at the end, one for each fact. */
export function createLog({ sink, order }: { sink: Sink; order?: Order }): Log {
  const { info } = sink;
  const width = Math.min(20, Math.max(8, ...(order?.target.regions ?? []).map((name) => name.length)));
  const region = (name: string) => oneLine(name, SHORT).padEnd(width);
  const warnings: Problem[] = [];
  const named = new Set<string>();
  const ended = new Set<string>();
  let heartbeats = 0;
  let lastHeartbeat = 0;

  const write = (text: string, indent = '') => {
    for (const line of logLines(text, indent)) info(line);
  };
  const group = (title: string, lines: readonly string[]) => {
    sink.startGroup(logLines(title)[0] ?? '');
    for (const line of lines) write(line, '         ');
    sink.endGroup();
  };

  function plan({ source, copies, dryRun }: Event & { type: 'plan' }): void {
    const name = short(copies[0]?.name ?? source.ImageName ?? '');
    const project = short(copies[0]?.projectId ?? '');
    const about = [source.ImageSize === undefined ? '' : `${source.ImageSize} GB`, source.OsName];
    const known = about.filter(Boolean).join(', ');
    group(
      `${dryRun ? 'Plan (dry run, nothing is changed)' : 'Plan'}: copy ${name} to ${plural(copies.length, 'region')} of ${project}`,
      [
        `from   ${short(source.ImageId)} in ${short(order?.source.region ?? '')}${known ? ` (${oneLine(known, SHORT)})` : ''}`,
        ...planLines(copies, region),
      ],
    );
  }

  function ids(copies: readonly Copy[]): void {
    const fresh = copies.filter(({ created, imageId }) => created && imageId !== null && !named.has(imageId));
    for (const { imageId } of fresh) named.add(imageId ?? '');
    const [only] = fresh;
    if (fresh.length > 1) {
      const line = (copy: Copy) =>
        `${region(copy.region)} ${short(copy.imageId ?? '')}  ${short(copy.taskId ?? '')}`;
      group(`Started ${fresh.length} copies (image ids, task ids)`, fresh.map(line));
      // Where each region is sent on its own, a group for each would be more lines than ids.
    } else if (only) {
      const task = only.taskId ? `, task id ${short(only.taskId)}` : '';
      write(`Started 1 copy: ${short(only.region)} ${short(only.imageId ?? '')}${task}`);
    }
  }

  /** Only ends and real changes are lines: that a new copy is Copying was said with its id. */
  function state(copy: Copy, from: string | null, seconds: number): void {
    const image = `${region(copy.region)} ${short(copy.imageId ?? '–')}`;
    if (copy.finishedAt === null && !copy.problem) {
      if (from !== null)
        write(`· ${image}  now ${short(copy.state ?? 'in an unknown state')}, was ${short(from)}`);
      return;
    }
    if (ended.has(endOf(copy))) return;
    ended.add(endOf(copy));
    const reused = copy.outcome === 'adopted' ? '(reused)' : '';
    // What was Available when the step began took no time.
    const took = seconds < 1 && reused ? '' : formatDuration(seconds);
    const sign = copy.pending ? '…' : '✗';
    if (copy.problem)
      write(`${sign} ${image}  ${took}${took ? ': ' : ''}${oneLine(phraseOf(copy), LONG)}`, '    ');
    else write(`✓ ${image}  ${[took, reused].filter(Boolean).join(' ')}`);
  }

  function heartbeat({ copies, seconds, slowest }: Event & { type: 'heartbeat' }): void {
    const gap = HEARTBEATS.find(({ upTo }) => heartbeats < upTo)?.gap ?? 0;
    // A tenth less, since beats come a little early or late.
    if (seconds - lastHeartbeat < gap * 0.9) return;
    heartbeats += 1;
    lastHeartbeat = seconds;
    const failed = copies.filter(({ problem }) => problem).length;
    const open = copies.filter((copy) => !copy.problem && !isReady(copy)).map((copy) => short(copy.region));
    const hint = slowest ? ` (slowest so far: ${formatDuration(slowest)})` : '';
    write(
      `[${elapsed(seconds).padStart(3)}] ${copies.filter(isReady).length}/${copies.length} ready${failed > 0 ? `, ${failed} failed` : ''}; waiting for ${enumerate(open, NAMED)}${hint}`,
    );
  }

  function warn(problem: Problem): void {
    const isKnown = warnings.some(
      ({ message, advice }) => message === problem.message && advice === problem.advice,
    );
    if (isKnown) return;
    warnings.push(problem);
    write(`! ${oneLine(problem.message, LONG)}`, '  ');
  }

  function rolledBack(deleted: readonly ImageRef[], left: readonly Problem[]): void {
    if (deleted.length > 0)
      group(
        `Rolled back: ${plural(deleted.length, 'image')} deleted`,
        deleted.map((image) => `${region(image.region)} ${short(image.imageId)}`),
      );
    else if (left.length === 0) write('Rollback: no image of this run was found.');
    for (const problem of left) warn(problem);
  }

  return {
    report(event) {
      if (event.type === 'plan') plan(event);
      else if (event.type === 'ids') ids(event.copies);
      else if (event.type === 'state') state(event.copy, event.from, event.seconds);
      else if (event.type === 'heartbeat') heartbeat(event);
      else if (event.type === 'warning') warn(event.problem);
      else if (event.type === 'rolled-back') rolledBack(event.deleted, event.left);
      else if (event.type === 'notice') write(oneLine(event.message, LONG), '  ');
    },
    close(promotion) {
      const { copies = [] } = promotion ?? {};
      for (const copy of promotion ? copies.filter((copy) => needsReader(copy, promotion)) : []) {
        if (ended.has(endOf(copy))) continue;
        const sign = copy.pending ? '…' : '✗';
        write(
          `${sign} ${region(copy.region)} ${short(copy.imageId ?? '–')}  ${oneLine(phraseOf(copy), LONG)}`,
          '    ',
        );
      }
      const optional = copies.flatMap(({ optional, problem }) => (optional && problem ? [problem] : []));
      const facts = warningsOf([...warnings, ...optional], copies);
      for (const alike of groupBy(facts, ({ problem }) => problem.advice))
        sink.warning(annotation([], alike));
      // The error begins with the same sentence.
      if (promotion && order && failureMessage(promotion, order) === null) {
        const { icon, ...headline } = headlineOf(promotion, order, short);
        write(`${icon} ${sentencesOf(headline).join(' ')}`);
      }
    },
  };
}

/** An end that has a line of its own: another image may take the place of one that had ended. */
function endOf({ region, imageId, problem }: Copy): string {
  return JSON.stringify([region, imageId, problem !== null]);
}

/** What happened, what to do. */
function sentencesOf({ text, next }: Pick<Headline, 'text' | 'next'>): string[] {
  return [`${text}.`, ...(next ? [`Next: ${oneLine(next, LONG)}`] : [])];
}

function short(text: string): string {
  return oneLine(text, SHORT);
}

const VERB: Record<Copy['plan'], string> = { copy: 'copy  ', adopt: 'reuse ', source: 'same  ' };

/** Copies of one reason share a line; an image that exists has a line of its own. */
function planLines(copies: readonly Copy[], region: (name: string) => string): string[] {
  return groupBy(copies, ({ plan, why, imageId }) => [plan, why, imageId]).map(([first, ...others]) => {
    const why = oneLine(first.why, LONG);
    if (first.imageId !== null)
      return first.problem
        ? `       ${region(first.region)} ${short(first.imageId)} cannot be reused: ${oneLine(phraseOf(first), LONG)}`
        : `${VERB[first.plan]} ${region(first.region)} ${short(first.imageId)}, ${why}`;
    return `${first.problem ? 'skip  ' : VERB[first.plan]} ${[first, ...others].map((copy) => short(copy.region)).join(', ')} (${why})`;
  });
}

/** A runner cuts annotations at 4,096 characters. */
const ANNOTATION = 4000;

/** The annotation of a rollback that came after the ids were handed out. */
export function voidMessage(headline: Headline, deleted: readonly ImageRef[]): string {
  const ids = deleted.map(({ region, imageId }) => `- void: ${short(region)} ${short(imageId)}`);
  return [...sentencesOf(headline), ...ids].flatMap((line) => logLines(line)).join('\n');
}

/** The one error of the step, harmless for an annotation; null when nothing went wrong. */
export function failureMessage(promotion: Promotion, order: Order): string | null {
  const failures = failuresOf(promotion).filter(
    ({ regions }) => regions.length === 0 || !isOptional(promotion, regions),
  );
  if (failures.length === 0) return null;
  const headline = headlineOf(promotion, order, short);
  const isSaid = ({ problem }: Failure) => problem.advice === headline.said;
  const unsaid = failures.map((failure) =>
    isSaid(failure) ? { ...failure, problem: { ...failure.problem, advice: '' } } : failure,
  );
  return annotation(sentencesOf(headline), unsaid);
}

function isOptional({ copies }: Promotion, regions: readonly string[]): boolean {
  return copies.every(({ region, optional }) => optional || !regions.includes(region));
}

/** Facts with the same remedy share it. */
export function annotation(head: readonly string[], facts: readonly Failure[]): string {
  const bullet = head.length === 0 && facts.length === 1 ? '' : '- ';
  const render = (most: number) => [
    ...head.flatMap((line) => logLines(line)),
    ...groupBy(facts, ({ problem }) => problem.advice).flatMap((group) => {
      const [first, ...more] = group.map(
        ({ regions, problem }) =>
          `${regions.length > 0 ? `${enumerate(regions.map(short), 60)}: ` : ''}${oneLine(problem.message, most)}`,
      );
      const advice = oneLine(group[0].problem.advice, most);
      if (advice === '') return [first ?? '', ...more].flatMap((line) => logLines(`- ${line}`, '  '));
      if (more.length === 0) return logLines(`${bullet}${first} ${advice}`, '  ');
      return [first, ...more]
        .flatMap((line) => logLines(`- ${line}`, '  '))
        .concat(logLines(`  What to do: ${advice}`, '  '));
    }),
  ];
  const whole = render(LONG).join('\n');
  if (whole.length <= ANNOTATION) return whole;
  const lines = render(Math.max(60, Math.floor(ANNOTATION / (2 * facts.length)) - 30));
  const more = 'There is more: see the job summary.';
  while (lines.length > 1 && lines.join('\n').length > ANNOTATION)
    lines.splice(lines.at(-1) === more ? -2 : -1, 2, more);
  return lines.join('\n');
}

/** Whole minutes that are over: no line tells more time than the copies took. A beat may come a second early. */
function elapsed(seconds: number): string {
  return formatDuration(seconds < 59 ? seconds : Math.floor((seconds + 1) / 60) * 60);
}
