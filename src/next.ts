import {
  fateOf,
  type Headline,
  isDryRun,
  isOpen,
  isReady,
  NAMED,
  needsReader,
  phraseOf,
  plural,
} from './outcome.ts';
import { formatDuration } from './promotion/duration.ts';
import type { Copy, Order, Promotion, Undone } from './promotion/model.ts';

type Next = Pick<Headline, 'next' | 'said'>;

/** Milliseconds that few copies are done in. */
const SHORT = 300_000;

/** What to do now. The names and the API's words in it are as they came. */
export function nextOf(promotion: Promotion, order: Order): Next {
  const { copies, problems, rollback, ended } = promotion;
  if (isDryRun(promotion, order)) return afterDryRun(copies);
  if (rollback?.by === 'post')
    return {
      next: 'nothing to delete by hand: the "Post" step of this job will delete the copies created by this run. A re-run copies again.',
    };
  if (copies.length === 0) {
    if (ended === 'cancelled') return { next: 're-run the job; nothing was changed.' };
    return { next: `fix ${problems.length === 1 ? 'it' : 'them'}, then run again; nothing was changed.` };
  }
  if (rollback) return afterRollback(promotion, rollback, order);
  const struck = copies.filter((copy) => needsReader(copy, promotion) || fateOf(copy) === 'failed');
  if (struck.length === 0 && problems.length === 0)
    return {
      next: copies.some(isOpen)
        ? `${copies.every(isOpen) ? 'these ids' : 'the ids that are still copying'} cannot be used yet. A later run with the same inputs, but wait: true, waits for them.`
        : '',
    };
  return afterFailure(promotion, order, struck);
}

function afterDryRun(copies: readonly Copy[]): Next {
  const failing = copies.filter(({ problem }) => problem);
  const then = copies.some(({ plan, problem }) => plan === 'copy' && !problem)
    ? 'run it without dry-run to copy.'
    : '';
  if (failing.length === 0) return { next: then };
  const broken = failing.filter(({ imageId }) => imageId !== null);
  const advice = onlyAdvice(failing);
  if (broken.length === failing.length)
    return { next: `delete ${list(broken)}, or a promotion fails there.` };
  return advice === null
    ? { next: `follow the advice for ${regions(failing)}, then run it again.` }
    : { next: advice, said: advice };
}

function afterFailure(promotion: Promotion, order: Order, struck: readonly Copy[]): Next {
  const { status, copies, problems, ended } = promotion;
  const isCut = ended === 'cancelled' || ended === 'timeout';
  const of = (fate: string) => struck.filter((copy) => fateOf(copy) === fate);
  const broken = of('failed').filter(({ imageId, listed }) => imageId !== null && listed !== false);
  const unlisted = of('unlisted');
  const unclear = isCut ? of('unclear') : [];
  const copying = isCut ? of('copying') : [];
  const others = struck.filter((copy) => ![broken, unlisted, unclear, copying].flat().includes(copy));
  const advice = onlyAdvice([...others, ...(isCut ? [] : problems.map((problem) => ({ problem })))]);
  const steps = [
    ...(broken.length > 0 ? [`delete ${list(broken)}`] : []),
    ...(unlisted.length > 0 ? [`look in the console for ${list(unlisted)}`] : []),
    ...(unclear.length > 0 ? ['wait 2 minutes'] : []),
  ];
  const said = steps.length === 0 && advice !== null ? advice : undefined;
  if (others.length > 0 && said === undefined) steps.push(`follow the advice for ${regions(others)}`);
  const beside = others.length === 0 && broken.length + unlisted.length === 0 ? onlyAdvice(unclear) : null;
  const isBeside = beside !== null && !/\bre-run\b/i.test(beside);
  const kept = kinds(copies, unclear, order);
  const isGreen = status !== 'failed' && status !== 'partial';
  const adopts = order.ifExists === 'adopt';
  const job = isGreen ? 'run the workflow again' : 're-run the failed job';
  const late = ended === 'timeout' && copying.length + unclear.length > 0;
  const time = formatDuration(order.timeout / 1000);
  const isShort = late && order.timeout < SHORT;
  const longer = late && !isShort ? ` If ${time} is often too short, raise timeout in the workflow.` : '';
  if (isShort) steps.unshift(`raise timeout in the workflow (${time} is too short for a copy)`);
  if (areAlike(broken))
    steps.unshift('compare the source with the copies in the console, as all differ alike');
  const again = adopts
    ? `${isShort ? 'run the workflow anew' : job}${kept ? `: it ${kept}` : ''}`
    : 'set if-exists: adopt and run the workflow again, or it copies everything again';
  const optional = isGreen ? `this step passed; if you need ${regions(struck)}: ` : '';
  if (said === undefined) {
    const first = steps.length > 0 ? `${steps.join(', ')}, then ` : '';
    const next = `${optional}${first}${again}.${longer}`;
    return isBeside ? { next: `${next} ${beside}`, said: beside } : { next };
  }
  const whole = withRerun(said, again);
  if (whole !== null) return { next: `${optional}${whole}.`, said };
  if (!/\bre-run\b/i.test(said) || !adopts)
    return { next: `${optional}${said} Then ${orAnew(again, said)}.`, said };
  return { next: `${optional}${said}${kept ? ` A re-run ${kept}.` : ''}`, said };
}

/** What a re-run does with each kind of copy; empty when it only copies again. */
function kinds(copies: readonly Copy[], unclear: readonly Copy[], order: Order): string {
  if (order.ifExists !== 'adopt') return '';
  const ready = copies.filter(isReady).length;
  const open = copies.filter((copy) => ['copying', 'unread'].includes(fateOf(copy))).length;
  const failed = copies.filter((copy) => fateOf(copy) === 'failed');
  if (ready + open + unclear.length === 0) return '';
  const kinds = [
    ...(ready > 0 ? [`keeps the ${ready === 1 ? 'ready copy' : `${ready} ready copies`}`] : []),
    ...(open > 0 ? [`picks up the ${open === 1 ? 'copy' : `${open} copies`} under way`] : []),
    ...(unclear.length > 0 ? ['reuses the copies that exist by then'] : []),
    ...(failed.length > 0
      ? [
          `copies only the failed ${failed.length === 1 ? 'region' : 'regions'}${failed.some(({ imageId }) => imageId) ? ' again' : ''}`,
        ]
      : []),
  ];
  return kinds.join(', ').replace(/, ([^,]*)$/, ' and $1');
}

function afterRollback(promotion: Promotion, undone: Undone, order: Order): Next {
  const { because, deleted, left } = undone;
  const blamed = promotion.copies.filter(({ region }) => because.includes(region));
  const isLate = promotion.ended === 'timeout' && blamed.every(({ pending }) => pending);
  const advice = onlyAdvice(blamed.filter(({ imageId, pending }) => imageId === null && !pending));
  const job = isLate ? 'raise timeout in the workflow and run it again' : 're-run the job';
  const isKept = left.some(({ unusable }) => !unusable);
  const rerun = `${job}: it copies ${isKept ? 'what is missing' : 'again'}.`;
  const end = deleted.length > 0 ? ' The deleted ids are void.' : '';
  if (left.length === 0) {
    if (advice === null) return { next: rerun + end };
    const again = orAnew(rerun, advice.replace(RERUN, ''));
    return { next: `${withRerun(advice, again) ?? `${advice} Then ${again}`}${end}`, said: advice };
  }
  const isKnown = (copy: Copy) =>
    left.some(
      ({ region, imageId, unusable }) => !unusable && region === copy.region && imageId === copy.imageId,
    );
  const sound = promotion.copies.filter((copy) => isKnown(copy) && !copy.problem);
  const adopts = order.ifExists === 'adopt';
  const them = sound.length === 1 ? 'it' : 'them';
  const odd = left.filter(({ unusable }) => unusable);
  const must = left.filter(({ unusable }) => !unusable);
  const look = odd.length > 0 ? `follow the advice for ${list(odd)}` : '';
  if (sound.length === 0 || !adopts) {
    const steps = [...(must.length > 0 ? [`delete ${list(must)}`] : []), ...(look ? [look] : [])];
    return { next: `${steps.join(', ')}. Then ${rerun}${end}` };
  }
  const keep = `or keep ${them}: a re-run reuses ${them}`;
  const others = must.filter(
    (image) => !sound.some(({ region, imageId }) => region === image.region && imageId === image.imageId),
  );
  const also = look ? `. Then ${look}` : '';
  if (others.length === 0) return { next: `delete ${list(must)}, ${keep}${also}. Then ${rerun}${end}` };
  const which = `${list(sound)} ${sound.length === 1 ? 'is' : 'are'} sound: delete ${them} too, ${keep}`;
  return { next: `delete ${list(others)}. ${which}${also}. Then ${rerun}${end}` };
}

/** More than one, and each differs from the source in the same way: the source may be what is wrong. */
function areAlike(broken: readonly Copy[]): boolean {
  const how = new Set(broken.map((copy) => phraseOf(copy)));
  return broken.length > 1 && how.size === 1 && /^does not match the source/.test([...how][0] ?? '');
}

const RERUN = /\bre-run the job(: it reuses a copy that exists)?\.$/i;

/** The advice, with what a re-run does in the place of its bare end; null where it does not end so. */
function withRerun(advice: string, rerun: string): string | null {
  const [last = ''] = RERUN.exec(advice) ?? [];
  if (last === '') return null;
  const first = rerun.charAt(0);
  return advice.slice(0, -last.length) + (/^R/.test(last) ? first.toUpperCase() : first) + rerun.slice(1);
}

/** A re-run takes the workflow as it was: that is not enough where the advice names an input. */
function orAnew(rerun: string, advice: string): string {
  const mayChange = /\bworkflow\b|\binput\b|\bzone\b|\b[a-z]+-[a-z-]+\b/.test(advice);
  return mayChange
    ? rerun.replace(/^re-run the (failed )?job/, '$&, or run the workflow anew if you changed it')
    : rerun;
}

/** Null where there is none, or more than one. */
function onlyAdvice(some: readonly Pick<Copy, 'problem'>[]): string | null {
  const [advice, ...more] = new Set(some.map(({ problem }) => problem?.advice ?? ''));
  return advice && more.length === 0 ? advice : null;
}

function regions(copies: readonly { region: string }[]): string {
  return copies.length > NAMED
    ? plural(copies.length, 'region')
    : copies.map(({ region }) => region).join(', ');
}

/** `uimage-… (hk), uimage-… (sg)` */
export function list(images: readonly { region: string; imageId: string | null }[]): string {
  return images.length > NAMED
    ? `the ${images.length} images named below`
    : images.map(({ region, imageId }) => `${imageId} (${region})`).join(', ');
}
