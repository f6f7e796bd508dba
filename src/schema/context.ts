import type { Attempt, Generation, Image, ImageSize, Principal } from '../generation.ts';
import type { ApiKey, NewApiKey } from '../ledger/api-keys.ts';
import type { AuditEvent, AuditLine } from '../ledger/audit.ts';
import type { AuditFilter } from '../ledger/audit-events.ts';
import type { Cancellation, CancelRequest } from '../ledger/cancellations.ts';
import type { Client } from '../ledger/clients.ts';
import type { GenerationFilter } from '../ledger/generations.ts';
import type { Page } from '../ledger/page.ts';
import type { GenerationAnswer, GenerationRequest } from '../middleware/middleware.ts';

/** One GraphQL request, as resolvers see it. */
export interface Context {
  /** Undefined for a caller without a key. */
  readonly principal: Principal | undefined;
  /** Also the `X-Request-Id` response header. */
  readonly requestId: string;
  /** Aborted when the caller hung up. */
  readonly signal: AbortSignal;
  readonly gateway: GatewayPort;
  /** Reads, filtered by what the principal may see. Each call is one SQL statement. */
  readonly read: ReadPort;
}

/** What the schema asks of the gateway. */
export interface GatewayPort {
  /** Sends a request through the request ring. */
  readonly generate: (request: GenerationRequest) => Promise<GenerationAnswer>;
  /** Cancels a generation that the viewer may cancel. */
  readonly cancel: (request: CancelRequest) => Promise<Cancellation>;
  /** The generation as it is now, then every change until it ends. Who may see it is asked before. */
  readonly watch: (request: {
    generationId: string;
    clientId: string;
    signal: AbortSignal;
  }) => AsyncIterableIterator<Generation>;
  /** How long a mutation waits at most, in milliseconds. */
  readonly maxWaitMs: number;
  /** Hosts that a `webhookUrl` may name; undefined where there is none. */
  readonly webhookHosts: readonly string[] | undefined;
  /** What a client's webhooks are signed with; undefined where none are sent. */
  readonly webhookSecret: (clientId: string) => string | undefined;
  readonly providers: readonly ProviderFacts[];
  readonly createApiKey: (key: NewApiKey) => Promise<{ apiKey: ApiKey; secret: string }>;
  readonly revokeApiKey: (id: string, requestId: string) => Promise<ApiKey | undefined>;
  /** Puts a refusal on the audit trail that never reached the ring. */
  readonly recordDenied: (line: AuditLine) => void;
  readonly now: () => Date;
  readonly images: ImagePort;
}

export interface ProviderFacts {
  readonly name: string;
  readonly models: readonly string[];
  readonly sizes: readonly ImageSize[];
  readonly health: () => ProviderHealth;
  readonly circuit: () => 'CLOSED' | 'OPEN' | 'HALF_OPEN';
}

/** Judged by the calls that were made. */
export interface ProviderHealth {
  readonly status: 'AVAILABLE' | 'DEGRADED' | 'UNAVAILABLE';
  readonly checkedAt: Date | undefined;
}

/** Where images are looked at. */
export interface ImagePort {
  /** A signed URL of the original; `expiresInSeconds` undefined means the configured lifetime. */
  readonly url: (image: Image, expiresInSeconds: number | undefined) => string;
  readonly rendition: (image: Image, transform: ImageTransform) => ImageRendition;
  /**
   * The whole PNG, base64. Nothing more is read once `signal` is aborted.
   *
   * @throws {NotFoundError} when it was removed by age; {StorageError} when it can't be read.
   */
  readonly base64: (image: Image, signal: AbortSignal) => Promise<string>;
}

export interface ImageTransform {
  readonly maxWidth?: number | undefined;
  readonly maxHeight?: number | undefined;
  readonly fit: 'CONTAIN' | 'COVER';
  readonly format: 'PNG' | 'JPEG' | 'WEBP' | 'AVIF';
  readonly quality?: number | undefined;
}

export interface ImageRendition {
  readonly url: string;
  readonly width: number;
  readonly height: number;
  readonly contentType: string;
}

export interface ReadPort {
  readonly generationsById: (ids: readonly string[]) => Promise<readonly Generation[]>;
  readonly imagesById: (ids: readonly string[]) => Promise<readonly Image[]>;
  readonly imagesOf: (generationIds: readonly string[]) => Promise<ReadonlyMap<string, Image>>;
  readonly attemptsOf: (generationIds: readonly string[]) => Promise<ReadonlyMap<string, readonly Attempt[]>>;
  readonly clientsById: (ids: readonly string[]) => Promise<readonly Client[]>;
  readonly auditEventsById: (ids: readonly string[]) => Promise<readonly AuditEvent[]>;
  readonly apiKeysById: (ids: readonly string[]) => Promise<readonly ApiKey[]>;
  readonly listGenerations: (filter: GenerationFilter, page: Page) => Promise<readonly Generation[]>;
  readonly listAuditEvents: (filter: AuditFilter, page: Page) => Promise<readonly AuditEvent[]>;
  readonly listApiKeys: (page: Page) => Promise<readonly ApiKey[]>;
  readonly quotaUsed: (apiKeyId: string) => Promise<number>;
}
