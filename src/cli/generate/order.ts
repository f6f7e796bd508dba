import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { DeliveryGuarantee, ImageSize } from '../../client/index.ts';
import { IMAGE_SIZES } from '../../generation.ts';
import type { ClientOptions } from '../client-settings.ts';
import { misuse } from '../exit-codes.ts';
import { type Rendering, type RenderingOptions, renderingOf } from '../images/file-format.ts';
import { shellWords } from '../terminal/shell-words.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** As commander reads them. */
export interface GenerateOptions extends ClientOptions, RenderingOptions {
  readonly size: string;
  readonly count: number;
  readonly delivery: string;
  readonly provider?: string;
  readonly key?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** What is asked for, and what becomes of it. */
export interface Order {
  readonly prompt: string;
  readonly size: ImageSize;
  readonly count: number;
  readonly delivery: DeliveryGuarantee;
  readonly provider: string | undefined;
  /** Also where none was given: with it the same is asked for again, and nothing is bought. */
  readonly key: string;
  readonly rendering: Rendering;
  /** To standard output, and no file. */
  readonly toPipe: boolean;
}

/** `landscape-1536x1024`, by the size that the gateway knows it by. */
const SIZES: ReadonlyMap<string, ImageSize> = new Map(
  IMAGE_SIZES.map((size) => {
    const [width = 0, height = 0] = size.split('x').map(Number);
    const shape = width === height ? 'square' : width > height ? 'landscape' : 'portrait';
    const name = size === 'auto' ? size : `${shape}-${size}`;
    return [name, name.toUpperCase().replace('-', '_') as ImageSize];
  }),
);
export const SIZE_NAMES = [...SIZES.keys()];

/** @throws {CommandFailure} for what can't be meant, before anything is asked for. */
export async function orderOf(
  prompt: string,
  options: GenerateOptions,
  { stdin, stdout }: Terminal,
): Promise<Order> {
  const { output, count, key } = options;
  const toPipe = output === '-';
  if (toPipe && count > 1)
    throw misuse('Several images do not go into one pipe.', 'Name a file with --output.');
  if (toPipe && options.json === true) throw misuse('--json and --output - both mean standard output.');
  if (toPipe && stdout.isTTY === true) {
    throw misuse(
      "A picture can't be shown in a terminal.",
      'Pipe it on, or name a file: --output poster.png',
    );
  }
  if (key !== undefined && !/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw misuse('--key takes 1 to 255 printable ASCII characters.');
  }
  const rendering = renderingOf(options);
  const words = prompt === '-' ? await text(stdin) : prompt;
  if (words.trim() === '') throw misuse('The prompt is empty.');
  return {
    prompt: prompt === '-' ? words.trimEnd() : words,
    size: sizeOf(options.size),
    count,
    delivery: options.delivery.toUpperCase().replaceAll('-', '_') as DeliveryGuarantee,
    provider: options.provider,
    key: key ?? randomUUID(),
    rendering,
    toPipe,
  };
}

/** With or without its shape. */
function sizeOf(name: string): ImageSize {
  const wanted = name.toLowerCase().replaceAll('_', '-');
  for (const [known, size] of SIZES) if (known === wanted || known.endsWith(`-${wanted}`)) return size;
  throw misuse(`There is no size "${name}".`, `Sizes are ${SIZE_NAMES.join(', ')}.`);
}

/** The command line that asks for the same again, and gets the same image. */
export function sameAgain(program: string, prompt: string, options: GenerateOptions, key: string): string {
  const {
    size,
    count,
    delivery,
    provider,
    output,
    format,
    maxWidth,
    maxHeight,
    fit,
    quality,
    url,
    apiKeyFile,
  } = options;
  const given: readonly [name: string, value: string | number | undefined, byDefault?: string | number][] = [
    ['--size', size, 'square-1024x1024'],
    ['--count', count, 1],
    ['--delivery', delivery, 'at-least-once'],
    ['--provider', provider],
    ['--output', output],
    ['--format', format],
    ['--max-width', maxWidth],
    ['--max-height', maxHeight],
    ['--fit', fit, 'contain'],
    ['--quality', quality],
    ['--url', url],
    ['--api-key-file', apiKeyFile],
    ['--key', key],
  ];
  const words = given.flatMap(([name, value, byDefault]) =>
    value === undefined || value === byDefault ? [] : [name, String(value)],
  );
  // A prompt that begins with a hyphen is no option.
  const last = prompt.startsWith('-') && prompt !== '-' ? ['--', prompt] : [];
  const first = last.length === 0 ? [prompt] : [];
  return `${program} ${shellWords(['generate', ...first, ...words, ...last])}`;
}
