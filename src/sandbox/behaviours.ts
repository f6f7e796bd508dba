import { z } from 'zod';

/** Waiting that can be added to every behaviour. In milliseconds. */
const timing = {
  /** Waits this long before the request is accepted. A client that leaves meanwhile is not billed. @default 0 */
  holdMs: z.number().nonnegative().optional(),
  /** Waits this long after it was accepted and before the headers. @default the sandbox's `latencyMs` if it bills, else 0 */
  delayMs: z.number().nonnegative().optional(),
};

/** How the length of a body is told: by a header beforehand, or chunk by chunk. */
const framing = z.enum(['content-length', 'chunked']);

/** Those without a body (204, 304) are left out: they are no answers to a POST. */
const httpStatus = z
  .int()
  .min(200)
  .max(599)
  .refine((value) => value !== 204 && value !== 304, '204 and 304 have no body');

/** Where a connection breaks off. All but `before-accept` are billed. */
const place = z.enum([
  /** The request was read, and nothing more happens. */
  'before-accept',
  /** The picture was made; not a byte of the answer is sent. */
  'before-headers',
  /** After half of the body. */
  'mid-body',
  /** After the whole body, but before the last, empty chunk that would say so (with `content-length`: after all of it). */
  'after-body',
]);
const broken = { at: place, framing: framing.optional(), ...timing };

/** A good answer. Bills. */
const normal = z.strictObject({ kind: z.literal('normal'), ...timing });

/** A good answer with the picture that is given (base64 over HTTP), whatever its bytes are. Bills. */
const picture = z.strictObject({
  kind: z.literal('picture'),
  bytes: z.union([
    z
      .custom<Uint8Array>((value) => value instanceof Uint8Array, 'expected bytes')
      .transform((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
    z.base64().transform((text) => Buffer.from(text, 'base64')),
  ]),
  ...timing,
});

/** A good answer with a `plainPicture`. Bills. */
const plainPictureBehaviour = z.strictObject({
  kind: z.literal('plain-picture'),
  width: z.int().min(1).max(16_384).default(64),
  height: z.int().min(1).max(16_384).default(64),
  seed: z.int().default(0),
  noise: z.boolean().default(false),
  ...timing,
});

/** An error answer, or any other status, with any headers (`retry-after`). Does not bill, unless `billed` says so. */
const status = z.strictObject({
  kind: z.literal('status'),
  status: httpStatus,
  /** The OpenAI shape; a page of plain text or HTML, as proxies answer; or nothing. */
  body: z.enum(['openai', 'text', 'html', 'empty']).default('openai'),
  message: z.string().default('The sandbox was told to answer so.'),
  type: z.string().optional(),
  code: z.string().nullable().default(null),
  headers: z.record(z.string(), z.string()).default({}),
  /** True for a server that made the picture and then failed. */
  billed: z.boolean().default(false),
  ...timing,
});

/** An error whose message and a header (`x-echo`) repeat the API key that was sent. Does not bill. */
const echoKey = z.strictObject({
  kind: z.literal('echo-key'),
  status: httpStatus.default(401),
  ...timing,
});

/** Sends the client elsewhere. Does not bill. */
const redirect = z.strictObject({
  kind: z.literal('redirect'),
  status: z
    .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
    .default(307),
  location: z.string(),
  ...timing,
});

/** The connection is reset (TCP RST). Bills, except `before-accept`. */
const reset = z.strictObject({ kind: z.literal('reset'), ...broken });

/** The connection is closed in good order (TCP FIN), but too early. Bills, except `before-accept`. */
const close = z.strictObject({ kind: z.literal('close'), ...broken });

/** The answer stops coming for ever, and the connection stays open. Bills, except `before-accept`. */
const hang = z.strictObject({ kind: z.literal('hang'), ...broken });

/** A good answer that drips, a few bytes at a time. Bills. */
const drip = z.strictObject({
  kind: z.literal('drip'),
  everyMs: z.number().positive().default(1000),
  bytes: z.int().positive().default(1),
  framing: framing.default('content-length'),
  ...timing,
});

/** Bytes that are not HTTP at all, and the connection closes. Bills. */
const notHttp = z.strictObject({ kind: z.literal('not-http'), ...timing });

/** A whole HTTP answer whose JSON is cut: within the picture, or right before its last brackets. Bills. */
const truncatedJson = z.strictObject({
  kind: z.literal('truncated-json'),
  within: z.enum(['picture', 'brackets']).default('picture'),
  ...timing,
});

/** A good answer whose base64 is written in an uncommon, correct way; or `bad`, which is not base64. Bills. */
const base64 = z.strictObject({
  kind: z.literal('base64'),
  spelling: z.enum([
    /** With `data:image/png;base64,` before it. */
    'data-url',
    /** Each `/` as `\/`. */
    'escaped-slashes',
    /** Each `+`, `/` and `=` as `\u002B`, `\u002F`, `\u003D`. */
    'unicode-escapes',
    /** A line break (`\r\n`, as JSON escapes it) after every 76 characters. */
    'line-breaks',
    /** Without `=` at the end. */
    'unpadded',
    /** With a `!` and a `%` in its middle: no decoder may take it. */
    'bad',
  ]),
  ...timing,
});

/** What the JSON of a good answer may look like besides the plain way. */
export const JSON_SHAPES = [
  /** Unknown fields on every level, before and after the picture, deep and of every type. */
  'extra-fields',
  /** Objects before the picture with a `b64_json` of their own, of `null` and of another picture's text. */
  'nested-namesakes',
  /** A revised prompt, before the picture, that contains the text `"b64_json":"`. */
  'quoting-prompt',
  /** A second, other picture in `data[1]`. */
  'two-images',
  'no-revised-prompt',
  /** `revised_prompt` is a number. */
  'number-revised-prompt',
  /** A revised prompt with NUL, lone surrogates and line breaks, which Postgres and logs don't take. */
  'hostile-revised-prompt',
  /** White space wherever JSON allows it, and the picture first. */
  'pretty-printed',
] as const;

/** A good answer whose JSON is more, or less, or otherwise than expected; `data[0].b64_json` is still right. Bills. */
const json = z.strictObject({
  kind: z.literal('json'),
  shape: z.enum(JSON_SHAPES),
  ...timing,
});

/** An answer with status 200 that is whole, and has no picture in it. Bills. */
const noPicture = z.strictObject({
  kind: z.literal('no-picture'),
  shape: z.enum([
    'number',
    'null',
    'empty-string',
    'object',
    /** `data[0]` has a `url` and no `b64_json`. */
    'url-only',
    'empty-data',
    'no-data',
    'data-object',
    /** Only `data[1]` has one; `data[0]` is empty. */
    'second-only',
    'empty-object',
    'array',
    'empty-body',
    /** A page of HTML, as `text/html`. */
    'html',
    /** An error body in the OpenAI shape. */
    'error',
  ]),
  ...timing,
});

/** An answer that is whole, with a picture that is not right. Bills. */
const brokenPicture = z.strictObject({
  kind: z.literal('broken-picture'),
  fault: z.enum([
    /** The second half of the PNG is missing. */
    'cut',
    /** The PNG ends without its IEND chunk. */
    'no-end',
    /** One bit of the pixels is flipped, so that the chunk's checksum is wrong. */
    'bad-checksum',
    /** Every checksum is right, but the pixels don't inflate. */
    'bad-pixels',
    /** The header claims `claimedWidth` x `claimedHeight`, with a right checksum. */
    'claimed-pixels',
    /** Bytes follow after IEND. */
    'trailing-bytes',
    /** A good PNG, but with a tEXt chunk of `textBytes`. */
    'large-text',
    /** A good PNG, but with a zTXt chunk that inflates to `textBytes`. */
    'inflating-text',
    'svg',
    'html',
    'jpeg',
    'text',
  ]),
  claimedWidth: z.int().min(0).max(0xffffffff).default(60_000),
  claimedHeight: z.int().min(0).max(0xffffffff).default(60_000),
  textBytes: z
    .int()
    .positive()
    .max(256 * 1024 * 1024)
    .default(8 * 1024 * 1024),
  ...timing,
});

/** A body that goes on and on, up to `totalBytes`, and then ends well-formed. Bills. */
const endless = z.strictObject({
  kind: z.literal('endless'),
  totalBytes: z.int().min(1024),
  /** In the base64 of a PNG's pixels; in white space before the JSON; or in a field that nobody knows. */
  within: z.enum(['picture', 'space', 'field']).default('picture'),
  framing: framing.default('chunked'),
  ...timing,
});

/** A body with `content-encoding: gzip` of about a thousandth of the `totalBytes` that it inflates to. Bills. */
const gzipBomb = z.strictObject({
  kind: z.literal('gzip-bomb'),
  totalBytes: z
    .int()
    .min(1024)
    .default(1024 ** 3),
  ...timing,
});

/** Every way in which the sandbox can answer. The schema is also what checks behaviours that come over HTTP. */
export const behaviourSchema = z.discriminatedUnion('kind', [
  normal,
  picture,
  plainPictureBehaviour,
  status,
  echoKey,
  redirect,
  reset,
  close,
  hang,
  drip,
  notHttp,
  truncatedJson,
  base64,
  json,
  noPicture,
  brokenPicture,
  endless,
  gzipBomb,
]);

/** A behaviour as it is asked for, for instance `{ kind: 'status', status: 429, headers: { 'retry-after': '7' } }`. */
export type Behaviour = z.input<typeof behaviourSchema>;

/** A behaviour with its defaults filled in. */
export type FullBehaviour = z.output<typeof behaviourSchema>;

/** One kind of behaviour, with its defaults filled in. */
export type BehaviourOf<Kind extends FullBehaviour['kind']> = Extract<FullBehaviour, { kind: Kind }>;

/** Whether a request that meets this behaviour is billed. */
export function bills(behaviour: FullBehaviour): boolean {
  switch (behaviour.kind) {
    case 'status':
      return behaviour.billed;
    case 'echo-key':
    case 'redirect':
      return false;
    case 'reset':
    case 'close':
    case 'hang':
      return behaviour.at !== 'before-accept';
    default:
      return true;
  }
}
