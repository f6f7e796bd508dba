import { connect } from 'node:net';

/** What came over one connection, and how it ended. */
export interface RawAnswer {
  /** Undefined where no status line came. */
  readonly status: number | undefined;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Everything behind the headers, chunk sizes included. */
  readonly body: Buffer;
  /** All bytes. */
  readonly bytes: Buffer;
  /** `end` by FIN, `reset` by RST, `open` where the client gave up waiting. */
  readonly ended: 'end' | 'reset' | 'open';
}

export interface RawRequest {
  readonly baseUrl: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Leaves after this much silence, in milliseconds. @default 5000 */
  readonly silenceMs?: number;
}

/** POSTs over a plain socket and tells exactly what came back: no HTTP library mends anything. */
export function postRaw({ baseUrl, body, headers = {}, silenceMs = 5000 }: RawRequest): Promise<RawAnswer> {
  const { hostname, port, pathname } = new URL(`${baseUrl}/images/generations`);
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const chunks: Buffer[] = [];
  const socket = connect(Number(port), hostname);
  const done = (ended: RawAnswer['ended']): void => {
    socket.destroy();
    resolve({ ...parse(Buffer.concat(chunks)), ended });
  };
  const lines = Object.entries({
    host: `${hostname}:${port}`,
    authorization: 'Bearer sk-test',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  socket.setTimeout(silenceMs, () => done('open'));
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('end', () => done('end'));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') done('reset');
    else reject(error);
  });
  return promise;
}

function parse(bytes: Buffer): Omit<RawAnswer, 'ended'> {
  const split = bytes.indexOf('\r\n\r\n');
  const match = /^HTTP\/1\.1 (\d{3})/.exec(bytes.toString('latin1', 0, 12));
  if (match === null || split < 0) return { status: undefined, headers: {}, body: Buffer.alloc(0), bytes };
  const headers: Record<string, string> = {};
  for (const line of bytes.toString('latin1', 0, split).split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(match[1]), headers, body: bytes.subarray(split + 4), bytes };
}
