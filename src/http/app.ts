import { randomUUID } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from 'pino';
import { GatewayUnavailableError, UnauthenticatedError } from '../errors.ts';
import type { Principal } from '../generation.ts';
import type { Context as SchemaContext } from '../schema/context.ts';
import type { Authenticator } from './authenticate.ts';
import type { Graphql } from './graphql.ts';
import { cuttable, isEventStream, type Live } from './live.ts';

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
  readonly log: Logger;
}

const MAX_BODY_BYTES = 1024 * 1024;
/** What a request id of a caller may be; any other is replaced, so that none forges a log line. */
const REQUEST_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/;

/** What the server hands on of the connection; nothing where the gateway is called without one. */
type Bindings = Partial<HttpBindings>;
const destroyOf = ({ outgoing }: Bindings) =>
  outgoing === undefined ? undefined : () => void outgoing.destroy();

type Variables = { requestId: string; principal: Principal | undefined };

/** Every route of the one listener. */
export function createApp(options: AppOptions): Hono<{ Bindings: Bindings; Variables: Variables }> {
  const { graphql, authenticator, images, createContext, live, ready, log } = options;
  const app = new Hono<{ Bindings: Bindings; Variables: Variables }>();

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
  // The limit makes a new Request of a chunked one, which only a native one can be made of.
  app.post('/graphql', async function nativeRequest(c, next) {
    const { url, method, headers, body, signal } = c.req.raw;
    if (headers.has('transfer-encoding')) {
      c.req.raw = new Request(url, { method, headers, body, signal, duplex: 'half' } as RequestInit);
    }
    return next();
  });
  app.post(
    '/graphql',
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
    let principal: Principal | undefined;
    try {
      principal = await authenticator.authenticate(c.req.header('authorization') ?? null);
    } catch (error) {
      if (error instanceof GatewayUnavailableError)
        return c.json(graphqlError(error.message, error.code), 503);
      if (!(error instanceof UnauthenticatedError)) throw error;
      c.header('WWW-Authenticate', 'Bearer');
      return c.json(graphqlError(error.message, error.code), 401);
    }
    c.set('principal', principal);
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

  return app;
}

/** The signature of an image's URL is a capability: whoever reads the log must not get it. */
const withoutSignature = (path: string): string => path.replace(/\/images\/[^/]+/, '/images/[signed]');

const graphqlError = (message: string, code: string) => ({ errors: [{ message, extensions: { code } }] });
