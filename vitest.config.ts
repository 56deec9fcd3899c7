import { defineConfig } from 'vitest/config';

/** What they test is functions of their arguments: modules that an earlier file has loaded serve the next. */
const PURE = ['promotion', 'words', 'prune', 'verify'].map((room) => `test/${room}/**/*.test.ts`);

export default defineConfig({
  test: {
    // The end-to-end tests mostly wait for processes; by default a machine with two cores would run one file at a time.
    maxWorkers: 3,
    coverage: { provider: 'v8', include: ['src/**'], thresholds: { lines: 95 }, reporter: ['text', 'lcov'] },
    projects: [
      {
        extends: true,
        // A limit for what hangs. A busy machine may take a minute over what takes a second.
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', ...PURE],
          testTimeout: 120_000,
        },
      },
      { extends: true, test: { name: 'unit-pure', include: PURE, isolate: false, testTimeout: 120_000 } },
      {
        extends: true,
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 60_000 },
      },
    ],
  },
});
