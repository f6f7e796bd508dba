import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Block, createBlockPool, isFull, refresh } from '../../src/providers/openai-wire/block.ts';
import { BodyError } from '../../src/providers/openai-wire/body-error.ts';
import { createImageJsonReader } from '../../src/providers/openai-wire/image-json.ts';

const LIMITS = { maxPictureBytes: 64 * 1024 * 1024, maxSkeletonBytes: 1024 * 1024 };

interface Outcome {
  /** The picture, or the code of what is wrong. */
  readonly picture: Buffer | string;
  readonly revisedPrompt: string | undefined;
}

const blocks = createBlockPool();

/** Reads a document that comes in the given chunks. */
const readChunks = (chunks: Iterable<Buffer>, limits = LIMITS): Outcome => {
  const reader = createImageJsonReader(limits);
  const block: Block = blocks.take();
  const picture: Buffer[] = [];
  const empty = () => {
    picture.push(Buffer.from(block.bytes.subarray(0, block.length)));
    refresh(block);
  };
  try {
    for (const chunk of chunks) {
      let at = 0;
      while (at < chunk.length && !reader.ended()) {
        at = reader.read(chunk, at, block);
        if (isFull(block)) empty();
      }
    }
    const { revisedPrompt } = reader.finish();
    empty();
    return { picture: Buffer.concat(picture), revisedPrompt };
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    return { picture: error.code, revisedPrompt: undefined };
  } finally {
    blocks.giveBack(block);
  }
};

const read = (document: string | Buffer, limits = LIMITS) => readChunks([Buffer.from(document)], limits);

/** Splits after `size(n)` bytes for the n-th chunk. */
function* split(document: Buffer, size: (index: number) => number): Generator<Buffer> {
  for (let at = 0, index = 0; at < document.length; index += 1) {
    const end = at + Math.max(1, size(index));
    // A copy, as a socket's buffers are of their own too.
    yield Buffer.from(document.subarray(at, end));
    at = end;
  }
}

/** Random numbers that are the same in every run (mulberry32). */
const seeded = (seed: number) => {
  let state = seed;
  return (below: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
};

const PICTURE = randomBytes(1000);
const BASE64 = PICTURE.toString('base64');
const answer = (item: string) => `{"created":1710000000,"data":[{${item}}]}`;

describe('image-json', () => {
  describe('finds the picture', () => {
    const documents: Record<string, string | Buffer> = {
      'in a plain answer': answer(`"b64_json":"${BASE64}"`),
      'beside other fields': answer(
        `"revised_prompt":"x","b64_json":"${BASE64}","url":null,"n":[1,{"a":-1.5e3}]`,
      ),
      'when data comes first': `{"data":[{"b64_json":"${BASE64}"}],"usage":{"tokens":1}}`,
      'between white space and line breaks': `\r\n {\t"data" : [ { "b64_json" :\n"${BASE64}" } ] } \n`,
      'after a byte order mark': `\uFEFF${answer(`"b64_json":"${BASE64}"`)}`,
      'after 2 MB of white space': `${' '.repeat(2_000_000)}${answer(`"b64_json":"${BASE64}"`)}`,
      'after a data URL prefix': answer(`"b64_json":"data:image/png;base64,${BASE64}"`),
      'after an escaped data URL prefix': answer(`"b64_json":"data:image\\/png;base64,${BASE64}"`),
      'with its slashes escaped': answer(`"b64_json":"${BASE64.replaceAll('/', '\\/')}"`),
      'with unicode escapes': answer(
        `"b64_json":"${BASE64.replaceAll('+', '\\u002B').replaceAll('/', '\\u002f')}"`,
      ),
      'when every character is escaped': answer(
        `"b64_json":"${Array.from(BASE64, (c) => `\\u00${c.charCodeAt(0).toString(16)}`).join('')}"`,
      ),
      'with escaped line breaks': answer(`"b64_json":"${BASE64.replace(/.{76}/g, '$&\\r\\n')}"`),
      'with raw line breaks': answer(`"b64_json":"${BASE64.replace(/.{76}/g, '$&\r\n')}"`),
      'with spaces': answer(`"b64_json":" ${BASE64.replace(/.{7}/g, '$& ')} "`),
      'without padding': answer(`"b64_json":"${BASE64.replaceAll('=', '')}"`),
      'in the URL alphabet': answer(`"b64_json":"${PICTURE.toString('base64url')}"`),
      'under an escaped key': answer(`"b64\\u005fjson":"${BASE64}"`),
      'despite a nested b64_json before it': answer(`"nested":{"b64_json":null},"b64_json":"${BASE64}"`),
      'despite a nested b64_json with another picture': answer(
        `"nested":{"b64_json":"AAAA"},"b64_json":"${BASE64}"`,
      ),
      'despite a b64_json at the root': `{"b64_json":"AAAA","data":[{"b64_json":"${BASE64}"}]}`,
      'despite data within data': `{"x":{"data":[{"b64_json":"AAAA"}]},"data":[{"b64_json":"${BASE64}"}]}`,
      'despite a list within the list': `{"other":[[{"b64_json":"AAAA"}]],"data":[{"b64_json":"${BASE64}"}]}`,
      'when the words stand in a text': answer(
        `"revised_prompt":"\\"b64_json\\":\\"AAAA\\",\\\\","b64_json":"${BASE64}"`,
      ),
      'of the first of two': `{"data":[{"b64_json":"${BASE64}"},{"b64_json":"AAAA"}]}`,
      'of the first of two duplicates': answer(`"b64_json":"${BASE64}","b64_json":"AAAA"`),
      'of the duplicate that is not null': answer(`"b64_json":null,"b64_json":"","b64_json":"${BASE64}"`),
      'before whatever follows the document': `${answer(`"b64_json":"${BASE64}"`)}garbage"{`,
      'beside a second picture larger than everything else may be': `{"data":[{"b64_json":"${BASE64}"},{"b64_json":"${'A'.repeat(2_000_000)}"}]}`,
    };

    it.each(Object.entries(documents))('%s', (_name, document) => {
      expect(read(document).picture).toEqual(PICTURE);
    });

    it.each(Object.entries(documents).filter(([, document]) => document.length < 12_000))(
      '%s, split at every place',
      (_name, document) => {
        const bytes = Buffer.from(document);
        for (let at = 1; at < bytes.length; at += 1) {
          const { picture } = readChunks([bytes.subarray(0, at), bytes.subarray(at)]);
          if (!Buffer.isBuffer(picture) || !picture.equals(PICTURE))
            expect.fail(`split at ${at}: ${picture}`);
        }
        expect(readChunks(split(bytes, () => 1)).picture).toEqual(PICTURE);
      },
    );

    it.each([0, 1, 2, 3, 4, 5, 6])('when it is %i bytes longer than a multiple of three', (extra) => {
      for (const byteSize of [1 + extra, 191 + extra, 48 * 1024 + extra, 600_000 + extra]) {
        const picture = randomBytes(byteSize);
        expect(read(answer(`"b64_json":"${picture.toString('base64')}"`)).picture).toEqual(picture);
      }
    });
  });

  it('gives the same picture however the body is cut into chunks', () => {
    const picture = randomBytes(700_001);
    const base64 = picture.toString('base64');
    const variants = [
      base64,
      `data:image\\/png;base64,${base64.replaceAll('/', '\\/')}`,
      base64.replace(/.{76}/g, '$&\\n').replaceAll('=', ''),
    ];
    for (const [index, text] of variants.entries()) {
      const bytes = Buffer.from(
        answer(`"revised_prompt":"画\\u00e9","b64_json":"${text}","x":{"b64_json":"AA"}`),
      );
      for (let round = 0; round < 25; round += 1) {
        const random = seeded(index * 100 + round);
        // Some rounds bring crumbs, others what a socket brings.
        const largest = 2 ** (5 + random(12));
        const result = readChunks(split(bytes, () => random(largest)));
        expect(Buffer.isBuffer(result.picture) && result.picture.equals(picture)).toBe(true);
        expect(result.revisedPrompt).toBe('画é');
      }
    }
  });

  describe('reads the revised prompt', () => {
    const prompts: Record<string, [json: string, text: string | undefined]> = {
      'in any script': ['"一张 \\ud83d\\ude80 مرحبا é"', '一张 🚀 مرحبا é'],
      'without lone surrogates and NUL': ['"a\\u0000b\\ud800c"', 'ab\uFFFDc'],
      'where it is null': ['null', undefined],
      'where it is no text': ['{"a":1}', undefined],
      'where it is empty': ['""', undefined],
    };
    it.each(Object.entries(prompts))('%s', (_name, [json, text]) => {
      const after = read(answer(`"b64_json":"${BASE64}","revised_prompt":${json}`));
      const before = read(answer(`"revised_prompt":${json},"b64_json":"${BASE64}"`));
      expect(after).toEqual({ picture: PICTURE, revisedPrompt: text });
      expect(before).toEqual(after);
    });

    it('of the first picture only', () => {
      const document = `{"revised_prompt":"a","data":[{"b64_json":"${BASE64}"},{"revised_prompt":"b"}]}`;
      expect(read(document).revisedPrompt).toBeUndefined();
    });
  });

  describe('refuses', () => {
    const documents: Record<string, [code: string, document: string | Buffer]> = {
      'a document without data': ['NO_PICTURE', '{}'],
      'an empty list': ['NO_PICTURE', '{"created":1,"data":[]}'],
      'a null list': ['NO_PICTURE', '{"data":null}'],
      'a picture that is missing': ['NO_PICTURE', answer('"url":"https://example.com"')],
      'a picture that is null': ['NO_PICTURE', answer('"b64_json":null')],
      'a picture that is a number': ['NO_PICTURE', answer('"b64_json":12')],
      'a picture that is a list': ['NO_PICTURE', answer('"b64_json":["AAAA"]')],
      'a picture that is empty': ['NO_PICTURE', answer('"b64_json":""')],
      'a picture that is a prefix only': ['NO_PICTURE', answer('"b64_json":"data:image/png;base64,"')],
      'a picture in the second place only': ['NO_PICTURE', `{"data":[{},{"b64_json":"${BASE64}"}]}`],
      'a list at the root': ['NO_PICTURE', `[{"b64_json":"${BASE64}"}]`],
      'a bare null': ['NO_PICTURE', 'null'],
      'an empty body': ['BODY_CUT', ''],
      'a blank body': ['BODY_CUT', ' \n '],
      HTML: ['BODY_MALFORMED', '<!doctype html><title>Bad gateway</title>'],
      'HTML with braces': ['BODY_MALFORMED', '<style>body { color: red }</style>'],
      'two numbers in a row': ['BODY_MALFORMED', '{"data": 1 2}'],
      'a trailing comma': ['BODY_MALFORMED', answer(`"b64_json":"${BASE64}",`)],
      'a missing colon': ['BODY_MALFORMED', answer(`"b64_json" "${BASE64}"`)],
      'a bracket of the wrong kind': ['BODY_MALFORMED', `{"data":[{"b64_json":"${BASE64}"]}]}`],
      'a bracket too many': ['BODY_MALFORMED', `]${answer(`"b64_json":"${BASE64}"`)}`],
      'an unknown escape in the picture': ['BODY_MALFORMED', answer(`"b64_json":"${BASE64}\\q"`)],
      'a broken unicode escape in the picture': ['BODY_MALFORMED', answer('"b64_json":"AAAA\\u00zzAAAA"')],
      'a character that is not base64': ['BASE64_INVALID', answer(`"b64_json":"AAAA*AAA"`)],
      'one that is not even ASCII': ['BASE64_INVALID', answer(`"b64_json":"AAAA\\u4e00AAAA"`)],
      'an escaped quote in the picture': ['BASE64_INVALID', answer('"b64_json":"AAAA\\"AAA"')],
      'an impossible length': ['BASE64_INVALID', answer('"b64_json":"AAAAA"')],
      'padding in the middle': ['BASE64_INVALID', answer('"b64_json":"AA==AAAA"')],
      'too much padding': ['BASE64_INVALID', answer('"b64_json":"AAAA===="')],
      'padding where none belongs': ['BASE64_INVALID', answer('"b64_json":"AAAA="')],
      'too little padding': ['BASE64_INVALID', answer('"b64_json":"AA="')],
      'brackets without end': ['BODY_TOO_LARGE', '['.repeat(100_000)],
      'text without end': ['BODY_TOO_LARGE', `{"a":"${'x'.repeat(1_100_000)}`],
    };
    it.each(Object.entries(documents))('%s', (_name, [code, document]) => {
      expect(read(document).picture).toBe(code);
      expect(readChunks(split(Buffer.from(document), () => 1)).picture).toBe(code);
    });

    it('a document that is cut, wherever', () => {
      const bytes = Buffer.from(answer(`"b64_json":"${BASE64}","revised_prompt":"a\\"b"`));
      for (let end = 0; end < bytes.length; end += 1) {
        const { picture } = read(bytes.subarray(0, end));
        if (!['BODY_CUT', 'BASE64_INVALID'].includes(String(picture)))
          expect.fail(`cut at ${end}: ${picture}`);
      }
    });

    it('a picture that is larger than allowed', () => {
      const text = answer(`"b64_json":"${Buffer.alloc(1001).toString('base64')}"`);
      expect(read(text, { ...LIMITS, maxPictureBytes: 1001 }).picture).toHaveLength(1001);
      expect(read(text, { ...LIMITS, maxPictureBytes: 1000 }).picture).toBe('BODY_TOO_LARGE');
    });
  });

  it('agrees with JSON.parse on documents made at random', () => {
    const random = seeded(1);
    const words = ['data', 'b64_json', 'b64_json', 'revised_prompt', 'a"b', 'é\\', '{}[],:'];
    const text = () => Buffer.from(`${random(1_000_000)}`).toString('base64');
    const object = (depth: number) =>
      Object.fromEntries(
        Array.from({ length: random(4) }, () => [words[random(words.length)], value(depth + 1)]),
      );
    const list = (depth: number) => Array.from({ length: random(4) }, () => value(depth + 1));
    const value = (depth: number): unknown => {
      const kind = random(depth < 5 ? 6 : 4);
      if (kind === 5) return object(depth);
      if (kind === 4) return list(depth);
      return [random(1000) / 8, null, text(), words[random(words.length)]][kind];
    };
    let pictures = 0;
    for (let round = 0; round < 2000; round += 1) {
      const document =
        random(8) === 0 ? value(0) : { ...object(1), data: random(4) > 0 ? [object(3)] : list(2) };
      const bytes = Buffer.from(JSON.stringify(document, undefined, random(2)));
      const expected = Object(Object(Object(document).data)[0]).b64_json;
      const { picture } = readChunks(split(bytes, () => random(9)));
      if (typeof expected !== 'string') expect(picture).toBe('NO_PICTURE');
      else if (words.includes(expected)) continue;
      else {
        pictures += 1;
        expect(picture).toEqual(Buffer.from(expected, 'base64'));
      }
    }
    expect(pictures).toBeGreaterThan(50);
  });
});
