import { ConfigError } from '../errors.ts';
import type { StagedPicture } from '../generation.ts';
import type { AttemptRequest, DeliveredPicture } from '../middleware/middleware.ts';
import type { GessoPlugin } from '../plugin.ts';
import { type Circuit, createCircuit } from '../provider-circuit.ts';
import { createHealth } from '../provider-health.ts';
import type { Provider, ProviderAnswer } from '../providers/provider.ts';
import type { ProviderFacts } from '../schema/context.ts';

export interface ProvidersOptions {
  /** In the order in which their providers stand; the first provider of all is the default. */
  readonly plugins: readonly GessoPlugin[];
  /** Reads an answer to its end. */
  readonly drain: (attemptId: string, answer: ProviderAnswer) => Promise<StagedPicture>;
  /** Generations in a row after which a circuit opens, 0 for never; undefined: 5 where `isRouted`, else 0. */
  readonly breakerFailures: number | undefined;
  /** Whether requests that name no provider have a route between several. */
  readonly isRouted: boolean;
  /** How long a circuit is open before one generation tries it, in milliseconds. */
  readonly breakerOpenMs: number;
  readonly now: () => Date;
}

/** Where nobody else is asked, an open circuit would only refuse what a retry may mend. */
const failuresByDefault = (isRouted: boolean): number => (isRouted ? 5 : 0);

/**
 * Every provider by its name, how each of them does, and the call that lies innermost in the attempt ring.
 * @throws {ConfigError} for a name that is malformed or taken, and where there is no provider.
 */
export function gatherProviders(options: ProvidersOptions) {
  const { plugins, drain, breakerFailures, breakerOpenMs, isRouted, now } = options;
  const byName = new Map<string, Provider>();
  for (const provider of plugins.flatMap((plugin) => plugin.providers ?? [])) {
    if (!/^[a-z0-9-]+$/.test(provider.name)) {
      const rule = 'must be lowercase letters, digits and hyphens';
      throw new ConfigError(`The name of the provider "${provider.name}" ${rule}.`);
    }
    if (byName.has(provider.name)) throw new ConfigError(`Two providers are called "${provider.name}".`);
    byName.set(provider.name, provider);
  }
  if (byName.size === 0) throw new ConfigError('No provider is configured.');
  const failures = breakerFailures ?? failuresByDefault(isRouted);
  const conditions = new Map(
    [...byName.keys()].map((name) => [
      name,
      { health: createHealth({ now }), circuit: createCircuit({ failures, openMs: breakerOpenMs, now }) },
    ]),
  );

  return {
    byName: byName as ReadonlyMap<string, Provider>,
    names: [...byName.keys()] as readonly string[],

    circuitOf: (name: string): Circuit | undefined => conditions.get(name)?.circuit,

    /** Innermost of the attempt ring: one call, drained to staging. */
    async call({ attempt, generation, provider: name, signal }: AttemptRequest): Promise<DeliveredPicture> {
      const provider = byName.get(name);
      if (attempt === undefined) throw new TypeError('The attempt ring has lost its record middleware.');
      if (provider === undefined) throw new ConfigError(`The provider "${name}" is not configured any more.`);
      const deliver = async (): Promise<DeliveredPicture> => {
        const answered = await provider.generate(generation, { signal, requestId: attempt.requestId });
        const staged = await drain(attempt.id, answered);
        return { attempt, httpStatus: answered.httpStatus, staged };
      };
      return conditions.get(name)?.health.watch(deliver) ?? deliver();
    },

    /** As the schema shows them. */
    facts: (): readonly ProviderFacts[] =>
      [...byName.values()].map(({ name, models, sizes }) => ({
        name,
        models,
        sizes,
        health: () => conditions.get(name)?.health.read() ?? { status: 'AVAILABLE', checkedAt: undefined },
        circuit: () => conditions.get(name)?.circuit.state ?? 'CLOSED',
      })),

    /** Every one of them, also when closing another one fails. */
    async close(): Promise<void> {
      await using closing = new AsyncDisposableStack();
      for (const provider of byName.values()) closing.defer(() => provider.close());
    },
  };
}

export type Providers = ReturnType<typeof gatherProviders>;
