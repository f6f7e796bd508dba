import { crc32, gunzipSync } from 'node:zlib';
import sharp, { type OutputInfo } from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BehaviourOf, JSON_SHAPES } from '../../src/sandbox/behaviours.ts';
import { type Behaviour, plainPicture, type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { imageOf } from './client.ts';
import { lengthOf, meetWith } from './meet.ts';

const picture = plainPicture({ width: 64, height: 48, seed: 5, noise: true });
let sandbox: Sandbox;
const meet = meetWith(() => sandbox);
beforeAll(async () => {
  sandbox = await startSandbox({ pictures: picture });
});
afterEach(() => {
  sandbox.behaveAlways(undefined);
  sandbox.journal.clear();
});
afterAll(() => sandbox.close());

describe('JSON', () => {
  const spellings = ['data-url', 'escaped-slashes', 'unicode-escapes', 'line-breaks', 'unpadded'] as const;
  const marks = {
    'data-url': '"data:image/png;base64,iVBOR',
    'escaped-slashes': '\\/',
    'unicode-escapes': '\\u002B',
    'line-breaks': '\\r\\n',
    unpadded: '"b64_json":"iVBOR',
  };
  it.each(spellings)('writes the same picture in base64: %s', async (spelling) => {
    const answer = await meet({ kind: 'base64', spelling });
    const text = answer.body.toString();
    expect(text).toContain(marks[spelling]);
    const { b64_json } = imageOf(text).body.data[0] ?? { b64_json: '' };
    expect(Buffer.from(b64_json.replace(/^data:.*?,/, ''), 'base64').equals(picture)).toBe(true);
    if (spelling === 'unpadded') expect(b64_json).not.toContain('=');
  });

  it('writes base64 that is none', async () => {
    const { body } = await meet({ kind: 'base64', spelling: 'bad' });
    expect(imageOf(body.toString()).body.data[0]?.b64_json).not.toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  it.each(JSON_SHAPES)('has the right picture at data[0].b64_json: %s', async (shape) => {
    const answer = await meet({ kind: 'json', shape });
    expect(answer.billed).toBe(true);
    expect(imageOf(answer.body.toString()).picture.equals(picture)).toBe(true);
  });

  it('says what each shape is for', async () => {
    const text = async (shape: BehaviourOf<'json'>['shape']): Promise<string> =>
      (await meet({ kind: 'json', shape })).body.toString();
    expect(imageOf(await text('quoting-prompt')).revisedPrompt).toContain('"b64_json":"');
    const nested = await text('nested-namesakes');
    expect(nested.indexOf('"nested":{"b64_json":null')).toBeLessThan(
      nested.indexOf(picture.toString('base64')),
    );
    expect(imageOf(await text('two-images')).body.data).toHaveLength(2);
    expect(imageOf(await text('no-revised-prompt')).revisedPrompt).toBeUndefined();
    expect(imageOf(await text('number-revised-prompt')).revisedPrompt).toBe(42);
    const hostile = String(imageOf(await text('hostile-revised-prompt')).revisedPrompt);
    expect(hostile).toContain('\0');
    expect(hostile.isWellFormed()).toBe(false);
  });

  it.each(['picture', 'brackets'] as const)('is cut within a whole HTTP answer: %s', async (within) => {
    const answer = await meet({ kind: 'truncated-json', within });
    expect(answer).toMatchObject({ status: 200, ended: 'end', billed: true });
    expect(answer.body.byteLength).toBe(lengthOf(answer));
    expect(() => JSON.parse(answer.body.toString())).toThrow(SyntaxError);
  });

  const pictureless: readonly BehaviourOf<'no-picture'>['shape'][] = [
    'number',
    'null',
    'empty-string',
    'object',
    'url-only',
    'empty-data',
    'no-data',
    'data-object',
    'second-only',
    'empty-object',
    'array',
    'error',
  ];
  it.each(pictureless)('is whole and holds no picture: %s', async (shape) => {
    const answer = await meet({ kind: 'no-picture', shape });
    expect(answer).toMatchObject({ status: 200, billed: true });
    const parsed = JSON.parse(answer.body.toString()) as { data?: { b64_json?: unknown }[] };
    const value = Array.isArray(parsed.data) ? parsed.data[0]?.b64_json : undefined;
    expect(typeof value === 'string' && value !== '').toBe(false);
  });

  it('is no JSON at all: HTML, or nothing', async () => {
    const html = await meet({ kind: 'no-picture', shape: 'html' });
    expect(html.headers['content-type']).toContain('text/html');
    const empty = await meet({ kind: 'no-picture', shape: 'empty-body' });
    expect(empty).toMatchObject({ status: 200, body: Buffer.alloc(0), billed: true });
  });
});

describe('pictures', () => {
  const bytesOf = async (behaviour: Behaviour): Promise<Buffer> => {
    const answer = await meet(behaviour);
    expect(answer).toMatchObject({ status: 200, billed: true });
    return imageOf(answer.body.toString()).picture;
  };
  const decode = (bytes: Buffer): Promise<{ info: OutputInfo }> =>
    sharp(bytes, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });

  it.each(['cut', 'no-end', 'bad-checksum', 'bad-pixels', 'claimed-pixels', 'svg', 'html', 'text'] as const)(
    'are no good PNG: %s',
    async (fault) => {
      const bytes = await bytesOf({ kind: 'broken-picture', fault });
      expect(
        isGoodPng(bytes) &&
          (await decode(bytes).then(
            () => true,
            () => false,
          )),
      ).toBe(false);
    },
  );

  it('are a JPEG, or a PNG with bytes behind it', async () => {
    const jpeg = await bytesOf({ kind: 'broken-picture', fault: 'jpeg' });
    expect((await sharp(jpeg).metadata()).format).toBe('jpeg');
    const longer = await bytesOf({ kind: 'broken-picture', fault: 'trailing-bytes' });
    expect(longer.subarray(0, picture.byteLength).equals(picture)).toBe(true);
    expect(longer.byteLength).toBeGreaterThan(picture.byteLength);
  });

  it('claim pixels in a header with a right checksum', async () => {
    const bytes = await bytesOf({ kind: 'broken-picture', fault: 'claimed-pixels' });
    expect(isGoodPng(bytes)).toBe(true);
    expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([60_000, 60_000]);
  });

  it('decode in spite of large text chunks', async () => {
    const plain = await bytesOf({ kind: 'broken-picture', fault: 'large-text', textBytes: 100_000 });
    const packed = await bytesOf({ kind: 'broken-picture', fault: 'inflating-text', textBytes: 5_000_000 });
    expect(plain.byteLength).toBeGreaterThan(100_000);
    expect(packed.byteLength).toBeLessThan(picture.byteLength + 20_000);
    for (const bytes of [plain, packed]) expect(isGoodPng(bytes)).toBe(true);
    expect((await sharp(plain).metadata()).width).toBe(64);
  });

  it('are given, or plain', async () => {
    const given = Buffer.from('any bytes');
    expect((await bytesOf({ kind: 'picture', bytes: given })).equals(given)).toBe(true);
    const { info } = await decode(await bytesOf({ kind: 'plain-picture', width: 30, height: 20 }));
    expect(info).toMatchObject({ width: 30, height: 20 });
  });
});

describe('too much', () => {
  it.each(['picture', 'space', 'field'] as const)(
    'goes on to totalBytes, well-formed: %s',
    async (within) => {
      const totalBytes = 3_000_000;
      const answer = await meet({ kind: 'endless', within, totalBytes, framing: 'content-length' });
      expect(answer.body.byteLength).toBeGreaterThan(totalBytes - 4);
      expect(answer.body.byteLength).toBeLessThanOrEqual(totalBytes);
      const bytes = imageOf(answer.body.toString()).picture;
      expect(bytes.subarray(0, 8).equals(picture.subarray(0, 8))).toBe(true);
      expect(bytes.equals(picture)).toBe(within !== 'picture');
    },
  );

  it('is chunked, so that its end is not told', async () => {
    const answer = await meet({ kind: 'endless', totalBytes: 100_000 });
    expect(answer.headers['transfer-encoding']).toBe('chunked');
    expect(answer.headers['content-length']).toBeUndefined();
    expect(answer.body.toString()).toContain('\r\n0\r\n\r\n');
  });

  it('inflates', async () => {
    const totalBytes = 40 * 1024 * 1024;
    const answer = await meet({ kind: 'gzip-bomb', totalBytes });
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(answer.body.byteLength).toBeLessThan(totalBytes / 300);
    const text = gunzipSync(answer.body).toString();
    expect(text.length).toBeGreaterThan(totalBytes);
    expect(imageOf(text).picture.equals(picture)).toBe(true);
  });
});

/** Whether signature and every chunk checksum are right, up to an IEND that ends the bytes. */
function isGoodPng(bytes: Buffer): boolean {
  if (!bytes.subarray(0, 8).equals(picture.subarray(0, 8))) return false;
  let offset = 8;
  while (offset + 12 <= bytes.byteLength) {
    const end = offset + 8 + bytes.readUInt32BE(offset);
    if (end + 4 > bytes.byteLength) return false;
    if (crc32(bytes.subarray(offset + 4, end)) !== bytes.readUInt32BE(end)) return false;
    if (bytes.toString('latin1', offset + 4, offset + 8) === 'IEND') return end + 4 === bytes.byteLength;
    offset = end + 4;
  }
  return false;
}
