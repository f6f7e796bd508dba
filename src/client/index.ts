/** The typed client of a Gesso gateway, for Node and for browsers. */
export {
  type Cancellation,
  createClient,
  type GessoClient,
  type ProviderInfo,
  type Viewer,
} from './client.ts';
export type { ClientClock } from './clock.ts';
export * from './errors.ts';
export type { GenerateImagesResult } from './generate.ts';
export type { Attempt, Generation, GenerationFailure, GenerationRecord } from './generation.ts';
export { GeneratedImage, ImageRendition, type ImageTransform } from './image.ts';
export type { AuditEvent, AuditFilter, GenerationFilter, ListOptions } from './lists.ts';
export type {
  AttemptOutcome,
  AuditAction,
  DeliveryGuarantee,
  GenerationFailureCode,
  GenerationStatus,
  ImageFit,
  ImageFormat,
  ImageSize,
  ProviderStatus,
} from './operations.generated.ts';
export type {
  CallOptions,
  ClientOptions,
  GenerateImageRequest,
  GenerateImagesRequest,
  WaitForSeveralOptions,
  WaitOptions,
} from './options.ts';
export * from './result-errors.ts';
export type { Retry } from './retry.ts';
export type { TypedDocumentNode } from './typed-document.ts';
