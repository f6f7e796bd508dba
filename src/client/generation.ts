import type { Connection } from './connection.ts';
import { GeneratedImage } from './image.ts';
import type {
  AttemptOutcome,
  DeliveryGuarantee,
  GenerationFailureCode,
  GenerationFieldsFragment,
  GenerationStatus,
  ImageSize,
} from './operations.generated.ts';

/** One call upstream, on record before it was sent. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  readonly provider: string;
  readonly outcome: AttemptOutcome;
  /** Sent upstream as `X-Request-Id`. */
  readonly requestId: string;
  /** Of the answer, where one came. */
  readonly httpStatus: number | undefined;
  /** The provider's or the transport's code for what went wrong. */
  readonly errorCode: string | undefined;
  readonly startedAt: Date;
  readonly finishedAt: Date | undefined;
}

/** Why a generation ended without an image. */
export interface GenerationFailure {
  readonly code: GenerationFailureCode;
  readonly message: string;
  /** Whether the same request can succeed later without a change. */
  readonly retryable: boolean;
  /** The provider's own word for it, where it gave one. */
  readonly providerCode: string | undefined;
  readonly retryAfterSeconds: number | undefined;
}

/** What a generation is, but for its image. */
export interface GenerationRecord {
  readonly id: string;
  readonly status: GenerationStatus;
  readonly prompt: string;
  /** The canvas asked for. */
  readonly requestedSize: ImageSize;
  readonly delivery: DeliveryGuarantee;
  readonly idempotencyKey: string | undefined;
  readonly provider: string | undefined;
  readonly model: string | undefined;
  /** Who asked for it. */
  readonly client: { readonly id: string; readonly name: string };
  /** Every call upstream, oldest first. */
  readonly attempts: readonly Attempt[];
  readonly failure: GenerationFailure | undefined;
  readonly createdAt: Date;
  /** When a replica first began to work on it. */
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
}

/** One request for one image, from acceptance to its end. */
export interface Generation extends GenerationRecord {
  /** There when it succeeded. */
  readonly image: GeneratedImage | undefined;
}

export const hasEnded = ({ finishedAt }: GenerationFieldsFragment): boolean => finishedAt !== null;

/** What changes when a generation goes on. */
export const versionOf = ({ status, provider, attempts }: GenerationFieldsFragment): string =>
  `${status} ${provider} ${attempts.map(({ outcome }) => outcome).join(' ')}`;

/** The generation as callers see it: dates are dates, and what is not there is undefined. */
export function toGeneration(fields: GenerationFieldsFragment, connection: Connection): Generation {
  const record = toRecord(fields);
  const image =
    fields.image === null
      ? undefined
      : // Whoever meets it here did not buy it just now.
        new GeneratedImage(fields.image, { generation: record, replayed: true, connection });
  return { ...record, image };
}

export function toRecord(fields: Omit<GenerationFieldsFragment, 'image'>): GenerationRecord {
  return {
    id: fields.id,
    status: fields.status,
    prompt: fields.prompt,
    requestedSize: fields.requestedSize,
    delivery: fields.delivery,
    idempotencyKey: fields.idempotencyKey ?? undefined,
    provider: fields.provider ?? undefined,
    model: fields.model ?? undefined,
    client: { ...fields.client },
    attempts: fields.attempts.map(toAttempt),
    failure: fields.failure === null ? undefined : toFailure(fields.failure),
    createdAt: new Date(fields.createdAt),
    startedAt: toDate(fields.startedAt),
    finishedAt: toDate(fields.finishedAt),
  };
}

const toFailure = (fields: NonNullable<GenerationFieldsFragment['failure']>): GenerationFailure => ({
  ...fields,
  providerCode: fields.providerCode ?? undefined,
  retryAfterSeconds: fields.retryAfterSeconds ?? undefined,
});

export const toAttempt = (fields: GenerationFieldsFragment['attempts'][number]): Attempt => ({
  ...fields,
  httpStatus: fields.httpStatus ?? undefined,
  errorCode: fields.errorCode ?? undefined,
  startedAt: new Date(fields.startedAt),
  finishedAt: toDate(fields.finishedAt),
});

const toDate = (instant: string | null): Date | undefined =>
  instant === null ? undefined : new Date(instant);
