import { ConfigError } from '../errors.ts';
import type { Principal, Scope } from '../generation.ts';

/** What a plug-in does around the HTTP requests of the gateway, and what it serves itself. */
export interface HttpHooks {
  /**
   * Sees a request before anything else does. What it answers is the answer; with undefined the request goes on. The
   * request has no body: that is for whoever answers it.
   */
  onRequest?(request: Request, call: HookCall): Awaitable<Response | undefined>;
  /**
   * Sees every answer on its way out, also one of `onRequest`; only what is said to a browser's preflight, or refuses a
   * WebSocket, it does not see. It may set headers, or return another answer. The body may be a stream without an end: it
   * must not be read, only handed on, as it is or by `pipeThrough`. One that is not handed on when this resolves is ended.
   */
  onResponse?(response: Response, call: AnsweredCall): Awaitable<Response | undefined>;
  /** Endpoints of the plug-in's own. */
  readonly routes?: readonly HttpRoute[];
}

type Awaitable<T> = T | Promise<T>;

export interface HookCall {
  /** Also the `X-Request-Id` response header. */
  readonly requestId: string;
  /** Of the connection: behind a proxy, the proxy's. Undefined where the gateway was called without one. */
  readonly remoteAddress: string | undefined;
}

export interface AnsweredCall extends HookCall {
  /** Without its body. */
  readonly request: Request;
  /** Who called; undefined without a key, and where the answer needed none. */
  readonly principal: Principal | undefined;
}

export interface HttpRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Exactly this one, beginning with a slash. */
  readonly path: string;
  /** Whether callers need no API key. @default false */
  readonly public?: boolean;
  /** What the caller's API key must have. */
  readonly scope?: Scope;
  /** Answers. A body of at most 1 MiB can be read from the request. */
  handler(
    request: Request,
    call: HookCall & { readonly principal: Principal | undefined },
  ): Awaitable<Response>;
}

/** A plug-in, as far as HTTP is concerned. */
export interface HookingPlugin {
  readonly name: string;
  readonly httpHooks?: HttpHooks;
}

export interface PluginRoute {
  /** The name of the plug-in. */
  readonly plugin: string;
  readonly route: HttpRoute;
}

/** The hooks of all plug-ins. */
export interface Hooks {
  /** Undefined where no plug-in has hooks, and a request goes its way as ever. */
  readonly around: ((call: HookedCall, answer: () => Promise<Response>) => Promise<Response>) | undefined;
  /** What the first plug-in answers that does, before anything else; undefined where none does. */
  onRequest(request: Request, call: HookCall): Promise<Response | undefined>;
  readonly routes: readonly PluginRoute[];
}

export interface HookedCall extends HookCall {
  readonly request: Request;
  /** Known when the answer is made. */
  readonly principal: () => Principal | undefined;
}

/** What the gateway answers itself. */
const RESERVED = /^\/($|(graphql|images|healthz|readyz)($|\/))/;

/**
 * Puts the hooks of plug-ins around each other: the first plug-in is outermost, sees a request first and its answer last.
 * @throws {ConfigError} for a route that is the gateway's own, or another plug-in's.
 */
export function createHooks(plugins: readonly HookingPlugin[]): Hooks {
  const routes = plugins.flatMap(({ name, httpHooks: { routes = [] } = {} }) =>
    routes.map((route): PluginRoute => ({ plugin: name, route })),
  );
  const taken = new Map<string, string>();
  for (const { plugin, route } of routes) {
    const place = `${route.method} ${route.path}`;
    const owner = RESERVED.test(route.path) ? 'the gateway' : taken.get(place);
    if (owner !== undefined) {
      throw new ConfigError(`The plug-in "${plugin}" can't answer ${place}: ${owner} does.`);
    }
    taken.set(place, `the plug-in "${plugin}"`);
  }
  const hooking = plugins.filter(({ httpHooks: { onRequest, onResponse } = {} }) => onRequest ?? onResponse);

  async function onRequest(request: Request, call: HookCall): Promise<Response | undefined> {
    for (const plugin of hooking) {
      const answer = await early(plugin, request, call);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }
  const around: Hooks['around'] = (call, answer) =>
    hooking.reduceRight<() => Promise<Response>>(
      (next, plugin) => async () => {
        const { request, requestId, remoteAddress } = call;
        const response = (await early(plugin, request, { requestId, remoteAddress })) ?? (await next());
        return late(plugin, response, call);
      },
      answer,
    )();
  return { around: hooking.length === 0 ? undefined : around, onRequest, routes };
}

async function early(
  { name, httpHooks }: HookingPlugin,
  request: Request,
  call: HookCall,
): Promise<Response | undefined> {
  if (httpHooks?.onRequest === undefined) return undefined;
  return attempt(`onRequest of the plug-in "${name}"`, () => httpHooks.onRequest?.(request, call));
}

async function late(
  { name, httpHooks }: HookingPlugin,
  response: Response,
  call: HookedCall,
): Promise<Response> {
  if (httpHooks?.onResponse === undefined) return response;
  const { request, requestId, remoteAddress } = call;
  const answered = { request, requestId, remoteAddress, principal: call.principal() };
  // Some answers have headers that can't be set.
  const own = changeable(response);
  let answer: Response | undefined;
  try {
    const given = await attempt(`onResponse of the plug-in "${name}"`, () =>
      httpHooks.onResponse?.(own, answered),
    );
    answer = given ?? own;
    return answer;
  } finally {
    if (answer?.body !== own.body) drop(own);
  }
}

/** Ends a body that nobody will read: a file, or events that are counted against a limit. */
function drop({ body }: Response): void {
  // What is locked is read by whoever took it.
  if (body === null || body.locked) return;
  // What it says of its end is of no interest.
  body.cancel().catch(() => undefined);
}

/** Calls code of a plug-in that may answer. @throws {Error} that names it, for the log; clients see none of it. */
export async function attempt(
  what: string,
  work: () => Awaitable<Response | undefined>,
): Promise<Response | undefined> {
  let answer: unknown;
  try {
    answer = await work();
  } catch (cause) {
    throw new Error(`${what} failed.`, { cause });
  }
  if (answer === undefined) return undefined;
  if (!(answer instanceof Response)) throw new TypeError(`${what} returned something that is no Response.`);
  return changeable(answer);
}

/** One that came from elsewhere, or redirects, has headers that can't be set, and ours are to be added. */
const changeable = (response: Response): Response => new Response(response.body, response);
