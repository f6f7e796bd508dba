import { afterEach, beforeEach, expect } from 'vitest';
import { ProviderFailure } from '../errors.ts';
import type { PictureRequest } from '../generation.ts';
import type { Provider, ProviderAnswer } from '../providers/provider.ts';
import {
  answering,
  failureOf,
  type RecordedRequest,
  startUpstream,
  type Upstream,
  type WireAnswer,
} from './upstream.ts';

/** What the suite must know of a provider: how it is made, and what its upstream's wire looks like. */
export interface ProviderUnderTest {
  readonly name: string;
  /**
   * Whether the provider sends at most `connections` calls at once, and lets others wait for a socket. Where it doesn't,
   * what becomes of one that waits is not tested.
   *
   * @default true
   */
  readonly limitsConnections?: boolean;
  /**
   * Whether it hands the picture on as it comes, and a slow reader slows the socket. One that has all of it at once must
   * bound it by itself.
   *
   * @default true
   */
  readonly streams?: boolean;
  /** Makes the provider with an upstream at `url`, at most `connections` calls at once, and this secret. */
  create(upstream: { url: string; apiKey: string; connections: number }): Provider;
  /** A success that holds exactly these bytes; with no bytes, a whole answer without a picture. */
  success(picture: Buffer): WireAnswer;
  /** An error with this status, whose text says `message`. */
  error(status: number, message: string): WireAnswer;
  /** Checks that what was sent asks for the picture, with the key; throws where it does not. */
  checkRequest(sent: RecordedRequest, picture: PictureRequest, apiKey: string): void;
}

export const API_KEY = 'sk-conformance+Key/0123456789';
export const REQUEST: PictureRequest = { prompt: 'a gesso ground', size: '1024x1024' };
export const REQUEST_ID = '0196b3c0-0000-7000-8000-000000000001';
export const never = () => new Promise<void>(() => {});

/** A provider with an upstream of its own, new for each test. */
export interface ProviderBench {
  readonly underTest: ProviderUnderTest;
  readonly upstream: Upstream;
  readonly provider: Provider;
  generate(signal?: AbortSignal, request?: PictureRequest): Promise<ProviderAnswer>;
  /** What the call failed with, which must be a `ProviderFailure`. */
  failed(promise: Promise<unknown>): Promise<ProviderFailure>;
  /** Resolves when the upstream has got so many requests. */
  received(count: number): PromiseLike<void>;
}

/** To be called within `describe`. */
export function createProviderBench(underTest: ProviderUnderTest): ProviderBench {
  let upstream: Upstream;
  let provider: Provider;
  beforeEach(async () => {
    upstream = await startUpstream(answering(underTest.success(Buffer.from('picture'))));
    provider = underTest.create({ url: upstream.url, apiKey: API_KEY, connections: 4 });
  });
  afterEach(async () => {
    await provider.close();
    await upstream.close();
  });
  return {
    underTest,
    get upstream() {
      return upstream;
    },
    get provider() {
      return provider;
    },
    generate: (signal = new AbortController().signal, request = REQUEST) =>
      provider.generate(request, { signal, requestId: REQUEST_ID }),
    async failed(promise) {
      const error = await failureOf(promise);
      expect(error).toBeInstanceOf(ProviderFailure);
      return error as ProviderFailure;
    },
    received: (count) => expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(count),
  };
}
