import type { ImageSize } from '../generation.ts';
import { type Random, randomFrom } from './random.ts';

export interface Pixels {
  readonly width: number;
  readonly height: number;
}

type FixedSize = Exclude<ImageSize, 'auto'>;

/**
 * What some prompts get instead. "The actual returned pixels may be mapped or adjusted by the server", says
 * BetterToken's page of `POST /v1/images/generations`, so a client that trusts `size` must fail here too.
 */
const ADJUSTED: Readonly<Record<FixedSize, Pixels>> = {
  '1024x1024': { width: 1254, height: 1254 },
  '1536x1024': { width: 1448, height: 1086 },
  '1024x1536': { width: 1086, height: 1448 },
  '2048x2048': { width: 1920, height: 1920 },
  '2048x1152': { width: 1672, height: 941 },
  '3840x2160': { width: 3264, height: 1836 },
  '2160x3840': { width: 1836, height: 3264 },
};

/** The pixels a picture really gets: those asked for by about three prompts in four, always the same for one prompt. */
export function pixelsFor(prompt: string, size: ImageSize): Pixels {
  const random = randomFrom(prompt, 'pixels');
  const adjusted = random.chance(0.25);
  const fixed = size === 'auto' ? chooseSize(random) : size;
  if (adjusted) return ADJUSTED[fixed];
  const [width = 0, height = 0] = fixed.split('x').map(Number);
  return { width, height };
}

const chooseSize = (random: Random): FixedSize =>
  random.pick<FixedSize>(['1024x1024', '1536x1024', '1024x1536']);
