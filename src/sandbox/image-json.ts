import type { BehaviourOf } from './behaviours.ts';
import { type Body, base64Body, joined, textBody } from './body.ts';
import { plainPicture } from './plain-picture.ts';

/** What an answer with one picture says. */
export interface ImageAnswer {
  /** Seconds since 1970. */
  readonly created: number;
  readonly picture: Buffer;
  readonly revisedPrompt: string;
}

/** `{"created":…,"data":[{"b64_json":…,"revised_prompt":…}]}`, the OpenAI-compatible shape that BetterToken documents. */
export const imageJson = ({ created, picture, revisedPrompt }: ImageAnswer): Body =>
  joined(
    textBody(`{"created":${created},"data":[{"b64_json":"`),
    base64Body(picture),
    textBody(`","revised_prompt":${JSON.stringify(revisedPrompt)}}]}`),
  );

/** The same with the base64 written in another way. Built as one string: meant for tests, not for speed. */
export function spelledJson(answer: ImageAnswer, spelling: BehaviourOf<'base64'>['spelling']): Body {
  const base64 = answer.picture.toString('base64');
  const revisedPrompt = JSON.stringify(answer.revisedPrompt);
  return textBody(
    `{"created":${answer.created},"data":[{"b64_json":"${spell(base64, spelling)}","revised_prompt":${revisedPrompt}}]}`,
  );
}

function spell(base64: string, spelling: BehaviourOf<'base64'>['spelling']): string {
  const middle = Math.floor(base64.length / 2);
  switch (spelling) {
    case 'data-url':
      return `data:image/png;base64,${base64}`;
    case 'escaped-slashes':
      return base64.replaceAll('/', '\\/');
    case 'unicode-escapes':
      return base64.replaceAll('+', '\\u002B').replaceAll('/', '\\u002F').replaceAll('=', '\\u003D');
    case 'line-breaks':
      return base64.replace(/.{76}/g, '$&\\r\\n');
    case 'unpadded':
      return base64.replace(/=+$/, '');
    case 'bad':
      return `${base64.slice(0, middle)}!%${base64.slice(middle + 2)}`;
  }
}

/** Answers whose `data[0].b64_json` is right, and all around it may be odd. */
export function shapedJson(
  { created, picture, revisedPrompt }: ImageAnswer,
  shape: BehaviourOf<'json'>['shape'],
): Body {
  const b64_json = picture.toString('base64');
  const decoy = plainPicture({ width: 8, height: 8, seed: 99 }).toString('base64');
  const image = { b64_json, revised_prompt: revisedPrompt };
  const write = (value: unknown): Body => textBody(JSON.stringify(value));
  switch (shape) {
    case 'extra-fields': {
      const extra = { text: 'é\u{1F3A8}\\"', list: [1, -0.5e-7, [[]], {}], yes: true, none: null };
      return write({
        background: 'opaque',
        extra,
        created,
        data: [{ extra, size: '1024x1024', ...image, more: extra }],
        usage: { input_tokens: 9, output_tokens: 4160, details: extra },
      });
    }
    case 'nested-namesakes':
      return write({
        b64_json: decoy,
        created,
        nested: { b64_json: null, data: [{ b64_json: decoy }] },
        data: [
          { nested: { b64_json: null }, list: [{ b64_json: decoy }], ...image, after: { b64_json: decoy } },
        ],
      });
    case 'quoting-prompt':
      return write({
        created,
        data: [{ revised_prompt: `a sign that says "b64_json":"${decoy}"`, b64_json }],
      });
    case 'two-images':
      return write({ created, data: [image, { b64_json: decoy, revised_prompt: 'the second' }] });
    case 'no-revised-prompt':
      return write({ created, data: [{ b64_json }] });
    case 'number-revised-prompt':
      return write({ created, data: [{ b64_json, revised_prompt: 42 }] });
    case 'hostile-revised-prompt':
      return write({
        created,
        data: [{ b64_json, revised_prompt: `nul\0 high\ud800 low\udc00 line\r\n${revisedPrompt}` }],
      });
    case 'pretty-printed':
      return textBody(`\n${JSON.stringify({ data: [image], created }, undefined, '\t')}\r\n `);
  }
}

/** Whole answers in which no picture is found. `text/html` for `html`, JSON for the others. */
export function picturelessText(shape: BehaviourOf<'no-picture'>['shape'], answer: ImageAnswer): string {
  const { created } = answer;
  const withImage = (image: unknown): string => JSON.stringify({ created, data: [image] });
  switch (shape) {
    case 'number':
      return withImage({ b64_json: 123 });
    case 'null':
      return withImage({ b64_json: null });
    case 'empty-string':
      return withImage({ b64_json: '' });
    case 'object':
      return withImage({ b64_json: { b64_json: answer.picture.toString('base64') } });
    case 'url-only':
      return withImage({ url: 'https://example.invalid/picture.png' });
    case 'empty-data':
      return JSON.stringify({ created, data: [] });
    case 'no-data':
      return JSON.stringify({ created });
    case 'data-object':
      return JSON.stringify({ created, data: { b64_json: answer.picture.toString('base64') } });
    case 'second-only':
      return JSON.stringify({ created, data: [{}, { b64_json: answer.picture.toString('base64') }] });
    case 'empty-object':
      return '{}';
    case 'array':
      return '[]';
    case 'empty-body':
      return '';
    case 'html':
      return '<!doctype html><title>Gateway</title><h1>It works!</h1>';
    case 'error':
      return '{"error":{"message":"Something went wrong.","type":"server_error","param":null,"code":null}}';
  }
}
