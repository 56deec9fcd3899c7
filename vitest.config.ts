import { defineConfig } from 'vitest/config';

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
          exclude: ['test/e2e/**'],
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 60_000 },
      },
    ],
  },
});
