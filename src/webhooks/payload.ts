import type { Generation, GenerationStatus, Image } from '../generation.ts';

/** How a generation can end, and what the message of it is called. */
const TYPES = {
  SUCCEEDED: 'generation.succeeded',
  FAILED: 'generation.failed',
  CANCELED: 'generation.canceled',
  UNKNOWN: 'generation.unknown',
} as const satisfies Partial<Record<GenerationStatus, string>>;

/** What a receiver reads, as the GraphQL API would tell it. */
export interface WebhookPayload {
  readonly type: (typeof TYPES)[keyof typeof TYPES];
  /** When the generation ended, ISO 8601. */
  readonly timestamp: string;
  readonly data: {
    /** `Generation.id` of the GraphQL API. */
    readonly id: string;
    readonly status: keyof typeof TYPES;
    readonly idempotencyKey: string | null;
    readonly failure: { readonly code: string; readonly message: string } | null;
    /** Null where there is none, or none any more. */
    readonly image: {
      readonly id: string;
      /** Signed and expiring. */
      readonly url: string;
      readonly width: number;
      readonly height: number;
      readonly contentType: string;
      readonly byteSize: number;
      readonly sha256: string;
    } | null;
  };
}

export interface PayloadOptions {
  /** The id that the GraphQL API gives to a record. */
  readonly globalId: (typename: 'Generation' | 'Image', id: string) => string;
  readonly imageUrl: (image: Image) => string;
}

/** @throws {TypeError} for a generation that has not ended. */
export function payloadOf(
  generation: Generation,
  image: Image | undefined,
  { globalId, imageUrl }: PayloadOptions,
): WebhookPayload {
  const { id, status, idempotencyKey, failure, finishedAt } = generation;
  if (status === 'QUEUED' || status === 'RUNNING' || finishedAt === undefined) {
    throw new TypeError(`Generation ${id} has not ended.`);
  }
  return {
    type: TYPES[status],
    timestamp: finishedAt.toISOString(),
    data: {
      id: globalId('Generation', id),
      status,
      idempotencyKey: idempotencyKey ?? null,
      failure: failure === undefined ? null : { code: failure.code, message: failure.message },
      image:
        image === undefined || image.removedAt !== undefined
          ? null
          : {
              id: globalId('Image', image.id),
              url: imageUrl(image),
              width: image.width,
              height: image.height,
              contentType: image.contentType,
              byteSize: image.byteSize,
              sha256: image.sha256,
            },
    },
  };
}
