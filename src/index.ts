/** What a gateway's own configuration and its plug-ins import from `gesso`. */
export { type Config, readConfig } from './config.ts';
export * from './errors.ts';
export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export type * from './generation.ts';
export { hasScope, IMAGE_SIZES, SCOPES } from './generation.ts';
export type { BlobStore } from './images/blob-store.ts';
export type {
  AttemptMiddleware,
  AttemptRequest,
  DeliveredPicture,
  GenerationAnswer,
  GenerationRequest,
  Middleware,
  RequestMiddleware,
} from './middleware/middleware.ts';
export { ATTEMPT_RING, REQUEST_RING, type RingPlace } from './pipeline.ts';
export { defineConfig, type GessoConfig, type GessoPlugin } from './plugin.ts';
export type { GenerateOptions, PictureMetadata, Provider, ProviderAnswer } from './providers/provider.ts';
