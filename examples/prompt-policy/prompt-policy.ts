import { InvalidInputError, type RequestMiddleware } from 'gesso';

/**
 * Refuses prompts that have one of the words, as a word of its own and in any case: with "war", "WAR!" is refused, and
 * "warm" is not. Nothing is recorded of a refused prompt but the refusal, and nothing is sent.
 */
export function promptPolicy({ words }: { words: readonly string[] }): RequestMiddleware {
  const refused = new Set(words.map(plain));
  return async function promptPolicy(request, next) {
    const found = plain(request.prompt)
      .split(/[^\p{L}\p{N}]+/u)
      .find((word) => refused.has(word));
    if (found !== undefined) {
      throw new InvalidInputError([
        { path: ['input', 'prompt'], message: `must not have the word "${found}".` },
      ]);
    }
    return next(request);
  };
}

/** So that full-width letters, ligatures and capitals are no way around it. */
const plain = (text: string): string => text.normalize('NFKC').toLowerCase();
