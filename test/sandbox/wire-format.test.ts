import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IMAGE_SIZES } from '../../src/generation.ts';
import { pixelsFor } from '../../src/sandbox/pixels.ts';
import { plainPicture, type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { goodFields, imageOf, post } from './client.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ pictures: 'plain' });
});
afterAll(() => sandbox.close());

describe('a good answer', () => {
  it.each(IMAGE_SIZES)('has a PNG of the decoded pixels for %s', async (size) => {
    const { status, headers, text } = await post(sandbox.baseUrl, { ...goodFields, size });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    expect(headers['content-length']).toBe(String(Buffer.byteLength(text)));
    const { body, picture, revisedPrompt } = imageOf(text);
    expect(Object.keys(body)).toEqual(['created', 'data']);
    expect(Math.abs(body.created - Date.now() / 1000)).toBeLessThan(10);
    expect(body.data).toHaveLength(1);
    expect(revisedPrompt).toContain(goodFields.prompt);
    const { info } = await sharp(picture).raw().toBuffer({ resolveWithObject: true });
    expect({ width: info.width, height: info.height }).toEqual(pixelsFor(goodFields.prompt, size));
  });

  it('takes the documented defaults for whatever is left out', async () => {
    const { status, text } = await post(sandbox.baseUrl, { model: 'gpt-image-2', prompt: 'p' });
    const { width, height } = await sharp(imageOf(text).picture).metadata();
    expect(status).toBe(200);
    expect({ width, height }).toEqual(pixelsFor('p', '1024x1024'));
  });

  it('lets fields pass that it does not know, and prompts in any script', async () => {
    const prompt = '一张未来感 AI 产品海报,浅色背景,玻璃质感';
    const { status, text } = await post(sandbox.baseUrl, { ...goodFields, prompt, user: 'someone' });
    expect(status).toBe(200);
    expect(imageOf(text).revisedPrompt).toContain(prompt);
  });

  it('is whole for an 18 MB picture', async () => {
    const picture = plainPicture({ width: 3840, height: 2160, noise: true });
    sandbox.behave({ kind: 'picture', bytes: picture });
    const { headers, text } = await post(sandbox.baseUrl);
    expect(Number(headers['content-length'])).toBe(Buffer.byteLength(text));
    expect(imageOf(text).picture.equals(picture)).toBe(true);
  });
});

interface Case {
  readonly what: string;
  readonly fields: unknown;
  readonly status: number;
  readonly param?: string;
}
const { prompt: _prompt, ...withoutPrompt } = goodFields;
const { model: _model, ...withoutModel } = goodFields;
const refusals: readonly Case[] = [
  { what: 'no prompt', fields: withoutPrompt, status: 400, param: 'prompt' },
  { what: 'a prompt that is no string', fields: { ...goodFields, prompt: 7 }, status: 400, param: 'prompt' },
  { what: 'an empty prompt', fields: { ...goodFields, prompt: '' }, status: 400, param: 'prompt' },
  { what: 'no model', fields: withoutModel, status: 400, param: 'model' },
  { what: 'another model', fields: { ...goodFields, model: 'gpt-image-1' }, status: 400, param: 'model' },
  { what: 'n of 2', fields: { ...goodFields, n: 2 }, status: 400, param: 'n' },
  { what: 'n of 0', fields: { ...goodFields, n: 0 }, status: 400, param: 'n' },
  { what: 'n as a string', fields: { ...goodFields, n: '1' }, status: 400, param: 'n' },
  { what: 'an unknown size', fields: { ...goodFields, size: '512x512' }, status: 400, param: 'size' },
  {
    what: 'url as response_format',
    fields: { ...goodFields, response_format: 'url' },
    status: 400,
    param: 'response_format',
  },
  {
    what: 'jpeg as output_format',
    fields: { ...goodFields, output_format: 'jpeg' },
    status: 400,
    param: 'output_format',
  },
  { what: 'broken JSON', fields: '{"prompt":', status: 400 },
  { what: 'an array', fields: [goodFields], status: 400 },
  { what: 'null', fields: null, status: 400 },
  { what: 'an empty body', fields: '', status: 400 },
  { what: 'more than 1 MiB', fields: { ...goodFields, prompt: 'x'.repeat(1024 * 1024) }, status: 413 },
];

describe('a refusal', () => {
  it.each(refusals)('of $what is $status in the OpenAI shape', async ({ fields, status, param }) => {
    const before = sandbox.journal.billed().length;
    const answer = await post(sandbox.baseUrl, fields);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/json');
    const { error } = JSON.parse(answer.text) as { error: Record<string, unknown> };
    expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
    expect(error).toMatchObject({ type: 'invalid_request_error', param: param ?? null });
    expect(sandbox.journal.billed()).toHaveLength(before);
  });

  it('of a body that is not sent as JSON is 415', async () => {
    const { status } = await post(sandbox.baseUrl, goodFields, { headers: { 'content-type': 'text/plain' } });
    expect(status).toBe(415);
  });

  it('of another path is 404, of another method 405 with Allow', async () => {
    expect((await post(sandbox.baseUrl, goodFields, { path: '/images/edits' })).status).toBe(404);
    const get = await post(sandbox.baseUrl, goodFields, { method: 'GET' });
    expect(get.status).toBe(405);
    expect(get.headers.allow).toBe('POST');
  });

  it('is 401 without a key, with another scheme, and with an empty key', async () => {
    for (const authorization of ['', 'Bearer ', 'Bearer', 'Basic abc', 'sk-test']) {
      const answer = await post(sandbox.baseUrl, goodFields, { headers: { authorization } });
      expect(answer.status, authorization).toBe(401);
    }
  });

  it('is 401 for every other key where one was given', async () => {
    const strict = await startSandbox({ pictures: 'plain', apiKey: 'sk-right' });
    try {
      const wrong = await post(strict.baseUrl, goodFields, { headers: { authorization: 'Bearer sk-wrong' } });
      const right = await post(strict.baseUrl, goodFields, { headers: { authorization: 'Bearer sk-right' } });
      expect(wrong.status).toBe(401);
      expect(wrong.text).not.toContain('sk-wrong');
      expect(right.status).toBe(200);
      expect(strict.journal.entries.map((entry) => entry.headers.authorization)).toEqual([
        'refused',
        'accepted',
      ]);
    } finally {
      await strict.close();
    }
  });
});
