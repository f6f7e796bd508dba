import type { IncomingHttpHeaders } from 'node:http';
import { IMAGE_SIZES, type ImageSize } from '../generation.ts';
import { Refusal } from './refusal.ts';
import type { SandboxRequest } from './request.ts';

/** The one endpoint, as BetterToken documents it. */
export const GENERATIONS_PATH = '/v1/images/generations';
/** The one model ("固定使用 gpt-image-2", says BetterToken's page). */
export const MODEL = 'gpt-image-2';
/** A request body that is larger is refused with 413. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/** @throws {Refusal} 404 for another path, 405 for another method. */
export function checkRoute(method: string, path: string): void {
  if (path !== GENERATIONS_PATH) {
    throw new Refusal(404, { message: `Invalid URL (${method} ${path})`, code: 'unknown_url' });
  }
  if (method !== 'POST') {
    const message = `Not allowed to ${method} on ${path}.`;
    throw new Refusal(405, { message, code: 'method_not_supported' }, { allow: 'POST' });
  }
}

/** The bearer key of the request, or undefined where there is none. */
export const bearerKey = (headers: IncomingHttpHeaders): string | undefined =>
  /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];

/** @throws {Refusal} 401 without a key, or with one that is not `accepted`. */
export function checkKey(key: string | undefined, accepted: boolean): void {
  if (key === undefined) {
    throw new Refusal(401, { message: 'You did not provide an API key as a bearer token.' });
  }
  if (!accepted) {
    throw new Refusal(401, { message: 'Incorrect API key provided.', code: 'invalid_api_key' });
  }
}

/**
 * Checks a body against the fields that BetterToken documents, and fills its defaults in. Further fields are let pass.
 * `json` is what `parseJson` made of the body.
 *
 * @throws {Refusal} 415 when it is not sent as JSON, 413 when it is too large, 400 with `param` for all else.
 */
export function parseGeneration(
  headers: IncomingHttpHeaders,
  { byteSize, json }: { byteSize: number; json: unknown },
): Omit<SandboxRequest, 'number' | 'requestId'> {
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new Refusal(415, { message: 'The body must be sent as application/json.' });
  }
  if (byteSize > MAX_REQUEST_BYTES) {
    throw new Refusal(413, { message: `The body is larger than ${MAX_REQUEST_BYTES} bytes.` });
  }
  const fields = fieldsOf(json);
  const { prompt, model, n = 1 } = fields;
  if (prompt === undefined) throw missing('prompt');
  if (typeof prompt !== 'string') throw invalid('prompt', 'expected a string', 'invalid_type');
  if (prompt === '') throw invalid('prompt', 'expected at least one character', 'empty_string');
  if (model === undefined) throw missing('model');
  if (model !== MODEL) throw invalid('model', `the model must be ${MODEL}`, 'model_not_found');
  if (n !== 1) throw invalid('n', 'only 1 is supported: send several requests', 'invalid_value');
  const size = oneOf<ImageSize>(fields, 'size', IMAGE_SIZES, '1024x1024');
  oneOf(fields, 'response_format', ['b64_json'], 'b64_json');
  oneOf(fields, 'output_format', ['png'], 'png');
  return { prompt, model, size };
}

/** The JSON value in the bytes, or undefined where there is none: malformed text, or not UTF-8. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

function fieldsOf(json: unknown): Readonly<Record<string, unknown>> {
  if (json === undefined) {
    throw new Refusal(400, { message: 'We could not parse the JSON body of your request.' });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Refusal(400, { message: 'The body must be a JSON object.' });
  }
  return { ...json };
}

function oneOf<T extends string>(
  fields: Readonly<Record<string, unknown>>,
  param: string,
  allowed: readonly T[],
  fallback: T,
): T {
  const value = fields[param];
  if (value === undefined) return fallback;
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw invalid(param, `expected one of ${allowed.join(', ')}`, 'invalid_value');
  return found;
}

const missing = (param: string): Refusal =>
  new Refusal(400, {
    message: `Missing required parameter: '${param}'.`,
    param,
    code: 'missing_required_parameter',
  });

const invalid = (param: string, why: string, code: string): Refusal =>
  new Refusal(400, { message: `Invalid value for '${param}': ${why}.`, param, code });
