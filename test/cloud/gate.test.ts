import { describe, expect, it } from 'vitest';
import { createGate, type Rank } from '../../src/cloud/gate.ts';
import { VirtualClock } from '../virtual-clock.ts';

/** A gate, and calls through it that take 100 ms; `answers` are their ends, in turn: refused for so many ms, or taken. */
function played(answers: (number | undefined)[] = [], seed = 1) {
  const clock = new VirtualClock({ seed });
  const gate = createGate(clock);
  const sent: { name: string; at: number }[] = [];
  let [under, most] = [0, 0];
  async function call(name = '', rank: Rank = 'usual', signal?: AbortSignal) {
    await gate.enter(rank, signal);
    const sentAt = clock.now();
    sent.push({ name, at: clock.elapsed });
    most = Math.max(most, ++under);
    await clock.sleep(100);
    under--;
    gate.leave(sentAt, answers.shift());
  }
  const calls = (count: number, rank?: Rank) =>
    Promise.all(Array.from({ length: count }, (_, index) => call(String(index), rank)));
  return { clock, gate, sent, call, calls, most: () => most };
}

describe('the gate', () => {
  it('lets 12 calls be under way at once, and the next in its order as one ends', async () => {
    const { clock, sent, calls, most } = played();
    await clock.run(calls(36));
    expect(most()).toBe(12);
    expect(clock.elapsed).toBe(300);
    expect(sent.map(({ name }) => Number(name))).toEqual(Array.from({ length: 36 }, (_, index) => index));
  });

  it('lets a copy go before the reads that wait', async () => {
    const { clock, sent, call, calls } = played();
    const reads = calls(30);
    await clock.run(Promise.all([reads, call('copy', 'first')]));
    expect(sent.findIndex(({ name }) => name === 'copy')).toBe(12);
  });

  it('holds everybody up for a second or two after a refusal, and longer if the API says so', async () => {
    for (const [refused, least, most] of [
      [0, 1_100, 2_100],
      [20_000, 20_100, 20_100],
    ] as const) {
      const { clock, gate, sent, call } = played([refused]);
      await clock.run(call());
      const remaining = gate.remaining();
      await clock.run(call('copy', 'first'));
      expect(sent[1]?.at).toBeGreaterThanOrEqual(least);
      expect(sent[1]?.at).toBeLessThanOrEqual(most);
      expect(sent[1]?.at).toBeCloseTo(100 + remaining);
    }
  });

  it('goes on at three quarters of what got through, each call apart, and counts a burst of refusals once', async () => {
    const { clock, sent, calls } = played([...Array(12).fill(undefined), ...Array(12).fill(0)]);
    await clock.run(calls(44));
    const later = sent.slice(24).map(({ at }) => at);
    const gaps = later.slice(1).map((at, index) => at - (later[index] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    expect(1_000 / mean).toBeGreaterThan(0.75 * 12 * 0.8);
    expect(1_000 / mean).toBeLessThan(0.75 * 12 * 1.2);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
  });

  it('takes less and less while all is refused, down to a call every ten seconds or so', async () => {
    const { clock, sent, call } = played(Array(60).fill(0));
    for (let index = 0; index < 40; index++) await clock.run(call());
    const gaps = sent.slice(1).map(({ at }, index) => at - (sent[index]?.at ?? 0));
    expect(gaps[0]).toBeLessThan(2_200);
    expect(Math.max(...gaps)).toBeLessThan(90_000);
    const last = gaps.slice(-15);
    expect(last.reduce((sum, gap) => sum + gap, 0) / last.length).toBeGreaterThan(6_000);
  });

  it('is back at its pace after 20 to 60 s without a refusal, and free after some minutes', async () => {
    const { clock, calls, sent } = played([...Array(12).fill(undefined), 0]);
    await clock.run(calls(13));
    const rate = async (seconds: number) => {
      const before = sent.length;
      const end = clock.elapsed + 1_000 * seconds;
      while (clock.elapsed < end) await clock.run(calls(1));
      return (sent.length - before) / seconds;
    };
    const first = await rate(10);
    await rate(60);
    const second = await rate(10);
    expect(second).toBeGreaterThan(1.2 * first);
    clock.advance(300_000);
    const start = clock.elapsed;
    await clock.run(calls(24));
    expect(clock.elapsed - start).toBe(200);
  });

  it('lets a poll wait twice as long as others, but only when there is a throttle', async () => {
    const time = async (rank: Rank, refused: number | undefined) => {
      const { clock, calls } = played([refused]);
      await clock.run(calls(1));
      clock.advance(10_000);
      const start = clock.elapsed;
      await clock.run(calls(40, rank));
      return clock.elapsed - start;
    };
    expect(await time('patient', undefined)).toBe(await time('usual', undefined));
    const ratio = (await time('patient', 0)) / (await time('usual', 0));
    expect(ratio).toBeGreaterThan(1.3);
    expect(ratio).toBeLessThan(2.2);
  });

  it('does not hold up who gives up, nor those behind, and leaves nobody asleep', async () => {
    const { clock, sent, call } = played([600_000]);
    await clock.run(call());
    const cancel = new AbortController();
    const given = call('given', 'usual', cancel.signal);
    const other = call('other');
    clock.after(500, () => cancel.abort('enough'));
    await expect(clock.run(given)).rejects.toBe('enough');
    expect(clock.elapsed).toBe(600);
    await expect(call('late', 'usual', cancel.signal)).rejects.toBe('enough');
    await clock.run(other);
    expect(sent.map(({ name }) => name)).toEqual(['', 'other']);
  });
});
