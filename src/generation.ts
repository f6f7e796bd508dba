/**
 * The nouns of Gesso. Every record that crosses a room's border has its shape here, with its units.
 */

/** The provider-neutral name of a canvas: `auto`, or `<width>x<height>` in pixels. */
export const IMAGE_SIZES = [
  'auto',
  '1024x1024',
  '1536x1024',
  '1024x1536',
  '2048x2048',
  '2048x1152',
  '3840x2160',
  '2160x3840',
] as const;
export type ImageSize = (typeof IMAGE_SIZES)[number];

/** What may happen when the provider was reached but its answer was lost. */
export type DeliveryGuarantee = 'AT_LEAST_ONCE' | 'AT_MOST_ONCE';

export const GENERATION_STATUSES = [
  'QUEUED',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'CANCELED',
  'UNKNOWN',
] as const;
export type GenerationStatus = (typeof GENERATION_STATUSES)[number];

export const FAILURE_CODES = [
  'CONTENT_POLICY',
  'PROVIDER_REJECTED',
  'PROVIDER_UNAVAILABLE',
  'INVALID_IMAGE',
  'STORAGE_FAILED',
  'DEADLINE_EXCEEDED',
  'OUTCOME_UNKNOWN',
] as const;
export type FailureCode = (typeof FAILURE_CODES)[number];

/** Why a generation ended without an image. */
export interface GenerationFailure {
  readonly code: FailureCode;
  /** For developers; never holds a secret. */
  readonly message: string;
  /** The provider's own word for it (`error.code`), where it gave one. */
  readonly providerCode: string | undefined;
  /** Whether the same request can succeed later without a change. */
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | undefined;
}

/** One request for one image, from acceptance to its end. */
export interface Generation {
  /** UUIDv7, so that ids sort by the time they were made. */
  readonly id: string;
  readonly clientId: string;
  readonly status: GenerationStatus;
  readonly prompt: string;
  readonly size: ImageSize;
  readonly delivery: DeliveryGuarantee;
  /** The provider the caller asked for by name. */
  readonly requestedProvider: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** Its place among the images of one `generateImages`, from 1; 0 for a single one. */
  readonly ordinal: number;
  /** SHA-256, lowercase hex, of the intent: see `fingerprint.ts`. */
  readonly fingerprint: string;
  /** Whether the idempotency key still answers for this generation. */
  readonly keyHeld: boolean;
  /** The provider that it waits for, runs at, or ended at. */
  readonly provider: string | undefined;
  /** The providers that it may be made by, in order: those that were asked, `provider`, and those that are left. */
  readonly route: readonly string[];
  readonly model: string | undefined;
  readonly failure: GenerationFailure | undefined;
  readonly createdAt: Date;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  /** One deadline for all attempts and waits; set when the generation first runs. */
  readonly deadlineAt: Date | undefined;
}

/** Whose mistake a rejection is; it decides whether the idempotency key stays held. */
export type RejectionReason = 'CONTENT_POLICY' | 'REQUEST' | 'OPERATOR';

export type AttemptOutcome = 'PENDING' | 'SUCCEEDED' | 'REJECTED' | 'NOT_ACCEPTED' | 'UNKNOWN';

/** One call upstream, on record before a byte of it is sent. */
export interface Attempt {
  readonly id: string;
  readonly generationId: string;
  /** From 1. */
  readonly number: number;
  /** Also sent upstream as `X-Request-Id`. */
  readonly requestId: string;
  readonly provider: string;
  readonly outcome: AttemptOutcome;
  readonly httpStatus: number | undefined;
  readonly errorCode: string | undefined;
  /** Whose mistake a rejection was; undefined for any other outcome. */
  readonly rejection: RejectionReason | undefined;
  readonly startedAt: Date;
  readonly finishedAt: Date | undefined;
}

/** A stored image, measured from its decoded pixels. */
export interface Image {
  readonly id: string;
  readonly generationId: string;
  readonly clientId: string;
  /** The blob's name in the store: made from the attempt, so that no two writers share one. */
  readonly blobKey: string;
  /** Decoded width in pixels. */
  readonly width: number;
  /** Decoded height in pixels. */
  readonly height: number;
  readonly byteSize: number;
  /** SHA-256 of the PNG, lowercase hex. */
  readonly sha256: string;
  readonly contentType: 'image/png';
  readonly revisedPrompt: string | undefined;
  /** ThumbHash of the picture, base64. */
  readonly thumbhash: string | undefined;
  readonly createdAt: Date;
  /** When its bytes were removed by age; undefined while they are there. */
  readonly removedAt: Date | undefined;
}

/** What one call upstream needs to know. */
export interface PictureRequest {
  readonly prompt: string;
  readonly size: ImageSize;
}

/** A picture that arrived whole: every byte is in the staging file, every chunk checksum agrees. */
export interface StagedPicture {
  /** The attempt that brought it. */
  readonly attemptId: string;
  /** Path of the complete file on the local disk. */
  readonly path: string;
  readonly byteSize: number;
  /** SHA-256 of the bytes, lowercase hex. */
  readonly sha256: string;
  readonly revisedPrompt: string | undefined;
  readonly model: string;
}

export const SCOPES = ['images:generate', 'generations:read', 'audit:read', 'usage:read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who is calling, as proved by an API key. */
export interface Principal {
  readonly clientId: string;
  readonly clientName: string;
  /** Undefined for the bootstrap key (`GESSO_ADMIN_KEY`), which has no row. */
  readonly apiKeyId: string | undefined;
  readonly scopes: ReadonlySet<Scope>;
  /** Images allowed in a UTC day; undefined where there is no limit. */
  readonly imagesPerDay: number | undefined;
}

/** Whether the principal has the scope; `admin` implies all. */
export const hasScope = (principal: Principal, scope: Scope): boolean =>
  principal.scopes.has(scope) || principal.scopes.has('admin');
