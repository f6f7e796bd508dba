/**
 * What a plug-in in another repository tests itself with, under Vitest: the suites that the built-in ones pass, the values
 * to call them with, and the sandbox, an upstream over real HTTP that keeps a journal and misbehaves on purpose.
 */
export * from '../sandbox/sandbox.ts';
export { type BlobStoreUnderTest, describeBlobStore } from './describe-blob-store.ts';
export { describeAttemptMiddleware, describeRequestMiddleware } from './describe-middleware.ts';
export { describeProvider } from './describe-provider.ts';
export * from './made-up.ts';
export type { ProviderUnderTest } from './provider-bench.ts';
export * from './upstream.ts';
