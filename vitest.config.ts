import { defineConfig } from 'vitest/config';

export default defineConfig({
  // One copy of graphql for our files and for Yoga and Pothos: its classes are asked for with instanceof.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/postgres-global.ts'],
    // Each file may start a gateway with its own PostgreSQL; two at a time suit a small machine.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
