import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { thumbHashToApproximateAspectRatio, thumbHashToRGBA } from 'thumbhash';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { codesOf } from '../support/edge.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const PROMPT = 'a long road';
const WIDTH = 300;
const HEIGHT = 200;

interface Rendition {
  readonly url: string;
  readonly width: number;
  readonly height: number;
  readonly contentType: string;
}

/** Starts a minute after the hour, so that none of the steps in which URLs grow older comes in between. */
const behindMs = Date.now() - Date.parse('2026-03-10T15:01:00Z');
const clock: Clock = { ...systemClock, now: () => new Date(Date.now() - behindMs) };

describe('an image', () => {
  let gateway: TestGateway;
  let id: string;
  beforeAll(async () => {
    gateway = await startTestGateway({ clock });
    gateway.sandbox.behave({ kind: 'plain-picture', width: WIDTH, height: HEIGHT });
    id = (await gateway.generateImage({ prompt: PROMPT })).image?.id ?? '';
  });
  afterAll(() => gateway.close());

  const ask = async <Fields>(fields: string, imageId = id): Promise<Fields> =>
    (
      await gateway.query<{ image: Fields }>(`query ($id: ID!) { image(id: $id) { ${fields} } }`, {
        id: imageId,
      })
    ).image;
  const download = async (url: string): Promise<Buffer> => {
    const response = await fetch(url);
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  };

  it('is measured from its pixels, and its file is what it says', async () => {
    const image = await ask<Record<string, never>>(
      'url base64 width height byteSize sha256 contentType createdAt',
    );
    const bytes = await download(image.url ?? '');
    const { width, height, format } = await sharp(bytes).metadata();
    expect({ width, height, format }).toEqual({ width: WIDTH, height: HEIGHT, format: 'png' });
    expect(image).toMatchObject({
      width: WIDTH,
      height: HEIGHT,
      byteSize: bytes.byteLength,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      contentType: 'image/png',
      base64: bytes.toString('base64'),
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  });

  it('has a thumbhash that decodes to its shape', async () => {
    const { thumbhash } = await ask<{ thumbhash: string }>('thumbhash');
    const bytes = Buffer.from(thumbhash, 'base64');
    expect(bytes.toString('base64')).toBe(thumbhash);
    expect(thumbHashToRGBA(bytes).rgba.some((value) => value > 0)).toBe(true);
    // It keeps some three bits of the ratio.
    expect(thumbHashToApproximateAspectRatio(bytes)).toBeCloseTo(WIDTH / HEIGHT, 0);
  });

  it('is described by the prompt that was drawn, else by the one that was asked for', async () => {
    gateway.sandbox.behave({ kind: 'normal' }, { kind: 'json', shape: 'no-revised-prompt' });
    const revised = await gateway.generateImage({ prompt: 'a short road' });
    expect(revised.image?.revisedPrompt).toEqual(expect.any(String));
    expect(revised.image?.altText).toBe(revised.image?.revisedPrompt);
    const plain = await gateway.generateImage({ prompt: 'a short road' });
    expect(plain.image).toMatchObject({ revisedPrompt: null, altText: 'a short road' });
  });

  it('leads to the generation that made it, and back', async () => {
    const { generation } = await ask<{ generation: object }>('generation { prompt status image { id } }');
    expect(generation).toEqual({ prompt: PROMPT, status: 'SUCCEEDED', image: { id } });
  });

  it.each([
    ['nothing changed', '{}', 300, 200, 'png'],
    ['a narrower box', '{ maxWidth: 150 }', 150, 100, 'png'],
    ['a lower box', '{ maxHeight: 50, format: WEBP }', 75, 50, 'webp'],
    [
      'a box of another shape',
      '{ maxWidth: 100, maxHeight: 100, format: JPEG, quality: 70 }',
      100,
      67,
      'jpeg',
    ],
    [
      'a box that is filled',
      '{ maxWidth: 100, maxHeight: 100, fit: COVER, format: AVIF, quality: 50 }',
      100,
      100,
      'heif',
    ],
    ['a box larger than the picture', '{ maxWidth: 8192, maxHeight: 8192, format: WEBP }', 300, 200, 'webp'],
    [
      'a filled box larger than the picture',
      '{ maxWidth: 600, maxHeight: 600, fit: COVER }',
      200,
      200,
      'png',
    ],
    ['a box of one pixel', '{ maxWidth: 1, format: JPEG }', 1, 1, 'jpeg'],
  ])('has renditions of the size that they say: %s', async (_what, transform, width, height, format) => {
    const { rendition } = await ask<{ rendition: Rendition }>(
      `rendition(transform: ${transform}) { url width height contentType }`,
    );
    expect(rendition).toMatchObject({ width, height });
    const response = await fetch(rendition.url);
    expect(response.headers.get('content-type')).toBe(rendition.contentType);
    const truth = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
    expect({ width: truth.width, height: truth.height, format: truth.format }).toEqual({
      width,
      height,
      format,
    });
  });

  it.each([
    ['{ maxWidth: 0 }', 'maxWidth'],
    ['{ maxWidth: 8193 }', 'maxWidth'],
    ['{ maxHeight: -1 }', 'maxHeight'],
    ['{ fit: COVER, maxWidth: 10 }', 'fit'],
    ['{ quality: 80 }', 'quality'],
    ['{ format: PNG, quality: 80 }', 'quality'],
    ['{ format: JPEG, quality: 0 }', 'quality'],
    ['{ format: AVIF, quality: 101 }', 'quality'],
  ])('has no rendition of %s, and says why', async (transform, field) => {
    const answer = await gateway.send(
      `query ($id: ID!) { image(id: $id) { rendition(transform: ${transform}) { url } } }`,
      { id },
    );
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT']);
    expect(answer.body.errors?.[0]?.message).toContain(field);
  });

  it('has URLs that are equal within the same minutes, so that caches can keep them', async () => {
    const urls = await ask<{ one: string; two: string }>('one: url two: url');
    expect(urls.one).toBe(urls.two);
    expect((await ask<{ url: string }>('url')).url).toBe(urls.one);
  });
});
