import { check } from './check.ts';
import { bounded, type Context, Stopped } from './context.ts';
import { drive } from './drive.ts';
import { endOf, isSettled, mayAppear, problemsOf, statusOf, tooLate, unsettled } from './ending.ts';
import type { Promotion } from './model.ts';
import { observe } from './observe.ts';
import { newRun, type Place, type Run } from './place.ts';
import { nearQuota, plan } from './plan.ts';
import { copiesOf } from './view.ts';

/**
 * Check, plan, drive. Never throws: whatever happens, what is known is in the result, and each copy that is not there
 * has the reason.
 */
export async function promote(context: Omit<Context, 'deadline'>): Promise<Promotion> {
  const { order, clock, report, signal } = context;
  const promotion: Promotion = {
    status: 'failed',
    source: null,
    copies: [],
    problems: [],
    ended: 'complete',
    seconds: 0,
  };
  const startedAt = clock.now();
  const deadline = startedAt + order.timeout;
  const until = bounded(clock, signal, order.timeout);
  const places: Place[] = [];
  try {
    await run({ ...context, signal: until.signal, deadline }, startedAt, promotion, places);
  } catch (error) {
    promotion.problems.push(...problemsOf(error, context, places));
  } finally {
    until.end();
  }
  const late = clock.now() >= deadline;
  const end = signal.aborted ? 'cancelled' : late ? 'timeout' : 'stopped';
  for (const place of places) {
    if (!order.dryRun && !isSettled(place, order.wait))
      place.problem = unsettled(place, order, end, clock.now());
  }
  promotion.copies = copiesOf({ places });
  promotion.seconds = (clock.now() - startedAt) / 1000;
  promotion.ended = endOf(promotion, signal, late);
  promotion.status = statusOf(promotion, order.dryRun);
  report({ type: 'ids', copies: promotion.copies });
  return promotion;
}

async function run(
  context: Context,
  startedAt: number,
  promotion: Promotion,
  places: Place[],
): Promise<void> {
  const { order, clock, report, deadline } = context;
  const findings = await check(context);
  promotion.source = findings.source;
  const planned = plan(order, findings, clock.now());
  for (const problem of planned.warnings) report({ type: 'warning', problem });
  if (planned.problems.length > 0) throw new Stopped(...planned.problems);
  places.push(...planned.places);
  const run = newRun({ ...context, startedAt, findings, places });
  report({ type: 'plan', source: findings.source, copies: copiesOf(run), dryRun: order.dryRun });
  if (planned.census) report({ type: 'notice', message: planned.census });
  for (const place of places) takeIn(run, place);
  const tellNear = () => {
    const problem = nearQuota(findings, places);
    if (problem) report({ type: 'warning', problem });
  };
  if (order.dryRun) return tellNear();
  report({ type: 'ids', copies: copiesOf(run) });
  if (clock.now() >= deadline) throw new Stopped(tooLate(order.timeout));
  await drive(run);
  const doubled = places.filter(({ held, sends, unclears }) => held?.created && sends > 1 && unclears > 0);
  if (doubled.length > 0) report({ type: 'warning', problem: mayAppear(doubled, order) });
  tellNear();
}

/** What the check's own listing says of an adopted image: an Available one needs no poll. */
function takeIn(run: Run, place: Place): void {
  const { held } = place;
  if (!held || place.plan !== 'adopt') return;
  const image = run.findings.held.get(place.region)?.find(({ ImageId }) => ImageId === held.imageId);
  if (image) observe(run, place, held, image);
}
