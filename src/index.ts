/** What a gateway's own configuration and its plug-ins import from `gesso`. */
export type { AuditSink } from './audit-sinks/audit-sink.ts';
export { type Config, readConfig } from './config.ts';
export * from './errors.ts';
export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export type * from './generation.ts';
export { hasScope, IMAGE_SIZES, SCOPES } from './generation.ts';
export type { AnsweredCall, HookCall, HttpHooks, HttpRoute } from './http/hooks.ts';
export type { BlobStore } from './images/blob-store.ts';
export type { AuditAction, AuditEvent } from './ledger/audit.ts';
export type { Client } from './ledger/clients.ts';
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
export { defineConfig, definePlugin, type GessoConfig, type GessoPlugin } from './plugin.ts';
export type { GenerateOptions, PictureMetadata, Provider, ProviderAnswer } from './providers/provider.ts';
export type { Routing } from './routing.ts';
export type {
  ExtensionContext,
  ExtensionReads,
  FieldResolver,
  SchemaExtension,
  SchemaResolvers,
  SubscriptionResolver,
} from './schema/extension.ts';
