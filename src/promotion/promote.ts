import { check, type Findings } from './check.ts';
import { bounded, type Context, resume, Stopped } from './context.ts';
import { formatDuration } from './duration.ts';
import type { Copy, Order, Problem, Promotion, Status } from './model.ts';
import { plan } from './plan.ts';
import { reconcile, removeStrays } from './reconcile.ts';
import { newSubmission } from './submission.ts';
import { submit } from './submit.ts';
import { isOpen, newWatch, observe, type Watch, wait } from './wait.ts';

/**
 * Check, plan, submit, wait, verify. Never throws: whatever happens, what is known is in the result, and each copy
 * that is not there has the reason.
 */
export async function promote(context: Omit<Context, 'deadline'>): Promise<Promotion> {
  const { order, clock, report, signal } = context;
  const promotion: Promotion = { status: 'failed', source: null, copies: [], problems: [] };
  const startedAt = clock.now();
  const deadline = startedAt + order.timeout;
  const until = bounded(clock, signal, order.timeout);
  try {
    await run({ ...context, signal: until.signal, deadline }, promotion);
  } catch (error) {
    promotion.problems.push(...problemsOf(error, context, promotion.copies));
  } finally {
    until.end();
  }
  const ended = signal.aborted ? cancelled : clock.now() >= deadline ? timedOut : notReached;
  for (const copy of promotion.copies) {
    if (copy.problem || isSettled(copy, order.wait) || order.dryRun) continue;
    copy.outcome = 'failed';
    copy.problem = ended(copy, order);
    copy.pending = copy.imageId !== null || copy.unclear;
  }
  promotion.seconds = (clock.now() - startedAt) / 1000;
  promotion.ended = endOf(promotion, signal, clock.now() >= deadline);
  promotion.status = statusOf(promotion, order.dryRun);
  report({ type: 'ids', copies: promotion.copies });
  return promotion;
}

async function run(context: Context, promotion: Promotion): Promise<void> {
  const { order, clock, report, deadline } = context;
  const findings = await check(context);
  promotion.source = findings.source;
  const { copies, warnings, problems } = plan(order, findings, clock.now());
  for (const problem of warnings) report({ type: 'warning', problem });
  if (problems.length > 0) throw new Stopped(...problems);
  promotion.copies = copies;
  report({ type: 'plan', source: findings.source, copies, dryRun: order.dryRun });
  const watch = newWatch(context, findings.source, copies);
  takeIn(watch, findings);
  if (order.dryRun) return;
  report({ type: 'ids', copies });
  if (clock.now() >= deadline) throw new Stopped(tooLate(order.timeout));

  const submission = newSubmission(context, findings, copies);
  try {
    await submit(submission);
  } finally {
    report({ type: 'ids', copies });
    await removeStrays(submission);
  }
  if (order.wait) await wait(watch);
  await reconcile(submission, watch);
  // A copy that only the last look has found.
  if (order.wait && clock.now() < deadline) await wait(watch);
}

/** What the check's own listing says of the adopted copies: an Available one needs no poll. */
function takeIn(watch: Watch, { held }: Findings): void {
  const now = watch.clock.now();
  for (const copy of watch.copies) {
    if (copy.plan === 'source') {
      copy.startedAt = now;
      copy.finishedAt = now;
    }
    if (copy.plan !== 'adopt') continue;
    copy.startedAt = now;
    const image = held.get(copy.region)?.find(({ ImageId }) => ImageId === copy.imageId);
    if (image) observe(watch, copy, image);
  }
}

function endOf(
  { problems, copies }: Promotion,
  signal: AbortSignal,
  late: boolean,
): NonNullable<Promotion['ended']> {
  if (signal.aborted) return 'cancelled';
  if (late && copies.some(({ pending }) => pending)) return 'timeout';
  return problems.length > 0 ? 'stopped' : 'complete';
}

function isSettled(copy: Copy, waited: boolean): boolean {
  if (copy.outcome === 'source') return true;
  return copy.imageId !== null && (!waited || !isOpen(copy));
}

function statusOf({ copies, problems }: Promotion, dryRun: boolean): Status {
  const failed = copies.filter(({ outcome }) => outcome === 'failed').length;
  if (copies.length === 0 || failed === copies.length) return 'failed';
  if (failed > 0) return 'partial';
  if (problems.length > 0) return 'failed';
  if (dryRun) return 'planned';
  return copies.every(({ outcome, state }) => outcome === 'source' || state === 'Available')
    ? 'available'
    : 'copying';
}

function problemsOf(
  error: unknown,
  { signal, order }: { signal: AbortSignal; order: Order },
  copies: Copy[],
): Problem[] {
  if (error instanceof Stopped) return error.problems;
  if (signal.aborted) return [stillUnderWay(copies, order)];
  return [
    {
      message: `The action itself failed: ${error instanceof Error ? error.message : String(error)}.`,
      advice: `This is a defect of the action: please report it. ${resume(order)}`,
    },
  ];
}

/** The line of a cancelled step that says what goes on in the cloud. */
function stillUnderWay(copies: Copy[], order: Order): Problem {
  const open = copies.filter(isOpen).map(({ region, imageId }) => `${imageId} in ${region}`);
  const unclear = copies.filter((copy) => copy.unclear).map(({ region }) => region);
  if (open.length === 0 && unclear.length === 0) {
    return copies.some(({ imageId, plan }) => imageId !== null && plan === 'copy')
      ? { message: 'Cancelled. No copy is under way any more.', advice: resume(order) }
      : { message: 'Cancelled before anything was copied.', advice: 'Run again.' };
  }
  const message = [
    'Cancelled.',
    ...(open.length > 0 ? [`Still under way in the cloud: ${open.join(', ')}.`] : []),
    ...(unclear.length > 0 ? [`A copy may be under way in ${unclear.join(', ')}.`] : []),
  ].join(' ');
  return { message, advice: resume(order) };
}

function cancelled(copy: Copy, order: Order): Problem {
  if (copy.unclear) {
    return {
      message: `${copy.region}: cancelled before it was clear whether a copy was made.`,
      advice: resume(order),
    };
  }
  return copy.imageId === null
    ? { message: `${copy.region}: cancelled before a copy was made.`, advice: 'Run again.' }
    : {
        message: `${copy.region}: cancelled while ${copy.imageId} was ${copy.state ?? 'unknown'}.`,
        advice: resume(order),
      };
}

function timedOut(copy: Copy, order: Order): Problem {
  const limit = `the timeout of ${formatDuration(order.timeout / 1000)}`;
  if (copy.unclear) {
    return {
      message: `${copy.region}: whether a copy was made is not known after ${limit}.`,
      advice: `Give a longer timeout. ${resume(order)}`,
    };
  }
  return copy.imageId === null
    ? {
        message: `${copy.region}: no copy was made within ${limit}.`,
        advice: 'Run again, or give a longer timeout.',
      }
    : {
        message: `${copy.region}: ${copy.imageId} is still ${copy.state ?? 'unknown'} after ${limit}.`,
        advice: `Give a longer timeout. ${resume(order)}`,
      };
}

function notReached(copy: Copy, order: Order): Problem {
  return {
    message: `${copy.region}: the promotion ended before this target was settled.`,
    advice: resume(order),
  };
}

function tooLate(timeout: number): Problem {
  return {
    message: `The timeout of ${formatDuration(timeout / 1000)} was over before the first copy. Nothing was copied.`,
    advice: 'Give a longer timeout.',
  };
}
