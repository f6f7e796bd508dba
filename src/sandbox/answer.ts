import type { BehaviourOf, FullBehaviour } from './behaviours.ts';
import { type Body, bytesBody, textBody } from './body.ts';
import { breakPicture } from './broken-pictures.ts';
import { bombBody, endlessBody } from './endless-bodies.ts';
import { echoAnswer, statusAnswer } from './error-answers.ts';
import { imageJson, picturelessText, shapedJson, spelledJson } from './image-json.ts';
import { plainPicture } from './plain-picture.ts';

/** An answer that is ready to be sent. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
  /** @default 'content-length' */
  readonly framing?: 'content-length' | 'chunked';
  /** Sends a few bytes at a time. @default as fast as the client reads */
  readonly pace?: { readonly everyMs: number; readonly bytes: number };
  /** Stops after so many bytes of the body, with the connection still open. @default ends in good order */
  readonly stopAfterBytes?: number;
}

/** What an answer is made from. */
export interface Order {
  /** Seconds since 1970. */
  readonly created: number;
  readonly revisedPrompt: string;
  /** The key that was sent; only `echo-key` looks at it. */
  readonly key: string;
  /** Makes the picture; only called where it is needed, because it takes a while. */
  readonly picture: () => Promise<Buffer>;
}

/** Composes what a behaviour sends. `not-http` has no answer to compose. */
export async function composeAnswer(
  behaviour: Exclude<FullBehaviour, { kind: 'not-http' }>,
  order: Order,
): Promise<Answer> {
  const { created, revisedPrompt } = order;
  const image = async () => ({ created, revisedPrompt, picture: await order.picture() });
  switch (behaviour.kind) {
    case 'normal':
      return ok(imageJson(await image()));
    case 'picture':
      return ok(imageJson({ created, revisedPrompt, picture: behaviour.bytes }));
    case 'plain-picture':
      return ok(imageJson({ created, revisedPrompt, picture: plainPicture(behaviour) }));
    case 'status':
      return statusAnswer(behaviour);
    case 'echo-key':
      return echoAnswer(behaviour, order.key);
    case 'redirect':
      return { status: behaviour.status, headers: { location: behaviour.location }, body: textBody('') };
    case 'reset':
    case 'close':
    case 'hang':
      return stopped(behaviour, imageJson(await image()));
    case 'drip':
      return { ...ok(imageJson(await image())), framing: behaviour.framing, pace: behaviour };
    case 'truncated-json':
      return ok(truncated(behaviour, imageJson(await image())));
    case 'base64':
      return ok(spelledJson(await image(), behaviour.spelling));
    case 'json':
      return ok(shapedJson(await image(), behaviour.shape));
    case 'no-picture':
      return ok(
        textBody(picturelessText(behaviour.shape, await image())),
        behaviour.shape === 'html' ? { 'content-type': 'text/html; charset=utf-8' } : JSON_TYPE,
      );
    case 'broken-picture': {
      const whole = await image();
      return ok(imageJson({ ...whole, picture: breakPicture(whole.picture, behaviour) }));
    }
    case 'endless':
      return { ...ok(endlessBody(behaviour, await image())), framing: behaviour.framing };
    case 'gzip-bomb':
      return ok(bombBody(behaviour.totalBytes, await image()), { ...JSON_TYPE, 'content-encoding': 'gzip' });
  }
}

const JSON_TYPE = { 'content-type': 'application/json' };

const ok = (body: Body, headers: Readonly<Record<string, string>> = JSON_TYPE): Answer => ({
  status: 200,
  headers,
  body,
});

function stopped(behaviour: BehaviourOf<'reset' | 'close' | 'hang'>, body: Body): Answer {
  const whole = behaviour.at === 'after-body';
  return {
    ...ok(body),
    framing: behaviour.framing ?? (whole ? 'chunked' : 'content-length'),
    stopAfterBytes: whole ? body.byteSize : Math.floor(body.byteSize / 2),
  };
}

function truncated({ within }: BehaviourOf<'truncated-json'>, body: Body): Body {
  const text = Buffer.concat([...body.chunks()]);
  const end = within === 'brackets' ? text.byteLength - 2 : Math.floor(text.byteLength / 2);
  return bytesBody(text.subarray(0, end));
}
