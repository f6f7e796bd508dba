import { loopbackEndpoint } from '../../src/ledger/embedded/endpoint.ts';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { hasNginx, type Nginx, startNginx } from './nginx.ts';
import { type PostgresServer, startPostgresServer } from './postgres-server.ts';
import { type GatewayProcess, startGatewayProcess } from './process.ts';
import { type S3Server, startS3Server } from './s3-server.ts';
import { type SilentLink, startSilentLink } from './silent-link.ts';
import { createUniquePictures, type UniquePictures } from './unique-pictures.ts';

/** One gateway process of several, and its own way to the database that they share. */
export interface Replica extends GatewayProcess {
  readonly link: SilentLink;
}

/** Several gateways on one PostgreSQL, one store and one upstream, behind one address. */
export interface Replicas {
  readonly members: readonly Replica[];
  readonly postgres: PostgresServer;
  readonly store: S3Server;
  readonly sandbox: Sandbox;
  readonly pictures: UniquePictures;
  /** Undefined where it is not installed: then clients ask one replica after the other. */
  readonly nginx: Nginx | undefined;
  /** Where a client asks next, without a slash at the end. */
  url(): string;
  /** Makes an API key for a client of this name, on whichever replica. */
  addClient(name: string): Promise<{ readonly name: string; readonly apiKey: string }>;
  /** What an image's URL leads to, by way of the address that they share. */
  download(imageUrl: string): Promise<Response>;
  /** One more of them, started now. */
  add(): Promise<Replica>;
  close(): Promise<void>;
}

export interface ReplicasOptions {
  /** How many are started at once. @default 3 */
  readonly count?: number;
  /** How many there may ever be; the balancer knows all of them from the start. @default `count` */
  readonly places?: number;
  /** Environment variables of every replica, on top of the test's defaults. */
  readonly environment?: Readonly<Record<string, string>>;
}

const UPSTREAM_KEY = 'sk-upstream-of-the-replicas';

/** In the words of a `describe`: what stands in front of the replicas. */
export const FRONT = hasNginx ? 'behind nginx' : 'asked in turn, as nginx is not installed';

/** After this silence, in milliseconds, another replica takes the generations of one: heartbeat, sweep and a margin. */
export const TAKEN_OVER_WITHIN_MS = 25_000;

/** Starts them, in and outside of Vitest. Everything is on loopback, and gone after `close`. */
export async function startReplicas(options: ReplicasOptions = {}): Promise<Replicas> {
  const { count = 3, places = count, environment = {} } = options;
  const opened = new AsyncDisposableStack();
  // Whatever is open when a later step fails is closed again.
  await using failing = new AsyncDisposableStack();
  failing.use(opened);
  const postgres = await startPostgresServer();
  opened.defer(postgres.close);
  const pictures = createUniquePictures();
  const sandbox = await startSandbox({ apiKey: UPSTREAM_KEY, pictures: pictures.paint });
  opened.defer(sandbox.close);
  const store = await startS3Server();
  opened.defer(store.close);

  const [frontPort = 0, ...replicaPorts] = await freePorts(1 + places);
  const members: Replica[] = [];
  let placesTaken = 0;

  async function add(): Promise<Replica> {
    const port = replicaPorts[placesTaken++];
    if (port === undefined) throw new Error(`There are places for ${places} replicas.`);
    const link = await startSilentLink(postgres.target);
    opened.defer(link.close);
    const { user, password, database } = postgres.connection;
    const gateway = await startGatewayProcess({
      upstreamUrl: sandbox.baseUrl,
      upstreamKey: UPSTREAM_KEY,
      environment: {
        // The same in all its lives, because the balancer looks for it there.
        PORT: String(port),
        DATABASE_URL: `postgres://${user}:${password}@127.0.0.1:${link.port}/${database}`,
        GESSO_STORAGE_URL: store.storageUrl,
        AWS_ACCESS_KEY_ID: store.accessKeyId,
        AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
        GESSO_HEARTBEAT_SECONDS: '10',
        GESSO_DRAIN_MS: '5000',
        ...environment,
      },
    });
    opened.defer(gateway.close);
    const replica = Object.assign(gateway, { link });
    members.push(replica);
    return replica;
  }
  // All of them, before one that failed is told of: what has started is then closed.
  const started = await Promise.allSettled(Array.from({ length: count }, add));
  for (const start of started) if (start.status === 'rejected') throw start.reason;

  const nginx = hasNginx ? await startNginx({ port: frontPort, replicaPorts }) : undefined;
  if (nginx !== undefined) opened.defer(nginx.close);
  let turn = 0;
  const url = (): string => {
    if (nginx !== undefined) return nginx.url;
    const member = members[turn++ % members.length];
    if (member === undefined) throw new Error('There is no replica.');
    return member.url;
  };

  failing.move();
  return {
    members,
    postgres,
    store,
    sandbox,
    pictures,
    nginx,
    url,
    add,
    async addClient(name) {
      const [admin] = members;
      if (admin === undefined) throw new Error('There is no replica.');
      const data = await admin.query<{ createApiKey: { secret: string } }>(
        `mutation ($input: CreateApiKeyInput!) {
          createApiKey(input: $input) { ... on CreateApiKeySuccess { secret } }
        }`,
        { input: { clientName: name, scopes: ['images:generate'] } },
      );
      return { name, apiKey: data.createApiKey.secret };
    },
    download(imageUrl) {
      // Without GESSO_PUBLIC_URL, it begins with the address of the replica that made it, which may be dead.
      const { pathname, search } = new URL(imageUrl);
      return fetch(`${url()}${pathname}${search}`);
    },
    close: () => opened.disposeAsync(),
  };
}

/** Different ones that no outgoing connection is given, so that they are still free when a replica comes back. */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add((await loopbackEndpoint()).port);
  return [...ports];
}
