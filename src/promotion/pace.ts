/**
 * When to ask for a copy again.
 *
 * Nobody knows how long a copy takes: seconds in a test, minutes for a small image, an hour for a large one. So the
 * delay grows with the time that the copy has taken: what we notice late stays a small part of what the reader waited
 * for anyway. Half a delay is the lateness to expect, a whole one the worst.
 * - GROWTH 0.35, at least STEP 1 s: up to 45 s the polls stand at some 2, 3, 4, 5.5, 7.5, 10, 14, 18, 25, 33, 45 s.
 * - PLATEAU 16 s: a copy of 5 minutes is noticed 8 s late at the median (2.7 %, at worst 6 %) after 27 polls. The
 *   vendor's Packer plugin takes 28; a fixed 5 s takes 60. One poll more or less moves this by 0.1 %.
 * - SHARE 0.03: past 9 minutes 3 % of the time taken, so 1.5 % late at the median: 40 minutes take some 90 polls.
 * - CEILING 90 s: from 50 minutes on, so that the end of a long copy does not keep a reader waiting.
 * Once a copy of this run has finished, the others are expected about then too: from there to half as long again
 * (EXPECTED) the delay is LEARNED 0.4 of the usual one. Each delay is spread by ±10 %, so that many runs started
 * together do not beat together. `npm run bench` measures all this.
 */
const FIRST = 2_000;
const FLOOR = 500;
const STEP = 1_000;
const GROWTH = 0.35;
const PLATEAU = 16_000;
const SHARE = 0.03;
const CEILING = 90_000;
const LEARNED = 0.4;
const EXPECTED = 1.5;
const SPREAD = 0.1;
const LARGEST_SHARE = 2;

/** Milliseconds from now to the next poll of a copy that has taken `elapsed` milliseconds. */
export function pollDelay(elapsed: number, finished: readonly number[], random: number): number {
  const young = Math.max(STEP, GROWTH * elapsed);
  const usual = Math.min(young, Math.max(PLATEAU, SHARE * elapsed), CEILING);
  const due = finished.some((took) => elapsed >= took && elapsed < EXPECTED * took);
  const first = elapsed < FIRST ? FIRST - elapsed : FLOOR;
  return Math.max(first, due ? LEARNED * usual : usual) * (1 + SPREAD * (2 * random - 1));
}

/**
 * How many times slower each of several open copies may be polled. Copies of one run start together, so until the first
 * has finished each poll says something about all of them; when one finishes, the others' delays are reckoned anew.
 * 8 regions at 5 minutes: 112 to 130 polls instead of 210, and the slowest is noticed 1 to 2 % late, as without.
 */
export function share(open: number, finished: readonly number[]): number {
  return finished.length > 0 ? 1 : Math.min(LARGEST_SHARE, Math.sqrt(Math.max(1, open)));
}
