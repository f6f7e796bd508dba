import { ConfigError, InvalidInputError } from './errors.ts';
import type { Generation, ImageSize } from './generation.ts';
import type { Provider } from './providers/provider.ts';

/** How a provider is chosen for a request that names none. Who isn't listed is asked by name alone. */
export type Routing =
  /** The first one, and when that did not take it, the next. */
  | { readonly strategy: 'ordered'; readonly order: readonly string[] }
  /** Drawn by weight, relative to the others'; when that did not take it, drawn again from those that are left. */
  | { readonly strategy: 'weighted'; readonly weights: Readonly<Record<string, number>> };

/** Whether who is not to be asked has somebody beside it. One that is malformed has nobody. */
export const isBetweenSeveral = (routing: Routing | undefined): boolean =>
  routing !== undefined && (entriesOf(routing)?.length ?? 0) > 1;

export interface RouterOptions {
  /** The first one is the default. */
  readonly providers: ReadonlyMap<string, Provider>;
  /** Undefined: the default alone, because another one may cost more, and draws otherwise. */
  readonly routing: Routing | undefined;
  /** Whether the provider would be asked now: those that are kept from it by their circuit come last. */
  readonly isAdmitting: (provider: string) => boolean;
  /** By the name of a provider that is not configured: how to have it. */
  readonly howToHave?: Readonly<Record<string, string>>;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

/** Where a generation goes on. */
export interface Onward {
  readonly provider: Provider;
  /** Its whole route from now on: those that were asked, this one, and those that are left. */
  readonly route: readonly string[];
}

type Routed = Pick<Generation, 'provider' | 'route' | 'size'>;

/**
 * Chooses providers: for a new generation, and for one that its provider did not take.
 * @throws {ConfigError} when the routing names a provider that there is not, or is malformed.
 */
export function createRouter(options: RouterOptions) {
  const { providers, routing, isAdmitting, random = Math.random } = options;
  const weights = weightsOf(options);

  /** Those that would be asked now first; among equals the order is kept. */
  const preferAdmitting = (names: readonly string[]): string[] => {
    const admitting = new Set(names.filter(isAdmitting));
    return [...admitting, ...names.filter((name) => !admitting.has(name))];
  };

  const offers = (name: string, size: ImageSize): boolean =>
    providers.get(name)?.sizes.includes(size) === true;

  /**
   * Where a generation goes on that its provider did not take; undefined at the end of its route. A provider of the
   * route that is not configured here any more, or lost the size, is passed over. None is asked twice.
   */
  function after({ provider, route, size }: Routed): Onward | undefined {
    const current = provider === undefined ? -1 : route.indexOf(provider);
    if (current < 0) return undefined;
    const [next, ...left] = preferAdmitting(route.slice(current + 1).filter((name) => offers(name, size)));
    const following = next === undefined ? undefined : providers.get(next);
    if (following === undefined) return undefined;
    return { provider: following, route: [...route.slice(0, current + 1), following.name, ...left] };
  }

  return {
    /**
     * The providers for a new generation, in the order in which they are asked.
     * @throws {InvalidInputError} when there is no provider of that name, or none that offers the size.
     */
    plan({ provider, size }: { provider: string | undefined; size: ImageSize }): [Provider, ...Provider[]] {
      if (provider !== undefined && !providers.has(provider)) {
        const message = `is none of the configured providers: ${[...providers.keys()].join(', ')}.`;
        throw new InvalidInputError([{ path: ['input', 'provider'], message }]);
      }
      const candidates = provider === undefined ? [...weights.keys()] : [provider];
      const able = candidates.filter((name) => offers(name, size));
      const drawn = routing?.strategy === 'weighted' ? drawAll(able, weights, random) : able;
      const [first, ...rest] = preferAdmitting(drawn).flatMap((name) => providers.get(name) ?? []);
      if (first === undefined) {
        const message = `${size} is not offered by ${candidates.join(' or ')}.`;
        throw new InvalidInputError([{ path: ['input', 'size'], message }]);
      }
      return [first, ...rest];
    },

    after,

    /** Whether there is such a provider, and it would be asked at once. */
    goesOnNow(generation: Routed): boolean {
      const onward = after(generation);
      return onward !== undefined && isAdmitting(onward.provider.name);
    },
  };
}

export type Router = ReturnType<typeof createRouter>;

/** Who is on the way, in order, each with its weight. */
function weightsOf({ routing, providers, howToHave = {} }: RouterOptions): ReadonlyMap<string, number> {
  const [first] = providers.keys();
  if (routing === undefined) return new Map(first === undefined ? [] : [[first, 1]]);
  const refuse = (problem: string): never => {
    throw new ConfigError(`The route between providers ${problem}.`);
  };
  const entries =
    entriesOf(routing) ??
    refuse('is neither an `ordered` one with an `order`, nor a `weighted` one with `weights`');
  const names = entries.map(([name]) => name);
  if (names.length === 0) refuse('names none');
  const unknown = names.filter((name) => !providers.has(name));
  if (unknown.length > 0) {
    const told = unknown.flatMap((name) => howToHave[name] ?? []).map((how) => `; ${how}`);
    const configured = [...providers.keys()].join(', ');
    refuse(`names ${unknown.join(', ')}; the configured providers are ${configured}${told.join('')}`);
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse(`names ${twice} twice`);
  const weightless = entries.find(([, weight]) => !(weight > 0 && Number.isFinite(weight)));
  if (weightless !== undefined) refuse(`gives ${weightless[0]} a weight that is not above 0`);
  return new Map(entries);
}

/** A configuration in JavaScript may say anything: undefined where it is none of the two. */
function entriesOf(routing: Routing): [string, number][] | undefined {
  if (routing.strategy === 'ordered' && Array.isArray(routing.order))
    return routing.order.map((name) => [name, 1]);
  if (routing.strategy === 'weighted' && typeof routing.weights === 'object')
    return Object.entries(routing.weights ?? {});
  return undefined;
}

/** All of them, each drawn by its weight from those that are left. */
function drawAll(
  names: readonly string[],
  weights: ReadonlyMap<string, number>,
  random: () => number,
): string[] {
  const left = [...names];
  const drawn: string[] = [];
  const weightOf = (name: string): number => weights.get(name) ?? 0;
  while (left.length > 0) {
    let place = random() * left.reduce((sum, name) => sum + weightOf(name), 0);
    const index = left.findIndex((name) => {
      place -= weightOf(name);
      return place < 0;
    });
    // What was rounded past the end of all is the last one's.
    drawn.push(...left.splice(index < 0 ? left.length - 1 : index, 1));
  }
  return drawn;
}
