import type { Keyv } from 'keyv';
import type { AuditSink } from './audit-sinks/audit-sink.ts';
import type { SETTINGS } from './config.ts';
import { ConfigError } from './errors.ts';
import type { HttpHooks } from './http/hooks.ts';
import type { AttemptMiddleware, RequestMiddleware } from './middleware/middleware.ts';
import type { RingPlace } from './pipeline.ts';
import { problemsOfPlugin } from './plugin-shape.ts';
import type { Provider } from './providers/provider.ts';
import type { Routing } from './routing.ts';
import type { SchemaExtension } from './schema/extension.ts';

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
  /** Types and fields, on top of what the schema has. */
  readonly schema?: SchemaExtension | readonly SchemaExtension[];
  /** Where the audit trail goes too, line by line. */
  readonly auditSinks?: readonly AuditSink[];
  /** Around HTTP requests, and endpoints of its own. The first plug-in is outermost. */
  readonly httpHooks?: HttpHooks;
}

/** What `gesso.config.ts` exports. */
export interface GessoConfig {
  /** Settings by their name in `SETTINGS`; the environment wins over them. */
  readonly settings?: { readonly [Name in keyof typeof SETTINGS]?: string | number };
  readonly plugins?: readonly GessoPlugin[];
  /** Which providers a request goes to that names none; `GESSO_ROUTE` wins over it. @default the first provider alone */
  readonly routing?: Routing;
  /** The idempotency cache. @default 10,000 answers in memory */
  readonly cache?: Keyv;
}

/** Types the default export of `gesso.config.ts`. */
export const defineConfig = (config: GessoConfig): GessoConfig => config;

/**
 * Types a plug-in, and looks at its shape.
 * @throws {ConfigError} that names the plug-in, and each field that is none or that is wrong
 */
export function definePlugin(plugin: GessoPlugin): GessoPlugin {
  const problems = problemsOfPlugin(plugin);
  if (problems.length === 0) return plugin;
  const { name } = (plugin ?? {}) as { name?: unknown };
  const which = typeof name === 'string' ? `The plug-in "${name}"` : 'A plug-in without a name';
  throw new ConfigError(`${which} is not usable: ${problems.join('; ')}.`);
}

/**
 * The plug-ins of a gateway, each looked at, whether it was defined by `definePlugin` or not.
 * @throws {ConfigError} as `definePlugin` does, and where two audit sinks have one name
 */
export function checkPlugins(plugins: readonly GessoPlugin[]): readonly GessoPlugin[] {
  const owners = new Map<string, string>();
  for (const { name, auditSinks = [] } of plugins.map(definePlugin)) {
    for (const sink of auditSinks) {
      const owner = owners.get(sink.name);
      if (owner !== undefined) {
        throw new ConfigError(
          `Two audit sinks are called "${sink.name}": of the plug-ins "${owner}" and "${name}".`,
        );
      }
      owners.set(sink.name, name);
    }
  }
  return plugins;
}
