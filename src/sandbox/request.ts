import type { ImageSize } from '../generation.ts';

/** A generation request that passed every check. */
export interface SandboxRequest {
  /** Counts the valid requests of this sandbox, from 1. */
  readonly number: number;
  /** The `X-Request-Id` header. */
  readonly requestId: string | undefined;
  readonly prompt: string;
  readonly size: ImageSize;
  readonly model: string;
}
