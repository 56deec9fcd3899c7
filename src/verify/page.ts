import type { Failure } from '../facts.ts';
import type { Sink } from '../log.ts';
import { bullets, PAGE_BYTES, table } from '../markdown.ts';
import { allRegions, enumerate, type Headline, plural } from '../outcome.ts';
import type { Problem } from '../promotion/model.ts';
import { code, logLines, oneLine, prose } from '../text.ts';
import type { Condition } from './judge.ts';
import type { Target, Verification, VerifyEvent, VerifyOrder } from './verify.ts';

/** Every output of verify/action.yml, as text. A run that ends early has them all too, so that fromJSON never fails. */
export function verifyOutputs({ status, targets }: Verification, markdown: string): Record<string, string> {
  const sound = targets.filter(({ condition }) => condition === 'available');
  const missing = targets.filter(({ condition }) => condition !== 'available');
  return {
    status,
    'image-ids': JSON.stringify(Object.fromEntries(sound.map(({ region, imageId }) => [region, imageId]))),
    images: JSON.stringify(targets.map(imageOf)),
    'missing-regions': JSON.stringify([...new Set(missing.map(({ region }) => region))]),
    'summary-markdown': markdown,
  };
}

export function imageOf(target: Target): Record<string, unknown> {
  const { region, projectId, imageId, name, state, condition, problem } = target;
  const error = problem?.message ?? (condition === 'available' ? null : UNSEEN);
  return { region, projectId, imageId, name, state, condition, error };
}

/** Of a target when the step ended before its list was read. */
const UNSEEN = 'The list of images was not read.';

const WORDS: Record<Condition, string> = {
  available: 'exists',
  missing: 'missing',
  broken: 'broken',
  different: 'different from the source',
  copying: 'still copying',
  unread: 'not readable',
};

/** The outcome in one sentence, and the next step. `show` makes text harmless where it will stand. */
export function verifyHeadline(verification: Verification, show: (text: string) => string): Headline {
  const { targets, ended, problems, status } = verification;
  if (ended === 'cancelled') return { icon: '🚫', text: 'Cancelled: not verified', next: 'run it again.' };
  if (problems.length > 0)
    return { icon: '❌', text: `Not verified: ${plural(problems.length, 'problem')} to fix first`, next: '' };
  const name = show(targets.find((target) => target.name !== null)?.name ?? 'The image');
  const failed = targets.filter(({ condition }) => condition !== 'available');
  const all = targets.length === 1 ? show(targets[0]?.region ?? '') : allRegions(targets.length);
  if (failed.length === 0) return { icon: '✅', text: `${name} is Available in ${all}`, next: '' };
  const parts = Object.entries(WORDS).flatMap(([condition, words]) => {
    const some = failed.filter((target) => target.condition === condition);
    return some.length > 0
      ? [
          `${words} in ${enumerate(
            some.map(({ region }) => show(region)),
            4,
          )}`,
        ]
      : [];
  });
  const optional = status === 'available' ? ' (optional)' : '';
  return {
    icon: status === 'available' ? '⚠️' : '❌',
    text: `${name} is Available in ${targets.length - failed.length} of ${plural(targets.length, 'region')}: ${parts.join(', ')}${optional}`,
    next: nextStep(failed, show),
  };
}

function nextStep(failed: readonly Target[], show: (text: string) => string): string {
  const useless = failed.filter(({ isUseless }) => isUseless);
  const ids = enumerate(
    useless.map(({ region, imageId }) => `${show(imageId ?? '')} (${show(region)})`),
    4,
  );
  if (useless.length > 0)
    return `delete ${ids}, then run the promotion of this source: it keeps what is sound and copies the rest.`;
  const are = (...some: Condition[]) => failed.every(({ condition }) => some.includes(condition));
  if (are('unread')) return 'run it again in a few minutes.';
  if (are('different', 'broken')) return 'do what is said below.';
  if (are('copying', 'unread'))
    return 'wait for the copies under way, then run it again; or run the promotion, which waits for them.';
  return 'run the promotion of this source: it keeps what is sound and copies the rest.';
}

/** What stopped the whole, then the required targets. */
export function verifyFailures({ problems, targets }: Verification): Failure[] {
  const whole = problems.map((problem) => ({ regions: [], problem }));
  return [...whole, ...factsOf(targets.filter(({ optional }) => !optional))];
}

function factsOf(targets: readonly Target[]): Failure[] {
  return targets.flatMap(({ region, problem }) => (problem ? [{ regions: [region], problem }] : []));
}

/** What does not make the step red. */
export function verifyWarnings({ targets, extra }: Verification): Problem[] {
  const optional = factsOf(targets.filter((target) => target.optional)).map(({ regions, problem }) => ({
    ...problem,
    message: `${regions.join()}: ${problem.message}`,
  }));
  const known = targets.flatMap(({ region, warnings }) =>
    warnings.map(({ message, advice }) => ({ message: `${region}: ${message}`, advice })),
  );
  if (extra.length === 0) return [...optional, ...known];
  const list = extra.map(({ region, imageId }) => `${imageId} in ${region}`).join(', ');
  const message = `${plural(extra.length, 'more copy', 'more copies')} of the source in regions that were not asked for: ${list}.`;
  const advice =
    'Add the regions to target-regions, or delete these copies: they are billed and use the quota.';
  return [...optional, ...known, { message, advice }];
}

const SIGN: Record<Condition, string> = {
  available: '✅',
  missing: '❌',
  broken: '❌',
  different: '❌',
  copying: '⏳',
  unread: '❓',
};

/** The job summary. `bytes`: the page with every row is taken, or the longest that fits. */
export function renderVerify(
  verification: Verification,
  order: VerifyOrder,
  warnings: readonly Problem[],
  bytes = PAGE_BYTES,
): string {
  let text = '';
  for (const rows of [Number.POSITIVE_INFINITY, 100, 20]) {
    text = render(verification, order, warnings, rows);
    if (Buffer.byteLength(text) <= bytes) break;
  }
  return text;
}

function render(
  verification: Verification,
  { promotion, file }: VerifyOrder,
  warnings: readonly Problem[],
  rows: number,
): string {
  const { targets, source, problems } = verification;
  const { icon, text, next } = verifyHeadline(verification, prose);
  const failed = targets.filter(({ condition }) => condition !== 'available');
  const sound = targets.filter(({ condition }) => condition === 'available');
  const origin = file?.source ?? { region: promotion.source.region, imageId: source?.ImageId ?? '' };
  const ids = [...new Set(targets.map(({ projectId }) => code(projectId)))];
  const projects = ids.length > 0 ? ` in ${ids.length > 1 ? 'projects' : 'project'} ${ids.join(', ')}` : '';
  const facts = warnings.map((problem) => ({ regions: [], problem }));
  return `${[
    `## ${icon} ${text}`,
    ...(next ? [`**Next:** ${prose(next)}`] : []),
    ...(problems.length > 0 ? [bullets('❌', verifyFailures({ ...verification, targets: [] }), 1000)] : []),
    ...(failed.length > 0 ? [failedTable(failed, rows)] : []),
    ...(facts.length > 0 ? [bullets('⚠️', facts, 1000)] : []),
    ...(origin.imageId ? [`Copies of ${code(origin.imageId)} from ${code(origin.region)}${projects}`] : []),
    ...(sound.length > 0 ? [soundTable(sound, rows)] : []),
  ].join('\n\n')}\n`;
}

function failedTable(targets: readonly Target[], rows: number): string {
  return table(
    ['', 'Region', 'Image id', 'What was found', 'What to do'],
    targets.map(({ region, imageId, condition, problem }) => [
      SIGN[condition],
      code(region),
      code(imageId ?? ''),
      prose(problem?.message ?? UNSEEN),
      prose(problem?.advice ?? ''),
    ]),
    rows,
  );
}

function soundTable(targets: readonly Target[], rows: number): string {
  return table(
    ['', 'Region', 'Image id', 'Name'],
    targets.map(({ region, imageId, name, condition }) => [
      SIGN[condition],
      code(region),
      code(imageId ?? ''),
      code(name ?? ''),
    ]),
    rows,
  );
}

/** One region, one line. */
export function log({ info }: Sink, event: VerifyEvent): void {
  const write = (text: string, indent = '') => {
    for (const line of logLines(text, indent)) info(line);
  };
  if (event.type === 'verdict') {
    for (const { region, imageId, condition, problem } of event.verification.targets) {
      const sign = condition === 'available' ? '✓' : condition === 'copying' ? '…' : '✗';
      const what = problem ? oneLine(problem.message) : 'Available';
      write(`${sign} ${oneLine(region, 120).padEnd(8)} ${oneLine(imageId ?? '–', 120)}  ${what}`, '    ');
    }
  } else if (event.type === 'notice') write(oneLine(event.message), '  ');
  else write(`! ${oneLine(event.problem.message)}`, '  ');
}
