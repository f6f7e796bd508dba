import type {
  Attempt,
  DeliveryGuarantee,
  Generation,
  Image,
  ImageSize,
  Principal,
  StagedPicture,
} from '../generation.ts';
import type { Run } from '../ledger/run.ts';

/**
 * The contract of both rings: an onion, first-listed outermost.
 *
 * A middleware is a **named** function, so that stacks and plug-ins that look for a neighbour can name it.
 */
export type Middleware<Request, Response> = (
  request: Request,
  next: (request: Request) => Promise<Response>,
) => Promise<Response>;

/** What a client asks for, once its input is valid and its key is known. Travels through the request ring. */
export interface GenerationRequest {
  readonly principal: Principal;
  /** Of the HTTP request; correlates logs, audit and the `X-Request-Id` response header. */
  readonly requestId: string;
  readonly prompt: string;
  readonly size: ImageSize;
  readonly delivery: DeliveryGuarantee;
  /** The provider asked for by name. */
  readonly provider: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** 0 for `generateImage`; 1, 2, … within one `generateImages`. */
  readonly ordinal: number;
  /** How long the caller waits before it leaves with a running generation, in milliseconds. */
  readonly waitMs: number;
  /** Aborted when the caller left; the generation goes on. */
  readonly signal: AbortSignal | undefined;
  /** SHA-256 of the intent, lowercase hex. */
  readonly fingerprint: string;
  /** Who is told of the end, in its normal form. No part of the intent. */
  readonly webhookUrl: string | undefined;
  /** Reserved in the claim's transaction; set by the quota middleware. */
  readonly quota: QuotaReservation | undefined;
}

export interface QuotaReservation {
  readonly apiKeyId: string;
  readonly imagesPerDay: number;
}

/** How a caller is answered: the generation ended, or goes on without it. */
export interface GenerationAnswer {
  readonly generation: Generation;
  /** Present when the generation succeeded. */
  readonly image: Image | undefined;
  /** True where an earlier request made this generation, and nothing was sent for this one. */
  readonly replayed: boolean;
}

/**
 * Around one request for one image; calls `next` at most once. Fails with a `GatewayError` for what is refused
 * before it is a generation; a generation that ended badly is an answer.
 */
export type RequestMiddleware = Middleware<GenerationRequest, GenerationAnswer>;

/** One generation on its way to the provider. Travels through the attempt ring. */
export interface AttemptRequest {
  readonly generation: Generation;
  /** This replica's hold on the generation, under which attempts are recorded. */
  readonly run: Run;
  /** Name of the provider to call. */
  readonly provider: string;
  /** The number of the next attempt, from 1; those on record count, whoever made them. */
  readonly attemptNumber: number;
  /** The one deadline for all attempts and the waits between them. */
  readonly deadlineAt: Date;
  /** Aborts the call and the waits. */
  readonly signal: AbortSignal;
  /** Aborts only the waits: the replica is shutting down. */
  readonly handover: AbortSignal;
  /** The attempt on record for this call; set by the record middleware. */
  readonly attempt: Attempt | undefined;
}

/** What the ring brings home: a picture that arrived whole, and the attempt that brought it. */
export interface DeliveredPicture {
  readonly attempt: Attempt;
  readonly httpStatus: number;
  readonly staged: StagedPicture;
}

/** Around the calls upstream for one generation; may call `next` again, which is what retry is. */
export type AttemptMiddleware = Middleware<AttemptRequest, DeliveredPicture>;
