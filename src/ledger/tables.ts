import type { ColumnType, Generated } from 'kysely';
import type {
  AttemptOutcome,
  DeliveryGuarantee,
  GenerationFailure,
  GenerationStatus,
  ImageSize,
  RejectionReason,
} from '../generation.ts';

/** A JSON column: written as text that was encoded by us, read as the value. */
type Json<T> = ColumnType<T, string, string>;

/** One row a request for one image. */
export interface GenerationsTable {
  id: string;
  clientId: string;
  /** The key that asked, for its quota; null for the bootstrap key. */
  apiKeyId: string | null;
  /** Of the HTTP request that made it. */
  requestId: string;
  status: GenerationStatus;
  prompt: string;
  size: ImageSize;
  delivery: DeliveryGuarantee;
  requestedProvider: string | null;
  /** The one that it waits for, runs at, or ended at. */
  provider: string | null;
  /** The providers that it may be made by, in order; null where that is `provider` alone. */
  route: string[] | null;
  model: string | null;
  idempotencyKey: string | null;
  ordinal: number;
  fingerprint: string;
  keyHeld: boolean;
  /** The UTC day whose quota it was reserved from; null where none was. */
  quotaDay: string | null;
  failure: Json<GenerationFailure> | null;
  /** The fence: which run of which replica may write. */
  runner: string | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  deadlineAt: Date | null;
}

/** One row per call upstream, committed before a byte leaves. */
export interface AttemptsTable {
  id: string;
  generationId: string;
  number: number;
  requestId: string;
  provider: string;
  outcome: AttemptOutcome;
  httpStatus: number | null;
  errorCode: string | null;
  /** Whose mistake a rejection was; null for any other outcome. */
  rejection: RejectionReason | null;
  startedAt: Date;
  finishedAt: Date | null;
}

export interface ImagesTable {
  id: string;
  generationId: string;
  clientId: string;
  attemptId: string;
  blobKey: string;
  width: number;
  height: number;
  byteSize: number;
  sha256: string;
  revisedPrompt: string | null;
  thumbhash: string | null;
  createdAt: Date;
  /** When its bytes were removed by age; null while they are there. */
  removedAt: Date | null;
}

/** Who wants to be told of the end of a generation. */
export interface WebhooksTable {
  /** Also the `webhook-id` of every delivery. */
  id: string;
  generationId: string;
  clientId: string;
  url: string;
  createdAt: Date;
}

/** Append-only: the database refuses UPDATE, DELETE and TRUNCATE. */
export interface AuditEventsTable {
  id: string;
  occurredAt: Date;
  action: string;
  clientId: string | null;
  requestId: string;
  generationId: string | null;
  attemptId: string | null;
  message: string | null;
  /** The transaction that wrote it, by which audit sinks read; set by the database. */
  tx: Generated<string>;
}

/** How far an audit sink has got. */
export interface AuditSinksTable {
  id: Generated<number>;
  name: string;
  /** Of the last line that was handed over. */
  tx: string;
  eventId: string;
  createdAt: Date;
}

export interface ClientsTable {
  id: string;
  name: string;
  createdAt: Date;
}

export interface ApiKeysTable {
  id: string;
  /** The part of the key that names it, in clear. */
  publicId: string;
  clientId: string;
  /** SHA-256 of the whole key, lowercase hex. */
  secretSha256: string;
  scopes: string[];
  imagesPerDay: number | null;
  createdAt: Date;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

/** How many images a key has reserved on a UTC day. */
export interface QuotaUsageTable {
  apiKeyId: string;
  day: string;
  used: number;
}

export interface Tables {
  generations: GenerationsTable;
  attempts: AttemptsTable;
  images: ImagesTable;
  auditEvents: AuditEventsTable;
  auditSinks: AuditSinksTable;
  clients: ClientsTable;
  apiKeys: ApiKeysTable;
  quotaUsage: QuotaUsageTable;
  webhooks: WebhooksTable;
}
