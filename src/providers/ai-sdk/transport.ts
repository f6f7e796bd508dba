import { isIP } from 'node:net';
import { Agent, type Dispatcher, fetch as undiciFetch } from 'undici';
import { guardedLookup, type Lookup, lookUp, NoAllowedAddressError } from '../../webhooks/guarded-lookup.ts';
import { isPublicAddress } from '../../webhooks/public-address.ts';
import { isPaidBody } from './evidence.ts';
import { AbortedError, type Call, type Exchange } from './exchange.ts';
import { withinLimit } from './inflated.ts';
import { watch } from './watch.ts';

export interface TransportOptions {
  /** Sockets to one host at most. @default as many as there are calls */
  readonly connections?: number | undefined;
  /** The largest answer that is held in memory, in bytes. */
  readonly maxBodyBytes: number;
  /** How the hosts of pictures are resolved. @default as the system does */
  readonly lookup?: Lookup | undefined;
}

/** A `fetch` for paid calls, which sees what becomes of each. */
export interface Transport {
  /**
   * To be given to the vendor's package. Unlike Node's own it has no limit of 300 s (the generation's deadline rules), it
   * speaks no HTTP/2 (where a request is sent again after GOAWAY), follows no redirect of a POST, sends nothing twice, and
   * reaches no private address that comes from an answer.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Runs the model, until it is done or the exchange is aborted. What it calls by `fetch` meanwhile is put down in
   * `exchange.calls`: as its own where the call carries `exchange.signal`, as perhaps its own where it carries none that is
   * known. In whose asynchronous context a call is made says nothing: the job of one generation may start the next one's.
   */
  run<Result>(exchange: Exchange, work: () => PromiseLike<Result>): Promise<Result>;
  /** Ends what is open, and lets nothing more out. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** As the other providers keep theirs: a paid POST on a socket that the peer is closing is money. */
const KEEP_ALIVE_MS = 3_000;
const SECRET_HEADERS = /authorization|key|token|secret/i;
const SCHEME = /^(?:bearer|basic|key|token|apikey)\s+/i;

export function createTransport({ connections, maxBodyBytes, lookup = lookUp }: TransportOptions): Transport {
  const open = new Set<Exchange>();
  const exchanges = new WeakMap<AbortSignal, Exchange>();
  /** Where paid calls go: the operator's own choice, wherever that is. */
  const chosenOrigins = new Set<string>();
  /** Whether a call was answered of which it can't be told whose it was. */
  let isStrayAnswered = false;

  const createAgent = (connect: object) =>
    new Agent({
      ...(connections === undefined ? {} : { connections }),
      allowH2: false,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      keepAliveTimeoutThreshold: 2_000,
      connect: { timeout: CONNECT_TIMEOUT_MS, ...connect },
    });
  const chosen = createAgent({});
  const guarded = createAgent({ lookup: guardedLookup(lookup, isPublicAddress) });

  /** The host that an answer named may be any, inside of our network too. */
  const agentOf = (origin: string): Agent => {
    if (chosenOrigins.has(origin)) return chosen;
    const host = new URL(origin).hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isPublicAddress(host)) throw new NoAllowedAddressError('No public address.');
    return guarded;
  };

  /** Before anything was answered, nobody but the operator can have named the host. */
  const isNamedByAnswer = (own: Exchange | undefined): boolean =>
    own === undefined
      ? isStrayAnswered || [...open].some(({ calls }) => calls.some(isAnswered))
      : own.calls.some(isAnswered);

  const trackedFetch: typeof globalThis.fetch = async (input, init) => {
    const own = init?.signal ? exchanges.get(init.signal) : undefined;
    const call: Call = {
      isOwn: own !== undefined,
      sent: false,
      status: undefined,
      code: undefined,
      error: undefined,
    };
    const candidates = own === undefined ? [...open] : [own];
    for (const exchange of candidates) exchange.calls.push(call);
    try {
      return await send(new Request(input, init), { call, own, candidates });
    } catch (error) {
      call.error = error;
      throw error;
    } finally {
      if (own === undefined && isAnswered(call)) isStrayAnswered = true;
    }
  };

  const send = async (
    request: Request,
    { call, own, candidates }: { call: Call; own: Exchange | undefined; candidates: readonly Exchange[] },
  ): Promise<Response> => {
    const { method, url } = request;
    const isPaid = !['GET', 'HEAD'].includes(method);
    for (const secret of secretsOf(request.headers)) {
      for (const { secrets } of candidates) secrets.add(secret);
    }
    if (isPaid && !isNamedByAnswer(own)) chosenOrigins.add(new URL(url).origin);
    const body = isPaid && request.body !== null ? Buffer.from(await request.arrayBuffer()) : null;
    const followed = own ?? (body === null ? undefined : soleHolderOf(candidates, body.toString()));
    if (body !== null) refuseRepetition(candidates, url, body.toString());
    const headers = new Headers(request.headers);
    headers.set('accept-encoding', 'identity');
    const signal = AbortSignal.any([request.signal, ...(followed === undefined ? [] : [followed.signal])]);
    const dispatcher = chosen.compose(
      () =>
        watch({
          call,
          method,
          exchange: own,
          signal,
          maxBodyBytes,
          repeats: !isPaid,
          dispatch: (options, handler) => agentOf(String(options.origin)).dispatch(options, handler),
        }) as Dispatcher.Dispatch,
    );
    const response = await undiciFetch(url, {
      method,
      headers: [...headers],
      body,
      redirect: isPaid ? 'manual' : request.redirect,
      signal,
      dispatcher,
    });
    // Two libraries declare one and the same Response.
    return withinLimit(response as unknown as Response, maxBodyBytes, (error) => own?.abort(error));
  };

  return {
    fetch: trackedFetch,
    async run(exchange, work) {
      exchanges.set(exchange.signal, exchange);
      open.add(exchange);
      try {
        // A vendor's package may sleep between two polls, and not hear of the abort.
        return await Promise.race([work(), exchange.aborted]);
      } finally {
        open.delete(exchange);
      }
    },
    async close() {
      const error = new AbortedError('The provider was closed.');
      for (const exchange of open) exchange.abort(error);
      await Promise.all([chosen.destroy(error), guarded.destroy(error)]);
    },
  };
}

const isAnswered = ({ status }: Call): boolean => status !== undefined;

/** Whom to end the call with, where it carries no signal of ours: the one generation with this prompt. */
const soleHolderOf = (candidates: readonly Exchange[], body: string): Exchange | undefined => {
  const [holder, ...others] = candidates.filter(({ prompt }) => isPaidBody(body, prompt));
  return others.length === 0 ? holder : undefined;
};

/**
 * A package that tries again by itself would pay twice: there are as many calls as there are generations with this prompt.
 * Polls, which may be POSTs too, carry no prompt.
 */
function refuseRepetition(candidates: readonly Exchange[], url: string, body: string): void {
  const holders = candidates.filter(({ prompt }) => isPaidBody(body, prompt));
  if (holders.length === 0) return;
  const paid = `${url} ${body}`;
  const fresh = holders.find(({ bodies }) => !bodies.has(paid));
  if (fresh === undefined) throw new Error('Not sent again: a call goes out once.');
  fresh.bodies.add(paid);
}

const secretsOf = (headers: Headers): string[] =>
  [...headers]
    .filter(([name]) => SECRET_HEADERS.test(name))
    .map(([, value]) => value.replace(SCHEME, ''))
    // Shorter ones would match ordinary words.
    .filter((value) => value.length >= 8);
