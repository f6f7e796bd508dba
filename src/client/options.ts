import type { ClientClock } from './clock.ts';
import type { Generation } from './generation.ts';
import type { DeliveryGuarantee, ImageSize } from './operations.generated.ts';
import type { Retry } from './retry.ts';

export interface ClientOptions {
  /** The gateway's address, or that of its `/graphql`. @default 'http://localhost:4000' */
  readonly url?: string | undefined;
  /** Sent as `Authorization: Bearer …`. A function is asked for every request. */
  readonly apiKey?: string | (() => string | Promise<string>) | undefined;
  /** @default globalThis.fetch */
  readonly fetch?: typeof fetch | undefined;
  /** Sent with every request to the gateway, but not with those for pictures. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * The longest that one request stays open to wait, in seconds, 0 to 240: keep it below the limits of proxies. It is
   * followed by another until the generation ends. 0: nothing stays open, it asks now and then. @default 240
   */
  readonly waitSeconds?: number | undefined;
  /**
   * How long a call goes on when the gateway can't be reached, in seconds from the first failure. Calls that only
   * read give up after ten seconds at most. @default 300
   */
  readonly retrySeconds?: number | undefined;
  /** For tests that must not wait. @default the system's time */
  readonly clock?: ClientClock | undefined;
}

export interface CallOptions {
  /** Ends the call. What was started goes on in the gateway. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each failure on the way that is tried again. */
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

export interface WaitOptions extends CallOptions {
  /** Told of the generation as it is at first, and of every change. */
  readonly onProgress?: ((generation: Generation) => void) | undefined;
}

export interface WaitForSeveralOptions extends CallOptions {
  /** Told of each generation as it is at first, and of every change; `index` counts the images from 0. */
  readonly onProgress?: ((generation: Generation, index: number) => void) | undefined;
}

/** What to make. */
export interface GenerateImageRequest {
  /** 1 to 32,000 characters. */
  readonly prompt: string;
  /** @default 'SQUARE_1024X1024' */
  readonly size?: ImageSize | undefined;
  /** One for each intent, 1 to 255 printable ASCII characters. Left out: the SDK makes one for this call. */
  readonly idempotencyKey?: string | undefined;
  /** Whether the gateway may send again what the provider may have accepted. @default 'AT_LEAST_ONCE' */
  readonly delivery?: DeliveryGuarantee | undefined;
  /** Of `providers()`. Left out: as the gateway chooses. */
  readonly provider?: string | undefined;
  /** Who is told of the end, by a signed POST. */
  readonly webhookUrl?: string | undefined;
}

/** What to make several of. */
export interface GenerateImagesRequest extends Omit<GenerateImageRequest, 'webhookUrl'> {
  /** 1 to 10. */
  readonly count: number;
}
