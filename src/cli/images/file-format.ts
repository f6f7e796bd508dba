import { extname } from 'node:path';
import { checkTransform, type ImageFit, type ImageFormat } from '../../images/transform.ts';
import { misuse } from '../exit-codes.ts';

/** How a picture is written to a file. */
export interface Rendering {
  readonly format: ImageFormat;
  readonly maxWidth: number | undefined;
  readonly maxHeight: number | undefined;
  readonly fit: ImageFit;
  readonly quality: number | undefined;
}

/** What the options say of it. */
export interface RenderingOptions {
  readonly output?: string;
  readonly format?: string;
  readonly maxWidth?: number;
  readonly maxHeight?: number;
  readonly fit: string;
  readonly quality?: number;
}

const FORMAT_OF: Readonly<Record<string, ImageFormat>> = {
  '.png': 'PNG',
  '.jpg': 'JPEG',
  '.jpeg': 'JPEG',
  '.webp': 'WEBP',
  '.avif': 'AVIF',
};

/** Of a file name without one, with its dot. */
export const extensionOf = (format: ImageFormat): string =>
  format === 'JPEG' ? '.jpg' : `.${format.toLowerCase()}`;

/**
 * What is meant by `--format`, the file's extension and the measures, before anything is asked for: an image must not
 * be bought that can't be written then.
 *
 * @throws {CommandFailure} where they contradict each other, or the gateway would refuse them.
 */
export function renderingOf(options: RenderingOptions): Rendering {
  const { output, format: named, maxWidth, maxHeight, quality } = options;
  const extension = output === undefined || output === '-' ? '' : extname(output).toLowerCase();
  const byExtension = FORMAT_OF[extension];
  const byName = named === undefined ? undefined : FORMAT_OF[`.${named.toLowerCase()}`];
  if (byName !== undefined && byExtension !== undefined && byName !== byExtension) {
    throw misuse(`--format ${named} contradicts the name ${output}.`, 'Leave one of the two out.');
  }
  if (extension !== '' && byExtension === undefined) {
    throw misuse(
      `"${extension}" is no image format that can be written.`,
      'Name a .png, .jpg, .webp or .avif.',
    );
  }
  const fit = options.fit.toUpperCase() === 'COVER' ? 'COVER' : 'CONTAIN';
  const rendering = { format: byName ?? byExtension ?? 'PNG', maxWidth, maxHeight, fit, quality } as const;
  const [issue] = checkTransform(rendering);
  if (issue !== undefined) throw misuse(`--${kebab(issue.path.join('.'))} ${inOptions(issue.message)}`);
  return rendering;
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The gateway's words, with the names that options have. */
const inOptions = (message: string): string =>
  message
    .replaceAll('COVER', 'cover')
    .replaceAll('WEBP', 'WebP')
    .replaceAll(/max(Width|Height)/g, (name) => `--${kebab(name)}`);

/** Whether it is the stored PNG itself, byte for byte. */
export const isOriginal = ({ format, maxWidth, maxHeight }: Rendering): boolean =>
  format === 'PNG' && maxWidth === undefined && maxHeight === undefined;
