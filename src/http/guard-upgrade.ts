import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { Hooks } from './hooks.ts';

type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface UpgradeLimits {
  /** Wishes that wait for a hook, or to be told its refusal; more are told to come later. @default 500 */
  readonly maxWaiting?: number;
  /** How long one may wait, in milliseconds; then it is cut off. @default 10 s */
  readonly waitMs?: number;
}

/** Says of one connection, and not of the answer. */
const HOP_BY_HOP = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding', 'upgrade']);
/** A name or an address, perhaps with a port: nothing that would end the host of a URL, or come before it. */
const HOST = /^[^\s/\\?#@]+$/;

/** Lets the hooks of plug-ins see a wish for a WebSocket, as they see any request; what they answer refuses it. */
export function guardUpgrade(
  upgrade: Upgrade,
  hooks: Hooks,
  log: Pick<Logger, 'error'>,
  { maxWaiting = 500, waitMs = 10_000 }: UpgradeLimits = {},
): Upgrade {
  if (hooks.around === undefined) return upgrade;
  let waiting = 0;

  async function refusalOf(incoming: IncomingMessage): Promise<Response | undefined> {
    const url = urlOf(incoming);
    if (url === undefined) return new Response(null, { status: 400 });
    const headers = new Headers();
    for (const [name, values] of Object.entries(incoming.headersDistinct)) {
      for (const value of values ?? []) headers.append(name, value);
    }
    const { remoteAddress } = incoming.socket;
    return hooks.onRequest(new Request(url, { headers }), { requestId: randomUUID(), remoteAddress });
  }

  async function refuse(socket: Duplex, refusal: Response): Promise<void> {
    socket.end(await written(refusal), () => socket.destroy());
  }

  return (incoming, socket, head) => {
    // Nobody listens to it meanwhile; unheard, a client that breaks off would end the process.
    socket.on('error', () => undefined);
    const timer = setTimeout(() => socket.destroy(), waitMs);
    const over = (): void => {
      clearTimeout(timer);
      socket.off('close', over);
      waiting -= 1;
    };
    socket.on('close', over);
    waiting += 1;
    // It counts too, but it is answered at once.
    const refusal = waiting > maxWaiting ? undefined : refusalOf(incoming);
    if (refusal === undefined) return void refuse(socket, new Response(null, { status: 503 }));
    refusal
      .then(async (refusal) => {
        if (refusal !== undefined) return refuse(socket, refusal);
        if (socket.destroyed) return;
        over();
        upgrade(incoming, socket, head);
      })
      .catch(async (error: unknown) => {
        log.error({ err: error }, 'a hook failed unexpectedly');
        await refuse(socket, new Response(null, { status: 500 }));
      });
  };
}

/**
 * What the hooks are told: undefined unless its path is the very one of the request, by which the WebSockets go. Otherwise a
 * hook could be made to judge another one.
 */
function urlOf({ headers: { host = 'localhost' }, url: target = '' }: IncomingMessage): URL | undefined {
  const text = `http://${host}${target}`;
  if (!HOST.test(host) || target.includes('#') || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.pathname === target.split('?')[0] ? url : undefined;
}

/** The answer, as it goes over the wire. */
async function written(response: Response): Promise<Buffer> {
  const body = Buffer.from(await response.arrayBuffer());
  const { status } = response;
  const headers = [...response.headers].filter(([name]) => !HOP_BY_HOP.has(name));
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    'connection: close',
    `content-length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}
