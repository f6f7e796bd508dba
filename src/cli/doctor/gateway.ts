import { createServer } from 'node:net';
import type { Config } from '../../config.ts';
import type { ClientSettings } from '../client-settings.ts';
import { keyAdvice } from '../gateway-failure.ts';
import { type Check, type Finding, good, look, messageOf, wrong } from './check.ts';

/** In milliseconds. */
const PATIENCE_MS = 5_000;

/** Whether a gateway answers where commands would ask one, whether it is ready, and whether the key works. */
export const gateway: Check = {
  name: 'Gateway',
  look: async ({ config, client, program }) =>
    (await answering(client, program)) ?? notRunning(client, config, program),
};

/** Without a configuration that can be used, what can still be told. */
export async function gatewayAlone(client: ClientSettings, program: string): Promise<Finding> {
  return (await answering(client, program)) ?? look(`nothing answers at ${client.url}`);
}

/** Undefined where nothing answers. */
async function answering(client: ClientSettings, program: string): Promise<Finding | undefined> {
  const { url } = client;
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { ...init, redirect: 'manual', signal: AbortSignal.timeout(PATIENCE_MS) });
  let health: Response;
  try {
    health = await ask('/healthz');
  } catch (error) {
    const { code } = (error as { cause?: { code?: string } }).cause ?? {};
    if (code === 'ECONNREFUSED') return undefined;
    return wrong(`${url} can't be reached: ${messageOf(error)}`, 'See --url and GESSO_URL.');
  }
  const isGesso = (await health.json().catch(() => undefined))?.status === 'ok';
  if (!isGesso)
    return wrong(`what answers at ${url} is no Gesso`, 'Set --url or GESSO_URL, or PORT of the gateway.');
  if ((await ask('/readyz')).status !== 200) {
    return wrong(
      `runs at ${url}, and is not ready`,
      'Its log says why: its database or its image store is away.',
    );
  }
  return keyFinding(client, program, (body) =>
    ask('/graphql', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${client.apiKey}`,
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
      },
      body,
    }),
  );
}

async function keyFinding(
  { url, apiKey, keyFrom, isDevelopmentKey }: ClientSettings,
  program: string,
  post: (body: string) => Promise<Response>,
): Promise<Finding> {
  if (apiKey === undefined) {
    return look(`ready at ${url}; there is no API key to try`, 'Set GESSO_API_KEY or --api-key-file.');
  }
  const response = await post(JSON.stringify({ query: '{ viewer { client { name } scopes } }' }));
  if (response.status === 401) {
    return wrong(
      `ready at ${url}; refuses the key of ${keyFrom}`,
      isDevelopmentKey
        ? keyAdvice({ program, isDevelopmentKey })
        : `Make another: ${program} keys create <name>`,
    );
  }
  const { data, errors } = (await response.json()) as {
    data?: { viewer: { client: { name: string }; scopes: string[] } | null } | null;
    errors?: readonly { readonly extensions?: { readonly code?: string } }[];
  };
  if (errors?.[0]?.extensions?.code === 'PERSISTED_QUERY_NOT_IN_LIST') {
    return look(
      `ready at ${url}; takes only listed documents, so that the key was not tried`,
      'GESSO_DOCUMENTS_ONLY says so. Commands that ask a gateway, such as generate, need another one.',
    );
  }
  const viewer = data?.viewer;
  if (viewer === undefined || viewer === null)
    return wrong(`ready at ${url}; answers ${response.status} to GraphQL`);
  return good(
    `ready at ${url}; the key of ${keyFrom} is ${viewer.client.name}'s (${viewer.scopes.join(', ')})`,
  );
}

/** No fault: this may be asked before the first start. Whether that could listen is asked instead. */
async function notRunning(
  { url }: ClientSettings,
  { port, host }: Config,
  program: string,
): Promise<Finding> {
  const silent = `nothing answers at ${url}`;
  const wouldBeThere = new URL(url).port === String(port);
  const failure = wouldBeThere ? await tryToListen(port, host) : undefined;
  if (failure === undefined) return look(silent, `Start it: ${program} start. Or name another: --url.`);
  return wrong(
    `${silent}, and a start could not listen on port ${port} of ${host} (${failure.code})`,
    'Set PORT or HOST.',
  );
}

const tryToListen = (port: number, host: string): Promise<NodeJS.ErrnoException | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
