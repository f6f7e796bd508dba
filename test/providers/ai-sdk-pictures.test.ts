import { createOpenAI } from '@ai-sdk/openai';
import type { ImageModelV3, ImageModelV4 } from '@ai-sdk/provider';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, InvalidPictureError, ProviderFailure } from '../../src/errors.ts';
import type { ImageSize } from '../../src/generation.ts';
import { type AiSdkOptions, aiSdk } from '../../src/providers/ai-sdk.ts';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import {
  answering,
  failureOf,
  imageAnswer,
  readAll,
  startUpstream,
  type Upstream,
} from '../../src/testing/upstream.ts';
import { API_KEY, type RunningVendor, startVendor, vendorOf } from './ai-sdk-vendors.ts';

const PNG = plainPicture({ width: 1024, height: 1024 });
const request = (size: ImageSize = '1024x1024') => ({ prompt: 'a gesso ground', size });
const options = () => ({ signal: new AbortController().signal, requestId: 'request-1' });

const open: (Upstream | RunningVendor)[] = [];
afterEach(async () => {
  for (const upstream of open.splice(0)) await upstream.close();
});
async function startNamed(name: string, picture = PNG) {
  const vendor = vendorOf(name);
  const upstream = await startVendor(vendor, { picture });
  open.push(upstream);
  const provider = (more: Partial<AiSdkOptions> = {}) =>
    aiSdk({ name, model: ({ fetch }) => vendor.model(upstream.url, fetch), ...vendor.options, ...more });
  return { upstream, provider };
}

/** A model that hands over what it is told to, without a network. */
const modelOf = (images: string[] | Uint8Array[], more: object = {}): ImageModelV4 => ({
  specificationVersion: 'v4',
  provider: 'test.image',
  modelId: 'test-1',
  maxImagesPerCall: 1,
  doGenerate: async () => ({
    images,
    warnings: [],
    response: { timestamp: new Date(), modelId: 'test-1', headers: undefined },
    ...more,
  }),
});
async function pictureOf(model: AiSdkOptions['model'], more: Partial<AiSdkOptions> = {}) {
  const provider = aiSdk({ name: 'test', model, sizes: ['auto', '1024x1024'], canvas: 'size', ...more });
  const answer = await provider.generate(request(), options());
  const bytes = await readAll(answer.picture);
  return { answer, bytes, ...answer.metadata() };
}

describe('the model', () => {
  it('may be of specification 3, as of AI SDK 6', async () => {
    const response = { timestamp: new Date(), modelId: 'test-1', headers: undefined };
    const model: ImageModelV3 = {
      specificationVersion: 'v3',
      provider: 'test.image',
      modelId: 'test-1',
      maxImagesPerCall: 1,
      doGenerate: async () => ({ images: [PNG], warnings: [], response }),
    };
    expect((await pictureOf(model)).bytes.equals(PNG)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['of specification 2', { ...modelOf([PNG]), specificationVersion: 'v2' }],
    ['that is a name', 'openai/gpt-image-2'],
    ['that a function does not make', () => undefined],
    ['that is missing', undefined],
  ])('%s is refused at start', (_name, model) => {
    const create = () =>
      aiSdk({ name: 'test', model: model as ImageModelV4, sizes: ['1024x1024'], canvas: 'size' });
    expect(create).toThrow(ConfigError);
  });

  it('gives its own name, or that of the answer', async () => {
    const response = { timestamp: new Date(), modelId: 'test-1-turbo', headers: undefined };
    expect((await pictureOf(modelOf([PNG], { response }))).answer.model).toBe('test-1-turbo');
  });
});

describe('the canvas', () => {
  const sizes = ['auto', '1536x1024', '1024x1536', '2048x1152'] as const;
  async function sentBy(name: string, more: Partial<AiSdkOptions>) {
    const { upstream, provider } = await startNamed(name);
    const sent: object[] = [];
    const made = provider({ sizes, ...more });
    for (const size of sizes) {
      await readAll((await made.generate(request(size), options())).picture);
      sent.push(JSON.parse(String(upstream.paidCalls().at(-1)?.body)));
    }
    await made.close();
    return sent;
  }

  it('is sent as a size to a model that takes sizes', async () => {
    expect(await sentBy('fal', { canvas: 'size' })).toMatchObject([
      expect.not.objectContaining({ image_size: expect.anything() }),
      { image_size: { width: 1536, height: 1024 } },
      { image_size: { width: 1024, height: 1536 } },
      { image_size: { width: 2048, height: 1152 } },
    ]);
  });

  it('is sent as a ratio to a model that takes ratios', async () => {
    expect(await sentBy('luma', { canvas: 'aspectRatio' })).toMatchObject([
      expect.not.objectContaining({ aspect_ratio: expect.anything() }),
      { aspect_ratio: '3:2' },
      { aspect_ratio: '2:3' },
      { aspect_ratio: '16:9' },
    ]);
  });

  it('is what the operator says where that is something else', async () => {
    const sent = await sentBy('luma', { canvas: 'aspectRatio', canvases: { '1536x1024': '4:3' } });
    expect(sent[1]).toMatchObject({ aspect_ratio: '4:3' });
  });

  it.each<[string, Partial<AiSdkOptions>]>([
    ['no size', { sizes: [] }],
    ['a size that Gesso does not have', { sizes: ['512x512' as ImageSize] }],
    ['a ratio in the place of a size', { canvases: { '1024x1024': '1:1' } }],
    ['a canvas that is neither', { canvas: 'ratio' as 'size' }],
  ])('is refused at start with %s', async (_name, more) => {
    const create = () =>
      aiSdk({ name: 'test', model: modelOf([PNG]), sizes: ['1024x1024'], canvas: 'size', ...more });
    expect(create).toThrow(ConfigError);
  });

  it('is not made up where the configuration lacks it: nothing is sent', async () => {
    const { upstream, provider } = await startNamed('fal');
    const made = provider();
    const error = await failureOf(made.generate(request('3840x2160'), options()));
    expect(error).toBeInstanceOf(ProviderFailure);
    expect(error).toMatchObject({ outcome: 'REJECTED', rejection: 'REQUEST' });
    expect(upstream.requests).toEqual([]);
    await made.close();
  });
});

describe('the picture', () => {
  it('is kept byte for byte as PNG, in base64 and in a data: URL too', async () => {
    const base64 = PNG.toString('base64');
    for (const image of [base64, `data:image/png;base64,${base64}`]) {
      const { bytes, warnings } = await pictureOf(modelOf([image]));
      expect(bytes.equals(PNG)).toBe(true);
      expect(warnings).toEqual([]);
    }
  });

  it.each(['webp', 'gif', 'avif'] as const)('is converted from %s', async (format) => {
    const received = await sharp(PNG).toFormat(format, { lossless: true }).toBuffer();
    const { bytes, warnings } = await pictureOf(modelOf([new Uint8Array(received)]));
    const pixels = (data: Buffer) => sharp(data).ensureAlpha().raw().toBuffer();
    expect((await sharp(bytes).metadata()).format).toBe('png');
    expect((await pixels(bytes)).equals(await pixels(received))).toBe(true);
    expect(warnings).toEqual([`The picture came as image/${format}, and was converted to PNG.`]);
  });

  it('is turned as its note says, and is the first of several frames', async () => {
    const turned = await sharp(PNG).resize(60, 40, { fit: 'fill' }).withMetadata({ orientation: 6 }).jpeg();
    const { bytes } = await pictureOf(modelOf([await turned.toBuffer()]));
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 40, height: 60 });

    const frames = [PNG, plainPicture({ width: 1024, height: 1024, seed: 1 })];
    const animated = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const { warnings } = await pictureOf(modelOf([animated]));
    expect(warnings).toEqual([
      'The picture came as image/gif, and was converted to PNG, the first of 2 frames.',
    ]);
  });

  it('that does not decode is handed on as it came, for the operator', async () => {
    const jpeg = await sharp(PNG).jpeg().toBuffer();
    const { bytes } = await pictureOf(modelOf([jpeg.subarray(0, 300)]));
    expect(bytes.equals(jpeg.subarray(0, 300))).toBe(true);
  });

  it.each<[string, AiSdkOptions['model']]>([
    ['is missing', modelOf([])],
    ['is empty', modelOf([''])],
    ['is larger than allowed', modelOf([Buffer.alloc(2_000_001)])],
  ])('that %s is an answer without a picture', async (_name, model) => {
    const error = await failureOf(pictureOf(model, { limits: { maxPictureBytes: 2_000_000 } }));
    expect(error).toBeInstanceOf(InvalidPictureError);
  });

  it('whose text is no base64 was lost on the way', async () => {
    expect(await failureOf(pictureOf(modelOf(['%%%%'])))).toMatchObject({ outcome: 'UNKNOWN' });
  });

  it.each([
    [
      'another document than its package knows',
      { data: [{ url: 'https://pictures.example/1.png' }] },
      'INVALID_IMAGE',
    ],
    ['no JSON', 'Welcome to the proxy!', 'PROVIDER_FAILURE'],
  ])('that is %s was not drawn, or lost', async (_name, body, code) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const upstream = await startUpstream(answering({ status: 200, body: Buffer.from(text) }));
    open.push(upstream);
    const model: AiSdkOptions['model'] = ({ fetch }) =>
      createOpenAI({ apiKey: API_KEY, baseURL: upstream.url, fetch }).image('gpt-image-2');
    expect(await failureOf(pictureOf(model))).toMatchObject({ code, httpStatus: 200 });
  });

  it('in an answer larger than allowed is not read on', async () => {
    const upstream = await startUpstream(answering(imageAnswer(Buffer.alloc(3_000_000))));
    open.push(upstream);
    const model: AiSdkOptions['model'] = ({ fetch }) =>
      createOpenAI({ apiKey: API_KEY, baseURL: upstream.url, fetch }).image('gpt-image-2');
    const error = await failureOf(pictureOf(model, { limits: { maxBodyBytes: 1_000_000 } }));
    expect(error).toBeInstanceOf(InvalidPictureError);
  });
});

describe('what is reported', () => {
  it('is the prompt that was drawn, where the vendor says', async () => {
    const upstream = await startUpstream(
      answering(imageAnswer(PNG, { revised_prompt: `A calm ground, for ${API_KEY}` })),
    );
    open.push(upstream);
    const model: AiSdkOptions['model'] = ({ fetch }) =>
      createOpenAI({ apiKey: API_KEY, baseURL: upstream.url, fetch }).image('gpt-image-2');
    expect((await pictureOf(model)).revisedPrompt).toBe('A calm ground, for [redacted]');
  });

  it('is every setting that the vendor does not take', async () => {
    const { provider } = await startNamed('luma');
    const made = provider({ sizes: ['1024x1024'], canvas: 'size', seed: 7 });
    const answer = await made.generate(request(), options());
    await readAll(answer.picture);
    expect(answer.metadata().warnings).toEqual([
      '"seed" is not supported: This model does not support the `seed` option.',
      '"size" is not supported: This model does not support the `size` option. Use `aspectRatio` instead.',
    ]);
    await made.close();
  });

  it('is every kind of warning, a flag of fal, and pictures beyond the first', async () => {
    const { warnings } = await pictureOf(
      modelOf([PNG, PNG], {
        warnings: [
          { type: 'compatibility', feature: 'seed', details: 'Rounded.' },
          { type: 'deprecated', setting: 'style', message: 'Say it in the prompt.' },
          { type: 'other', message: 'The lamp is on.' },
          { type: 'unsupported', feature: 'n' },
        ],
        providerMetadata: { fal: { images: [{ nsfw: true }] } },
      }),
    );
    expect(warnings).toEqual([
      '"seed" is supported in part: Rounded.',
      '"style" is deprecated: Say it in the prompt.',
      'The lamp is on.',
      '"n" is not supported.',
      'The vendor flagged the picture as unsafe, and may have blanked it.',
      '2 pictures came for one, and the first was taken.',
    ]);
  });

  it('is a picture of another ratio, and for a model that takes sizes one of another size', async () => {
    const models = [plainPicture({ width: 512, height: 512 }), plainPicture({ width: 512, height: 384 })];
    const difference = async (picture: Buffer, canvas: 'size' | 'aspectRatio') =>
      (await pictureOf(modelOf([picture]), { canvas })).warnings;
    const [square, wide] = models as [Buffer, Buffer];
    expect(await difference(square, 'aspectRatio')).toEqual([]);
    expect(await difference(square, 'size')).toEqual(['1024x1024 was asked for, and 512x512 was drawn.']);
    expect(await difference(wide, 'aspectRatio')).toEqual([
      '1024x1024 was asked for, and 512x384 was drawn.',
    ]);
  });
});
