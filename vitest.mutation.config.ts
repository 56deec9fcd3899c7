import { defineConfig } from 'vitest/config';

/** For Stryker: the tests of what it mutates (stryker.config.json), one file after the other. */
export default defineConfig({
  test: {
    include: ['test/cloud/*.test.ts', 'test/promotion/*.test.ts', 'test/workflow/inputs.test.ts'],
    pool: 'threads',
    maxWorkers: 1,
  },
});
