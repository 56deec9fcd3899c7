import { describe, expect, it } from 'vitest';
import { formatDuration } from '../../src/promotion/duration.ts';

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [8.4, '8s'],
    [59.6, '1m'],
    [250, '4m 10s'],
    [65, '1m 05s'],
    [3599.9, '1h 00m'],
    [3720, '1h 02m'],
    [90_000, '25h 00m'],
    [-5, '0s'],
    [Number.NaN, '0s'],
  ])('%d s is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
