import type { Keyv } from 'keyv';
import type { SETTINGS } from './config.ts';
import type { AttemptMiddleware, RequestMiddleware } from './middleware/middleware.ts';
import type { RingPlace } from './pipeline.ts';
import type { Provider } from './providers/provider.ts';

/** What a plug-in adds. The built-in provider and middleware are one too. */
export interface GessoPlugin {
  /** For messages. */
  readonly name: string;
  /** Named by `GenerateImageInput.provider`; the first of all plug-ins is the default. */
  readonly providers?: readonly Provider[];
  /** Around one request for one image. Innermost, where a place doesn't say otherwise. */
  readonly requestMiddleware?: readonly RingPlace<RequestMiddleware>[];
  /** Around the calls upstream. Innermost, where a place doesn't say otherwise. */
  readonly attemptMiddleware?: readonly RingPlace<AttemptMiddleware>[];
}

/** What `gesso.config.ts` exports. */
export interface GessoConfig {
  /** Settings by their name in `SETTINGS`; the environment wins over them. */
  readonly settings?: { readonly [Name in keyof typeof SETTINGS]?: string | number };
  readonly plugins?: readonly GessoPlugin[];
  /** The idempotency cache. @default 10,000 answers in memory */
  readonly cache?: Keyv;
}

/** Types the default export of `gesso.config.ts`. */
export const defineConfig = (config: GessoConfig): GessoConfig => config;
