import { APICallError, InvalidResponseDataError } from '@ai-sdk/provider';
import { property } from '../openai-wire/json-value.ts';
import type { Call, Exchange } from './exchange.ts';

/** What the vendor said, as parsed JSON, by an error of the AI SDK; undefined where it said nothing. Not safe to show. */
export function evidenceOf(error: unknown): unknown {
  if (InvalidResponseDataError.isInstance(error)) return error.data;
  if (!APICallError.isInstance(error)) return undefined;
  try {
    // All of it: `data` is what the vendor's package knows of it.
    return JSON.parse(error.responseBody ?? '');
  } catch {
    return error.data;
  }
}

/** The vendor's own word for what went wrong, where it gives one. Not safe to show. */
export function codeOf(said: unknown): string | undefined {
  const error = property(said, 'error');
  const detail = property(said, 'detail');
  const candidates = [
    // OpenAI and those who speak like it; Luma; fal (https://docs.fal.ai/errors).
    ...[
      property(error, 'code'),
      property(error, 'type'),
      property(said, 'failure_code'),
      property(said, 'code'),
    ],
    ...(Array.isArray(detail) ? [property(detail[0], 'type')] : []),
  ];
  const code = candidates.find(
    (value) => (typeof value === 'string' && value !== '') || typeof value === 'number',
  );
  return code === undefined ? undefined : String(code);
}

/** The transport's word: as it was seen, or at the end of the chain of causes. */
export function transportCodeOf(error: unknown, { calls }: Exchange): string | undefined {
  const seen = calls.findLast(({ isOwn }) => isOwn)?.code;
  if (seen !== undefined) return seen;
  return causesOf(error)
    .map((cause) => ('code' in cause ? cause.code : undefined))
    .find((code) => typeof code === 'string');
}

/** Whether a value in the body of a request is the prompt, and all of it: then it is the one that is paid. */
export const holdsPrompt = (body: unknown, prompt: string, depth = 0): boolean => {
  if (typeof body === 'string') return body === prompt;
  if (typeof body !== 'object' || body === null || depth > 6) return false;
  return Object.values(body).some((value) => holdsPrompt(value, prompt, depth + 1));
};

/** The same of a body as it is sent: JSON, a form of either kind, or the bare prompt. */
export const isPaidBody = (body: string, prompt: string): boolean => {
  try {
    return holdsPrompt(JSON.parse(body), prompt);
  } catch {
    const part = `\r\n\r\n${prompt.replaceAll(/\r?\n/g, '\r\n')}\r\n`;
    return body === prompt || body.includes(part) || [...new URLSearchParams(body).values()].includes(prompt);
  }
};

/** Whether the model failed by this very failure of a call: the one error is the other, or the cause of it. */
export const isFailureOf = ({ error: failed }: Call, error: unknown): boolean => {
  const causes = causesOf(failed);
  return causesOf(error).some((cause) => causes.includes(cause));
};

/** The error itself, and what it was caused by. */
const causesOf = (error: unknown): readonly Error[] => {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < 8; cause = cause.cause)
    causes.push(cause);
  return causes;
};
