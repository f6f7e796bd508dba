import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { compose, draw } from '../../src/sandbox/draw.ts';
import { pixelsFor } from '../../src/sandbox/pixels.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { createTurnstile } from '../../src/sandbox/turnstile.ts';
import { goodFields, imageOf, post } from './client.ts';

const small = { width: 1024, height: 1024 };
const prompts = Array.from({ length: 400 }, (_, index) => `prompt number ${index}`);

describe('draw', () => {
  it('makes the same bytes for the same prompt and pixels', async () => {
    const [first, second] = await Promise.all([draw('a fox', small), draw('a fox', small)]);
    expect(first.equals(second)).toBe(true);
  });

  it('makes a PNG of exactly the pixels, without alpha', async () => {
    for (const pixels of [small, { width: 1672, height: 941 }, { width: 1086, height: 1448 }]) {
      const { info } = await sharp(await draw('a fox', pixels))
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect(info).toMatchObject({ ...pixels, channels: 3 });
    }
  });

  it('makes another picture of every prompt', () => {
    // They differ in their digits only, which the caption leaves out: so it is the art that differs.
    const pictures = new Set(prompts.map((prompt) => compose(prompt, small)));
    expect(pictures.size).toBe(prompts.length);
  });

  it('shows something: no picture is nearly one colour', async () => {
    for (const prompt of prompts.slice(0, 12)) {
      const { channels } = await sharp(await draw(prompt, small)).stats();
      expect(Math.max(...channels.map(({ stdev }) => stdev)), prompt).toBeGreaterThan(20);
    }
  });

  it('draws prompts that would break markup', async () => {
    const prompt = '</svg><script>"&\0\ud800 \u{1F3A8}';
    expect(compose(prompt, small)).not.toContain('script');
    expect((await sharp(await draw(prompt, small)).metadata()).width).toBe(1024);
  });

  it('is what the sandbox answers with', async () => {
    const sandbox = await startSandbox();
    try {
      const [first, second] = await Promise.all([post(sandbox.baseUrl), post(sandbox.baseUrl)]);
      const expected = await draw(goodFields.prompt, pixelsFor(goodFields.prompt, goodFields.size));
      expect(imageOf(first.text).picture.equals(expected)).toBe(true);
      expect(imageOf(second.text).picture.equals(expected)).toBe(true);
    } finally {
      await sandbox.close();
    }
  });
});

describe('pixelsFor', () => {
  it('adjusts about one prompt in four, and always the same ones', () => {
    const adjusted = prompts.filter((prompt) => pixelsFor(prompt, '1024x1024').width === 1254);
    expect(adjusted.length).toBeGreaterThan(prompts.length * 0.18);
    expect(adjusted.length).toBeLessThan(prompts.length * 0.32);
    expect(adjusted.every((prompt) => pixelsFor(prompt, '3840x2160').width === 3264)).toBe(true);
  });

  it('chooses the shape by the prompt for auto', () => {
    const shapes = new Set(
      prompts
        .map((prompt) => pixelsFor(prompt, 'auto'))
        .map(({ width, height }) => Math.sign(width - height)),
    );
    expect([...shapes].sort()).toEqual([-1, 0, 1]);
  });
});

describe('createTurnstile', () => {
  it('runs two at a time in the order they came, and goes on after a failure', async () => {
    const turnstile = createTurnstile(2);
    const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    const started: number[] = [];
    const tasks = gates.map(({ promise }, index) =>
      turnstile(async () => {
        started.push(index);
        await promise;
      }),
    );
    await Promise.resolve();
    expect(started).toEqual([0, 1]);
    gates[1]?.reject(new Error('spilled'));
    await expect(tasks[1]).rejects.toThrow('spilled');
    expect(started).toEqual([0, 1, 2]);
    for (const gate of gates) gate.resolve();
    await Promise.all([tasks[0], tasks[2], tasks[3]]);
    expect(started).toEqual([0, 1, 2, 3]);
  });
});
