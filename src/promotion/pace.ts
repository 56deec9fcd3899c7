/**
 * When to ask for a copy again.
 *
 * A poll is one small read, and nobody pays for it; what an account may not be sent is too many a second. So the pace
 * is a budget of reads a second for the step, and within it as dense as the end of a copy is likely. While the account
 * is throttled, the client's gate slows all of it down.
 * - BUDGET 2 reads a second: 33 regions are asked every 16 s, and no number of them is asked more often in all.
 * - MOST 10 s between two polls of a copy otherwise: noticed some 5 s late, whether it took 5 minutes or an hour. The
 *   vendor's Packer plugin asks every 12 s, one region after the other.
 * - GROWTH 0.22, at least STEP 3.5 s: the polls stand at some 3.5, 7, 10, 14, 17, 21, 26, 32, 38, 47 s, since small
 *   images are copied in seconds.
 * - Once a copy of this run has finished, the others are expected from then to half as long again (EXPECTED). What it
 *   is no longer asked for goes in part to those: the last of 8 regions is asked every 5 s, and it alone decides when
 *   the step ends. Never more often than every LEAST 0.5 s, or a tenth of the time taken up to 2 s.
 * Each delay is shortened by up to a tenth (SPREAD), so that many runs started together do not beat together.
 * `npm run bench` measures all this, and docs/benchmarks.md shows what it costs beside its peers.
 */
const BUDGET = 2;
const MOST = 10_000;
const STEP = 3_500;
const GROWTH = 0.22;
const LEAST = 500;
const EXPECTED = 1.5;
const SPREAD = 0.1;

/**
 * Milliseconds from now to the next poll of a copy that has taken `elapsed` milliseconds. `finished`: what the finished
 * copies of the run took. `open`: how many are still open, this one among them.
 */
export function pollDelay(
  elapsed: number,
  finished: readonly number[],
  open: number,
  random: number,
): number {
  const likely = finished.some((took) => elapsed >= took && elapsed < EXPECTED * took);
  const usual = Math.min(MOST, Math.max(likely ? LEAST : STEP, GROWTH * elapsed));
  const least = Math.min(2_000, Math.max(LEAST, elapsed / 10));
  const dense = Math.max(least, usual * Math.cbrt(open / (open + finished.length)));
  return Math.max(likely ? dense : usual, (1_000 * open) / BUDGET) * (1 - SPREAD * random);
}
