/**
 * When to ask for a copy again.
 *
 * Nobody knows how long a copy takes: seconds in a test, minutes for a small image, an hour for a large one. So the
 * delay grows with the time that the copy has taken: what we notice late stays a small part of what the reader waited
 * for anyway. The numbers, for a copy of T seconds:
 * - GROWTH 0.4: up to 40 s the polls stand at 2, 3, 4, 6, 8, 11, 16, 22, 31, 43 s.
 * - PLATEAU 16 s: from there on every 16 s, so that at 5 minutes the end is noticed 8 s late at the median (2.7 %)
 *   after some 26 polls. A fixed 5 s takes 60.
 * - SHARE 0.05: past 5 minutes one twentieth of the time taken, 2.5 % late at the median, at most CEILING 90 s.
 * Once a copy of this run has finished, the others are expected about then too: from there to twice that time the
 * delay is a tenth of the time taken and at most half the plateau. Each delay is spread by ±10 %, so that many runs
 * started together do not beat together.
 */
const FIRST = 2_000;
const FLOOR = 500;
const GROWTH = 0.4;
const PLATEAU = 16_000;
const SHARE = 0.05;
const CEILING = 90_000;
const LEARNED = 0.1;
const SPREAD = 0.1;

/** Milliseconds from now to the next poll of a copy that has taken `elapsed` milliseconds. */
export function pollDelay(elapsed: number, finished: readonly number[], random: number): number {
  const usual = Math.min(GROWTH * elapsed, Math.max(PLATEAU, SHARE * elapsed));
  const due = finished.some((took) => elapsed >= took && elapsed < 2 * took);
  const learned = due ? Math.min(LEARNED * elapsed, PLATEAU / 2) : CEILING;
  const first = elapsed < FIRST ? FIRST - elapsed : FLOOR;
  return Math.max(first, Math.min(usual, learned, CEILING)) * (1 + SPREAD * (2 * random - 1));
}
