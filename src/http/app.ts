import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from 'pino';
import { GatewayUnavailableError, UnauthenticatedError } from '../errors.ts';
import type { Principal } from '../generation.ts';
import type { Context as SchemaContext } from '../schema/context.ts';
import { isAcceptable } from './acceptable.ts';
import { type AppContext, type AppEnv, callOf } from './app-context.ts';
import type { Authenticator } from './authenticate.ts';
import { foreignPages } from './foreign-pages.ts';
import type { Graphql } from './graphql.ts';
import type { Hooks } from './hooks.ts';
import { cuttable, isEventStream, type Live } from './live.ts';
import { addPluginRoutes } from './plugin-routes.ts';

export interface AppOptions {
  readonly graphql: Graphql;
  readonly authenticator: Authenticator;
  readonly images: (request: Request) => Promise<Response>;
  readonly createContext: (call: {
    principal: Principal | undefined;
    requestId: string;
    signal: AbortSignal;
  }) => SchemaContext;
  readonly live: Live;
  /** Resolves when the gateway can take work. */
  readonly ready: () => Promise<void>;
  /** What plug-ins do around requests, and serve. */
  readonly hooks: Hooks;
  /** Of web pages that may call; `*` for any. Undefined where no foreign one may. */
  readonly corsOrigins: readonly string[] | undefined;
  readonly log: Logger;
}

/** The methods that come with a body. */
const BODIED = ['POST', 'PUT', 'PATCH', 'DELETE'];
const MAX_BODY_BYTES = 1024 * 1024;
/** What a request id of a caller may be; any other is replaced, so that none forges a log line. */
const REQUEST_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/;

const destroyOf = ({ outgoing }: AppEnv['Bindings']) =>
  outgoing === undefined ? undefined : () => void outgoing.destroy();

/** Asked by machines that must hear of the gateway alone: no plug-in gets in between. */
const PROBES = new Set(['/healthz', '/readyz']);
/** Of which no `Request` can be made. */
const FORBIDDEN_METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);

/** Every route of the one listener. */
export function createApp(options: AppOptions): Hono<AppEnv> {
  const { graphql, authenticator, images, createContext, live, ready, corsOrigins, log } = options;
  const { around, routes } = options.hooks;
  const app = new Hono<AppEnv>();

  app.use(async function traceAndLog(c, next) {
    const startedAt = performance.now();
    const given = c.req.header('x-request-id');
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    await next();
    c.res.headers.set('X-Request-Id', requestId);
    log[c.res.status >= 500 ? 'error' : 'info'](
      {
        requestId,
        method: c.req.method,
        path: withoutSignature(c.req.path),
        status: c.res.status,
        durationMs: Math.round(performance.now() - startedAt),
        client: c.get('principal')?.clientName,
      },
      'request',
    );
  });

  if (corsOrigins !== undefined) app.use('/graphql', foreignPages(corsOrigins));

  if (around !== undefined) {
    app.use(async function hooks(c, next) {
      if (PROBES.has(c.req.path)) return next();
      const { method, url } = c.req;
      if (FORBIDDEN_METHODS.has(method)) return c.json({ error: 'There is no such method here.' }, 405);
      const { headers, signal } = c.req.raw;
      const request = new Request(url, { method, headers, signal });
      const call = { ...callOf(c), request, principal: () => c.get('principal') };
      const response = await around(call, async () => {
        await next();
        return c.res;
      });
      // Else the headers of the answer before would be set in it anew.
      c.res = undefined;
      c.res = response;
    });
  }

  /** Notes who calls; the answer where that can't be said. What is public may have an `Authorization` of its own. */
  async function authenticate(c: AppContext, isPublic = false): Promise<Response | undefined> {
    try {
      c.set('principal', await authenticator.authenticate(c.req.header('authorization') ?? null));
      return undefined;
    } catch (error) {
      if (error instanceof GatewayUnavailableError)
        return c.json(graphqlError(error.message, error.code), 503);
      if (!(error instanceof UnauthenticatedError)) throw error;
      if (isPublic) return undefined;
      c.header('WWW-Authenticate', 'Bearer');
      return c.json(graphqlError(error.message, error.code), 401);
    }
  }

  app.onError((error, c) => {
    log.error({ err: error, requestId: c.get('requestId') }, 'a request failed unexpectedly');
    return c.json({ error: 'The gateway failed unexpectedly.' }, 500);
  });
  app.notFound((c) => c.json({ error: 'There is nothing here. GraphQL is at /graphql.' }, 404));

  app.get('/', (c) => c.redirect('/graphql'));
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    try {
      await ready();
      return c.json({ status: 'ready' });
    } catch (error) {
      log.warn({ err: error }, 'not ready');
      return c.json({ status: 'unavailable' }, 503);
    }
  });
  app.all('/images/*', async (c) =>
    cuttable(await images(c.req.raw), {
      destroy: destroyOf(c.env),
      onError: (error) => log.error({ err: error }, 'an image broke off'),
    }),
  );

  // Only JSON makes a browser ask first (CORS preflight), so that no foreign page can send a paid mutation.
  app.post('/graphql', async function requireJson(c, next) {
    const mediaType = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (mediaType !== 'application/json') {
      return c.json(graphqlError('Send the operation as application/json.', 'UNSUPPORTED_MEDIA_TYPE'), 415);
    }
    const encoding = c.req.header('content-encoding');
    if (encoding !== undefined && encoding !== 'identity') {
      return c.json(graphqlError('Send the body without compression.', 'UNSUPPORTED_CONTENT_ENCODING'), 415);
    }
    return next();
  });
  // A mutation is not carried out for nobody. What changes nothing is judged with its answer at hand: GraphiQL is HTML.
  app.post('/graphql', async function requireAcceptable(c, next) {
    return isAcceptable(c.req.header('accept') ?? null) ? next() : notAcceptable(c);
  });
  const withBody = ['/graphql', ...new Set(routes.map(({ route }) => route.path))];
  // The limit makes a new Request of one whose length isn't said, which only a native one can be made of.
  app.on(BODIED, withBody, async function nativeRequest(c, next) {
    const { url, method, headers, body, signal } = c.req.raw;
    if (!headers.has('content-length') || headers.has('transfer-encoding')) {
      c.req.raw = new Request(url, { method, headers, body, signal, duplex: 'half' } as RequestInit);
    }
    return next();
  });
  app.on(
    BODIED,
    withBody,
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError(c) {
        // The rest of the body is not read, so the connection must not carry another request: it would be cut.
        c.header('Connection', 'close');
        return c.json(graphqlError('The body is larger than 1 MiB.', 'PAYLOAD_TOO_LARGE'), 413);
      },
    }),
  );
  app.on(['GET', 'POST'], '/graphql', async (c) => {
    const refusal = await authenticate(c);
    if (refusal !== undefined) return refusal;
    const principal = c.get('principal');
    const request = c.req.raw;
    // From here on, so that a key that is revoked while the answer is made ends it too.
    const revocation = principal === undefined ? undefined : authenticator.watch(principal);
    let response: Response | undefined;
    try {
      response = await graphql.handle(
        request,
        createContext({ principal, requestId: c.get('requestId'), signal: request.signal }),
      );
    } finally {
      if (response === undefined || !isEventStream(response)) revocation?.release();
    }
    if (response.status === 401) response.headers.set('WWW-Authenticate', 'Bearer');
    if (response.status === 406) return notAcceptable(c);
    // An answer holds what only its caller may see, and signed URLs.
    if (!response.headers.has('Cache-Control')) response.headers.set('Cache-Control', 'no-store');
    if (!isEventStream(response)) return response;
    // A proxy that waits for a full buffer would hold the events back.
    response.headers.set('X-Accel-Buffering', 'no');
    return cuttable(response, {
      signal: AbortSignal.any([live.signal, ...(revocation === undefined ? [] : [revocation.signal])]),
      destroy: destroyOf(c.env),
      onError: (error) => log.warn({ err: error }, 'a stream of events failed'),
      onOver: () => revocation?.release(),
    });
  });
  app.all('/graphql', (c) => {
    c.header('Allow', 'GET, POST');
    return c.json(graphqlError('GraphQL takes GET and POST.', 'METHOD_NOT_ALLOWED'), 405);
  });

  addPluginRoutes(app, routes, authenticate);
  return app;
}

/** The signature of an image's URL is a capability: whoever reads the log must not get it. */
const withoutSignature = (path: string): string => path.replace(/\/images\/[^/]+/, '/images/[signed]');

const notAcceptable = (c: AppContext): Response => {
  const message =
    'Accept application/graphql-response+json or application/json; for a subscription text/event-stream, or use a WebSocket.';
  return c.json(graphqlError(message, 'NOT_ACCEPTABLE'), 406);
};

const graphqlError = (message: string, code: string) => ({ errors: [{ message, extensions: { code } }] });
