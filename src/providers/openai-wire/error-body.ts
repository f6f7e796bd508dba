import { CallError, type HttpReply } from './call.ts';
import { isCompressed } from './headers.ts';
import { property } from './json-value.ts';

const MAX_BYTES = 64 * 1024;
/** An error that drips must not hold a place: its status says enough. */
const MAX_MS = 3_000;

/** What an error's body says, in the vendor's words: not yet safe to show. */
export interface ErrorDetails {
  readonly message: string | undefined;
  readonly code: string | undefined;
  readonly type: string | undefined;
  /** The field of the request that is at fault. */
  readonly param: string | undefined;
  /** Whether OpenAI's envelope is around it: an `error` object that says something. What stands before the API has others. */
  readonly enveloped: boolean;
}

/** Reads the body of an error, bounded in size and time. A body that is not of OpenAI's shape says nothing. */
export const readErrorBody = async (reply: HttpReply): Promise<ErrorDetails> => {
  if (isCompressed(reply.headers)) {
    reply.body.destroy();
    return parseErrorBody('');
  }
  const timer = setTimeout(reply.body.destroy, MAX_MS);
  const chunks: Buffer[] = [];
  let byteSize = 0;
  try {
    while (byteSize <= MAX_BYTES) {
      const read = await reply.body.read();
      if (read === undefined) break;
      for (const chunk of read) byteSize += chunk.length;
      chunks.push(...read);
    }
  } catch (error) {
    // The status is the answer; whether its explanation came whole changes nothing.
    if (!(error instanceof CallError)) throw error;
  } finally {
    clearTimeout(timer);
    reply.body.destroy();
  }
  return parseErrorBody(byteSize <= MAX_BYTES ? Buffer.concat(chunks).toString() : '');
};

/**
 * Reads `{"error": {"message", "type", "param", "code"}}`, and what relatives make of it: an error that is a string, a code
 * that is a number, the fields without the envelope.
 */
export const parseErrorBody = (text: string): ErrorDetails => {
  const document = parse(text);
  const error = property(document, 'error') ?? document;
  if (typeof error === 'string') {
    return { message: error, code: undefined, type: undefined, param: undefined, enveloped: false };
  }
  const message = word(property(error, 'message'));
  const code = word(property(error, 'code'));
  const type = word(property(error, 'type'));
  const enveloped = error !== document && (message ?? code ?? type) !== undefined;
  return { message, code, type, param: word(property(error, 'param')), enveloped };
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const word = (value: unknown): string | undefined =>
  (typeof value === 'string' && value !== '') || typeof value === 'number' ? String(value) : undefined;
