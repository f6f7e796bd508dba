import { createHash } from 'node:crypto';
import type { DeliveryGuarantee, ImageSize } from './generation.ts';

export interface Intent {
  readonly prompt: string;
  readonly size: ImageSize;
  readonly delivery: DeliveryGuarantee;
  readonly provider: string | undefined;
}

/**
 * SHA-256, lowercase hex, of what a request means: prompt, size, delivery and provider as given, defaults filled
 * in, and nothing else. Waiting longer is the same intent.
 */
export const fingerprintOf = ({ prompt, size, delivery, provider }: Intent): string =>
  createHash('sha256')
    .update(JSON.stringify([prompt, size, delivery, provider ?? null]))
    .digest('hex');
