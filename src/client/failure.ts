import { ClientError } from 'graphql-request';
import {
  ForbiddenError,
  GatewayUnavailableError,
  GessoError,
  NetworkError,
  RefusedRequestError,
  UnauthenticatedError,
} from './errors.ts';

/** Answers of a gateway or of a proxy that pass. */
const PASSING_STATUSES = new Set([408, 429, 502, 503, 504]);
const PASSING_CODES = new Set(['SERVICE_UNAVAILABLE', 'GATEWAY_UNAVAILABLE', 'TOO_MANY_SUBSCRIPTIONS']);

/** Codes of Node for a connection that never was: not a byte of the request has left. */
const NOT_SENT_CODES = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** What an answer says that is no result. */
export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  readonly errors: readonly { message: string; extensions?: Record<string, unknown> | undefined }[];
}

/** The error for what was thrown while an operation was sent and its answer was read. */
export function failureOf(thrown: unknown, now: number): GessoError {
  if (thrown instanceof GessoError) return thrown;
  if (thrown instanceof ClientError) {
    const { status, headers, errors } = thrown.response;
    // graphql-request types its headers as unknown.
    return refusalOf({ status, headers: headers as Headers, errors: errors ?? [] }, now);
  }
  const code = codeOf(thrown);
  const detail = code === undefined ? '' : ` (${code})`;
  return new NetworkError(`The gateway could not be reached, or its answer was cut${detail}.`, {
    notSent: code !== undefined && NOT_SENT_CODES.has(code),
    cause: thrown,
  });
}

export function refusalOf({ status, headers, errors }: Refusal, now: number): GessoError {
  const [first] = errors;
  const code = typeof first?.extensions?.code === 'string' ? first.extensions.code : undefined;
  const message = first?.message ?? `The address answered ${status}, without GraphQL.`;
  if (code === 'UNAUTHENTICATED' || status === 401) return new UnauthenticatedError(message);
  if (code === 'FORBIDDEN' || status === 403) return new ForbiddenError(message);
  const passes = status >= 500 || PASSING_STATUSES.has(status) || PASSING_CODES.has(code ?? '');
  if (passes || code === 'INTERNAL_SERVER_ERROR') {
    const retryAfterSeconds = retryAfterSecondsOf(headers, now);
    // An answer with data and errors has the status 200, and one of these codes.
    const httpStatus = status >= 400 ? status : code === 'INTERNAL_SERVER_ERROR' ? 500 : 503;
    return new GatewayUnavailableError(message, { httpStatus, retryAfterSeconds });
  }
  return new RefusedRequestError(message, { code: code ?? 'NOT_GRAPHQL', httpStatus: status });
}

/** `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). */
export function retryAfterSecondsOf(headers: Headers, now: number): number | undefined {
  const text = headers.get('retry-after')?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : Math.max(0, Math.ceil((instant - now) / 1000));
}

/** Node's `fetch` hides the system's code in the cause, and there in the errors of all addresses that were tried. */
function codeOf(thrown: unknown, depth = 0): string | undefined {
  if (!(thrown instanceof Error) || depth > 3) return undefined;
  if ('code' in thrown && typeof thrown.code === 'string') return thrown.code;
  const inner = thrown instanceof AggregateError ? thrown.errors[0] : undefined;
  return codeOf(inner ?? thrown.cause, depth + 1);
}
