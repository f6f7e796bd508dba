import { type Dispatcher, Pool } from 'undici';
import { ConfigError } from '../../errors.ts';
import type { ImageSize, PictureRequest } from '../../generation.ts';
import type { Provider } from '../provider.ts';
import { type AnswerLimits, DEFAULT_LIMITS, readAnswer } from './answer.ts';
import { parseBaseUrl } from './base-url.ts';
import { createBlockPool } from './block.ts';
import { call } from './call.ts';
import { createFailures, type Judge } from './failures.ts';
import { isCompressed } from './headers.ts';
import { createRedactor } from './redact.ts';

/** What the operator says about a provider of this kind. */
export interface ImageProviderOptions {
  readonly apiKey: string;
  readonly baseUrl: string;
  /** Sockets at most: as many as generations may be open at once. @default as many as calls are open */
  readonly connections?: number;
  /**
   * The generation's one deadline, in milliseconds. The transport's own limits are set above it.
   * @default none: what ends a call is its signal
   */
  readonly deadlineMs?: number;
  /** Sends the calls instead of a pool of its own, and is not closed by `close`. */
  readonly dispatcher?: Dispatcher;
  /** @default DEFAULT_LIMITS */
  readonly limits?: Partial<AnswerLimits>;
  /** The clock for dates in `Retry-After`, in milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

/** What a vendor's file says about its vendor. */
export interface ImageProviderVendor {
  readonly name: string;
  readonly models: readonly [string, ...string[]];
  readonly sizes: readonly ImageSize[];
  /** The fields of the JSON body. */
  readonly toBody: (request: PictureRequest, model: string) => Readonly<Record<string, unknown>>;
  /** Headers beside those that every vendor of this wire gets, in lower case. */
  readonly toHeaders?: (requestId: string) => Readonly<Record<string, string>>;
  /** Asked about every error but a refusal of the content. @default by status alone */
  readonly judge?: Judge;
  /** The header of an answer, in lower case, that holds the vendor's own name for the call. */
  readonly replyIdHeader?: string;
  /** What an answer's JSON says that was not done as asked, a sentence each. */
  readonly warningsOf?: (document: unknown, request: PictureRequest) => readonly string[];
}

/** So that the gateway's deadline always rules, and says why the call ended. */
const SILENCE_MARGIN_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * A paid POST on a kept-alive socket that the peer is just closing fails as UNKNOWN: money, against a handshake
 * of some 100 ms. So sockets are kept only for bursts: shorter than the 5 s of Node's server (the shortest
 * common limit), never longer than this when the peer offers more, 2 s less than its hint when it offers less.
 */
const KEEP_ALIVE_MS = 3_000;

/** A provider that speaks the wire format of OpenAI's `POST /images/generations`. */
export const createImageProvider = (vendor: ImageProviderVendor, options: ImageProviderOptions): Provider => {
  const { name, models, sizes, judge, replyIdHeader } = vendor;
  const { apiKey, deadlineMs } = options;
  // Also what undici would refuse in a header, call after call.
  if (!/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new ConfigError(`The API key of ${name} is empty or has characters that no header can carry.`);
  }
  const { origin, prefix } = parseBaseUrl(options.baseUrl, { provider: name });
  const redactor = createRedactor(apiKey);
  const failures = createFailures({
    provider: name,
    redactor,
    judge,
    replyIdHeader,
    ...(options.now && { now: options.now }),
  });
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const blocks = createBlockPool();
  const dispatcher = options.dispatcher ?? createPool(origin, options.connections);
  const [model] = models;

  return {
    name,
    models,
    sizes,

    async generate(request, { signal, requestId }) {
      const reply = await call({
        dispatcher,
        origin,
        path: `${prefix}/images/generations`,
        headers: {
          authorization: `Bearer ${apiKey}`,
          'content-type': 'application/json',
          accept: 'application/json',
          'accept-encoding': 'identity',
          'user-agent': 'gesso',
          'x-request-id': requestId,
          ...vendor.toHeaders?.(requestId),
        },
        body: Buffer.from(JSON.stringify(vendor.toBody(request, model))),
        signal,
        silenceMs: deadlineMs === undefined ? 0 : deadlineMs + SILENCE_MARGIN_MS,
      }).catch((error: unknown) => {
        throw failures.ofError(error);
      });

      if (reply.status < 200 || reply.status > 299) throw await failures.ofReply(reply);
      if (isCompressed(reply.headers)) {
        reply.body.destroy();
        throw failures.ofContentEncoding(reply.status);
      }
      const warningsOf = (document: unknown) => vendor.warningsOf?.(document, request) ?? [];
      return readAnswer({ reply, model, limits, blocks, failures, redactor, warningsOf });
    },

    async close() {
      // Not `close`, which would wait for open calls: those who shut down have let them finish already.
      if (options.dispatcher === undefined) await dispatcher.destroy();
    },
  };
};

const createPool = (origin: string, connections: number | undefined): Pool =>
  new Pool(origin, {
    connections: connections ?? null,
    // With HTTP/2 undici sends a request again after GOAWAY, which is a second paid call.
    allowH2: false,
    pipelining: 1,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    keepAliveTimeoutThreshold: 2_000,
  });
