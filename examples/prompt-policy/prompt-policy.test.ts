import { InvalidInputError } from 'gesso';
import { describeRequestMiddleware, makeAnswer, makeRequest } from 'gesso/testing';
import { describe, expect, it } from 'vitest';
import { promptPolicy } from './prompt-policy.ts';

const policy = () => promptPolicy({ words: ['war', 'Dragon'] });
describeRequestMiddleware('promptPolicy', policy);

describe('promptPolicy', () => {
  const send = (prompt: string) => policy()(makeRequest({ prompt }), async () => makeAnswer());

  it.each(['war', 'Star WAR!', 'a dragon-shaped kite', 'ＷＡＲ'])('refuses %j', async (prompt) => {
    await expect(send(prompt)).rejects.toBeInstanceOf(InvalidInputError);
  });

  it.each(['a warm evening', 'dragonfly', 'Krieg'])('lets %j pass', async (prompt) => {
    expect(await send(prompt)).toEqual(makeAnswer());
  });
});
