import { describe, expect, it } from 'vitest';
import { createGate } from '../../src/cloud/gate.ts';
import { VirtualClock } from '../virtual-clock.ts';

describe('the gate', () => {
  it('takes a refusal of the same moment for one of the same burst', () => {
    const clock = new VirtualClock();
    const gate = createGate(clock);
    gate.throttled(clock.now());
    gate.throttled(clock.now());
    expect(gate.remaining()).toBe(1_000);
  });

  it('is not eased by a success of the moment of the refusal', () => {
    const clock = new VirtualClock();
    const gate = createGate(clock);
    gate.throttled(clock.now());
    gate.succeeded(clock.now());
    clock.advance(1);
    gate.throttled(clock.now());
    expect(gate.remaining()).toBe(2_000);
  });

  it('is eased by a success that was sent the moment after another', () => {
    const clock = new VirtualClock();
    const gate = createGate(clock);
    for (let count = 0; count < 4; count++) {
      gate.throttled(clock.now());
      clock.advance(60_000);
    }
    gate.succeeded(clock.now());
    gate.succeeded(clock.now());
    gate.throttled(clock.now());
    expect(gate.remaining()).toBe(4_000);
  });

  it('is not eased by the success of what was sent before it, and only once by successes that came together', () => {
    const clock = new VirtualClock();
    const gate = createGate(clock);
    const at = (ms: number) => clock.start + ms;
    clock.advance(50);
    gate.throttled(at(10));
    clock.advance(5_000);
    gate.throttled(at(5_000));
    expect(gate.remaining()).toBe(2_000);
    gate.succeeded(at(4_000));
    clock.advance(5_000);
    gate.throttled(at(10_000));
    expect(gate.remaining()).toBe(4_000);
    clock.advance(5_000);
    for (let index = 0; index < 8; index++) gate.succeeded(at(15_000));
    clock.advance(5_000);
    gate.throttled(at(20_000));
    expect(gate.remaining()).toBe(4_000);
  });
});
