import type { Copy, ImageRef, Order, Promotion } from './promotion/model.ts';

/** What became of a target, for a reader: one word that log, table and timeline share. */
export type Fate =
  | 'ready'
  | 'copying'
  | 'unlisted'
  | 'unread'
  | 'unclear'
  | 'planned'
  | 'rolled back'
  | 'failed';

/** How a target is called that the step has left open. */
export const STILL: Partial<Record<Fate, string>> = {
  copying: 'still copying',
  unlisted: 'not listed',
  unread: 'in an unknown state',
  unclear: 'perhaps copying',
};

/** `Available` and sound: it can be used now. */
export function isReady(copy: Copy): boolean {
  return fateOf(copy) === 'ready';
}

export function fateOf(copy: Copy): Fate {
  const { outcome, state, imageId, pending, unclear, listed, unread, problem } = copy;
  if (outcome === 'planned') return 'planned';
  if (state === 'Deleted') return 'rolled back';
  if (outcome === 'failed' && !pending) return 'failed';
  if (imageId === null) return unclear || pending ? 'unclear' : 'failed';
  // One that is missing from an answer is watched until that is certain.
  if (outcome === 'source' || (state === 'Available' && !problem && listed !== false)) return 'ready';
  if (pending && unread) return 'unread';
  return pending && listed === false ? 'unlisted' : 'copying';
}

/** The step has left it open. */
export function isOpen(copy: Copy): boolean {
  return STILL[fateOf(copy)] !== undefined;
}

/** A plan, also one that would fail. */
export function isDryRun({ status, copies }: Promotion, order: Order): boolean {
  return status === 'planned' || (order.dryRun && copies.length > 0);
}

/** The rollback has not deleted it. */
export function isLeft({ region, imageId }: ImageRef | Copy, { rollback }: Promotion): boolean {
  if (rollback?.by !== 'step') return false;
  return rollback.left.some((image) => image.region === region && image.imageId === imageId);
}

/** An id that is, or may still become, one to use: for the outputs, a release and the summary. */
export function isUsable(copy: Copy): copy is Copy & { imageId: string } {
  const fate = fateOf(copy);
  return copy.imageId !== null && fate !== 'failed' && fate !== 'rolled back';
}

/** A copy that a reader must do something about, or at least know of: those in the table at the top. */
export function needsReader(copy: Copy, { rollback }: Promotion): boolean {
  if (rollback?.by === 'step' && copy.state === 'Deleted') return rollback.because.includes(copy.region);
  return copy.problem !== null;
}

/** Seconds from submitted to settled; null for what took no time, such as an image that existed. */
export function tookOf({ startedAt, finishedAt }: Copy, now?: number): number | null {
  const end = finishedAt ?? now;
  if (startedAt === null || end === undefined || end - startedAt < 1000) return null;
  return (end - startedAt) / 1000;
}

/** The message without what a row says already: its region, and the image that is its own. */
export function phraseOf({ region, imageId, problem }: Copy): string {
  let phrase = problem?.message ?? '';
  for (const known of [`${region}: `, ...(imageId ? [`the copy ${imageId} `, `${imageId} `] : [])])
    if (phrase.startsWith(known)) phrase = phrase.slice(known.length);
  return phrase.replace(/\.$/, '');
}

/** Of two or more. */
export function allRegions(count: number): string {
  return count === 2 ? 'both regions' : `all ${count} regions`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** At most so many regions, or images, are named in a sentence of a heading. */
export const NAMED = 3;

/** `hk, sg and 3 more` */
export function enumerate(words: readonly string[], most: number): string {
  if (words.length <= most) return words.join(', ');
  return `${words.slice(0, most - 1).join(', ')} and ${words.length - most + 1} more`;
}

export function groupBy<Item>(items: readonly Item[], key: (item: Item) => unknown): [Item, ...Item[]][] {
  const groups = new Map<string, [Item, ...Item[]]>();
  for (const item of items) {
    const name = JSON.stringify(key(item));
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return [...groups.values()];
}

export interface Headline {
  icon: string;
  /** The outcome, without its full stop. */
  text: string;
  /** What to do now; empty when nothing is left to do. Text from outside may be in it. */
  next: string;
  /** The advice that `next` holds already. */
  said?: string | undefined;
}

/** Of a step whose inputs are wrong. */
export function headlineOfInputs(mistakes: number): Headline {
  return {
    icon: '❌',
    text: `${plural(mistakes, 'invalid input')}; no request was sent`,
    next: `fix ${mistakes === 1 ? 'it' : 'them'}, then run again.`,
  };
}
