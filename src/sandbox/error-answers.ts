import type { Answer } from './answer.ts';
import type { BehaviourOf } from './behaviours.ts';
import { textBody } from './body.ts';
import { errorJson } from './refusal.ts';

/** The answer of `{ kind: 'status' }`. */
export function statusAnswer(behaviour: BehaviourOf<'status'>): Answer {
  const { status, message, code } = behaviour;
  const type = behaviour.type ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
  const [contentType, text] = {
    openai: ['application/json', errorJson({ message, type, param: null, code })],
    text: ['text/plain; charset=utf-8', message],
    html: [
      'text/html; charset=utf-8',
      `<html><head><title>${status}</title></head><body>${message}</body></html>`,
    ],
    empty: [undefined, ''],
  }[behaviour.body];
  const headers = contentType === undefined ? {} : { 'content-type': contentType };
  return { status, headers: { ...headers, ...behaviour.headers }, body: textBody(text ?? '') };
}

/** The answer of `{ kind: 'echo-key' }`: the key in a header, in the message and in the code. */
export const echoAnswer = ({ status }: BehaviourOf<'echo-key'>, key: string): Answer => ({
  status,
  headers: { 'content-type': 'application/json', 'x-echo': `Bearer ${key}` },
  body: textBody(
    errorJson({
      message: `Incorrect API key provided: ${key}.`,
      type: 'invalid_request_error',
      param: null,
      code: `invalid_api_key:${key}`,
    }),
  ),
});
