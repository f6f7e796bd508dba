import type { Generation } from '../../client/index.ts';
import { shortId } from '../ids.ts';
import { shellWords } from '../terminal/shell-words.ts';
import { styleOf } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { type GenerateOptions, sameAgain } from './order.ts';

export interface Farewell {
  readonly signal: NodeJS.Signals;
  readonly prompt: string;
  readonly options: GenerateOptions;
  readonly key: string;
  readonly generations: readonly (Generation | undefined)[];
}

/** Tells who leaves how to get the picture later. */
export function farewell(
  { stderr, program }: Terminal,
  { prompt, options, key, generations }: Farewell,
): void {
  const { bold, dim } = styleOf(stderr);
  const known = generations.filter((generation) => generation !== undefined);
  const [it, goesOn] =
    options.count > 1
      ? ['them', 'The images are made all the same, and kept.']
      : ['it', 'The image is made all the same, and kept.'];
  const command = (about: string, line: string) => [`  ${dim(about)}`, `    ${line}`];
  const lines = [
    known.length === 0
      ? 'Stopped waiting. The request may have reached the gateway, which then goes on with it.'
      : `Stopped waiting. ${goesOn}`,
    '',
    ...command(`Get ${it} later; nothing is bought twice:`, bold(sameAgain(program, prompt, options, key))),
  ];
  const [only] = known;
  if (only !== undefined && options.count === 1) {
    const output = options.output === undefined ? [] : ['--output', options.output];
    const ask = (words: readonly string[]) => `${program} ${shellWords(words)}`;
    lines.push(...command('Or by its id:', ask(['image', shortId(only.id), ...output])));
    lines.push(...command('Or stop it:', ask(['cancel', shortId(only.id)])));
  }
  stderr.write(`${lines.join('\n')}\n`);
}
