import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JSON_SHAPES } from '../../src/sandbox/behaviours.ts';
import { type Behaviour, plainPicture } from '../../src/sandbox/sandbox.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';

const picture = plainPicture({ width: 96, height: 64, seed: 25 });
const sha256 = createHash('sha256').update(picture).digest('hex');

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ upstream: { pictures: picture } });
});
afterAll(() => gateway.close());

const SPELLINGS = ['data-url', 'escaped-slashes', 'unicode-escapes', 'line-breaks', 'unpadded'] as const;

const CASES: [what: string, behaviour: Behaviour][] = [
  ...JSON_SHAPES.map((shape): [string, Behaviour] => [shape, { kind: 'json', shape }]),
  ...SPELLINGS.map((spelling): [string, Behaviour] => [spelling, { kind: 'base64', spelling }]),
];

describe('an answer that is right, but odd', () => {
  it.each(CASES)('delivers data[0].b64_json byte for byte: %s', async (what, behaviour) => {
    const prompt = `odd: ${what}`;
    gateway.sandbox.behave(behaviour);
    const result = await gateway.generateImage({ prompt, idempotencyKey: freshKey() });
    expect(result).toMatchObject({
      __typename: 'GenerateImageSuccess',
      image: { sha256, width: 96, height: 64, byteSize: picture.byteLength },
    });
    const served = await fetch(result.image?.url ?? '');
    expect(Buffer.from(await served.arrayBuffer()).equals(picture)).toBe(true);
    expect(gateway.sandbox.journal.calls((call) => call.prompt === prompt)).toHaveLength(1);
  });

  it('keeps a revised prompt without what PostgreSQL refuses', async () => {
    gateway.sandbox.behave({ kind: 'json', shape: 'hostile-revised-prompt' });
    const { image } = await gateway.generateImage({ prompt: 'a hostile answer' });
    expect(image?.revisedPrompt).toContain('a hostile answer');
    expect(image?.revisedPrompt).not.toContain('\0');
    expect(image?.revisedPrompt?.isWellFormed()).toBe(true);
  });
});
