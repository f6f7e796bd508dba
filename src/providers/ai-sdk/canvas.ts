import { ConfigError } from '../../errors.ts';
import { IMAGE_SIZES, type ImageSize } from '../../generation.ts';

/** What an image model is told of its canvas: one of the two, or nothing for a canvas of its own choice. */
export interface Canvas {
  /** In pixels. */
  readonly size: `${number}x${number}` | undefined;
  readonly aspectRatio: `${number}:${number}` | undefined;
}

export interface CanvasOptions {
  /** The sizes that the model can draw; a request for another is refused before it gets to the model. */
  readonly sizes: readonly ImageSize[];
  /** What the model takes. Which of the two is in the vendor's page of the AI SDK; none takes both. */
  readonly canvas: 'size' | 'aspectRatio';
  /**
   * What to send for a size in the place of what its name says, as `<width>x<height>` or `<width>:<height>`.
   * The picture that comes is measured all the same, and a difference is reported.
   */
  readonly canvases?: { readonly [Size in ImageSize]?: string };
}

const PATTERNS = { size: /^[1-9]\d{0,4}x[1-9]\d{0,4}$/, aspectRatio: /^[1-9]\d{0,4}:[1-9]\d{0,4}$/ };

/**
 * What is sent for each declared size.
 *
 * @throws {ConfigError} where a size is unknown, or what it is to be sent as is no canvas.
 */
export function createCanvases(
  name: string,
  { sizes, canvas, canvases = {} }: CanvasOptions,
): ReadonlyMap<ImageSize, Canvas> {
  if (sizes.length === 0) throw new ConfigError(`The provider "${name}" takes no size.`);
  if (!Object.hasOwn(PATTERNS, canvas)) {
    throw new ConfigError(`The canvas of the provider "${name}" must be "size" or "aspectRatio".`);
  }
  for (const size of [...sizes, ...Object.keys(canvases)]) {
    if (!IMAGE_SIZES.some((known) => known === size)) {
      throw new ConfigError(`The provider "${name}" declares "${size}", which is no size of Gesso.`);
    }
  }
  return new Map(sizes.map((size) => [size, toCanvas(name, canvas, canvases[size] ?? nameOf(size, canvas))]));
}

function toCanvas(name: string, canvas: CanvasOptions['canvas'], text: string | undefined): Canvas {
  if (text !== undefined && !PATTERNS[canvas].test(text)) {
    throw new ConfigError(`The provider "${name}" can't send "${text}" as ${canvas}.`);
  }
  return {
    size: canvas === 'size' ? (text as Canvas['size']) : undefined,
    aspectRatio: canvas === 'aspectRatio' ? (text as Canvas['aspectRatio']) : undefined,
  };
}

/** `1536x1024` as it is, or as `3:2`; nothing for `auto`. */
function nameOf(size: ImageSize, canvas: CanvasOptions['canvas']): string | undefined {
  const sides = sidesOf(size);
  if (sides === undefined || canvas === 'size') return sides && size;
  const divisor = greatestCommonDivisor(sides.width, sides.height);
  return `${sides.width / divisor}:${sides.height / divisor}`;
}

const sidesOf = (size: ImageSize): { width: number; height: number } | undefined => {
  const [width, height] = size.split('x').map(Number);
  return width === undefined || height === undefined ? undefined : { width, height };
};

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);

/** Models round the sides of a ratio to multiples of 8 to 64 pixels. */
const RATIO_TOLERANCE = 0.05;

/**
 * What a picture is that was asked for in another size, as a sentence; undefined where it is what was asked for. Of a
 * model that takes ratios only the ratio was asked for.
 */
export function differenceOf(
  size: ImageSize,
  canvas: CanvasOptions['canvas'],
  picture: { readonly width: number; readonly height: number },
): string | undefined {
  const asked = sidesOf(size);
  if (asked === undefined) return undefined;
  const stretch = picture.width / picture.height / (asked.width / asked.height);
  const same =
    canvas === 'size'
      ? picture.width === asked.width && picture.height === asked.height
      : Math.abs(stretch - 1) <= RATIO_TOLERANCE;
  return same ? undefined : `${size} was asked for, and ${picture.width}x${picture.height} was drawn.`;
}
