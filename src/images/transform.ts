import type { InputIssue } from '../errors.ts';

export const IMAGE_FORMATS = ['PNG', 'JPEG', 'WEBP', 'AVIF'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** `CONTAIN`: inside the box, never cropped. `COVER`: the box is filled, what hangs over is cropped. */
export const IMAGE_FITS = ['CONTAIN', 'COVER'] as const;
export type ImageFit = (typeof IMAGE_FITS)[number];

/** How a rendition differs from the stored picture. Nothing is ever enlarged. */
export interface ImageTransform {
  /** Pixels, 1 to 8192. */
  readonly maxWidth?: number | undefined;
  /** Pixels, 1 to 8192. */
  readonly maxHeight?: number | undefined;
  readonly fit: ImageFit;
  readonly format: ImageFormat;
  /** 1 to 100; JPEG, WEBP and AVIF only. */
  readonly quality?: number | undefined;
}

export const MAX_RENDITION_SIDE = 8192;

/** The fixed content type and file extension of each format. */
export const FORMATS: Readonly<Record<ImageFormat, { contentType: string; extension: string }>> = {
  PNG: { contentType: 'image/png', extension: 'png' },
  JPEG: { contentType: 'image/jpeg', extension: 'jpg' },
  WEBP: { contentType: 'image/webp', extension: 'webp' },
  AVIF: { contentType: 'image/avif', extension: 'avif' },
};

/** Says what the types can't: an empty list means that the transform is good. */
export const checkTransform = (transform: ImageTransform): InputIssue[] => {
  const { maxWidth, maxHeight, fit, format, quality } = transform;
  const issues: InputIssue[] = [];
  const refuse = (field: string, message: string) => issues.push({ path: [field], message });

  for (const [field, pixels] of Object.entries({ maxWidth, maxHeight })) {
    if (pixels !== undefined && !isWithin(pixels, 1, MAX_RENDITION_SIDE)) {
      refuse(field, `must be a whole number of pixels from 1 to ${MAX_RENDITION_SIDE}.`);
    }
  }
  if (fit === 'COVER' && (maxWidth === undefined || maxHeight === undefined)) {
    refuse('fit', 'COVER needs both maxWidth and maxHeight.');
  }
  if (quality !== undefined && format === 'PNG') {
    refuse('quality', 'is for JPEG, WEBP and AVIF only; a PNG is always exact.');
  } else if (quality !== undefined && !isWithin(quality, 1, 100)) {
    refuse('quality', 'must be a whole number from 1 to 100.');
  }
  return issues;
};

const isWithin = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

/** Whether the transform asks for the stored picture as it is, byte for byte. */
export const isIdentity = ({ maxWidth, maxHeight, format }: ImageTransform): boolean =>
  format === 'PNG' && maxWidth === undefined && maxHeight === undefined;

/**
 * The size in pixels that a rendition of the picture has, known without making it.
 *
 * CONTAIN keeps the picture's ratio; a side left out of the box is as long as a box's side can be. COVER keeps the
 * box's ratio: a box that the picture can't fill is shrunk until it can.
 */
export const renditionSize = (
  image: { readonly width: number; readonly height: number },
  transform: ImageTransform,
): { width: number; height: number } => {
  if (isIdentity(transform)) return { width: image.width, height: image.height };
  const { maxWidth = MAX_RENDITION_SIDE, maxHeight = MAX_RENDITION_SIDE } = transform;
  const [shape, limit] =
    transform.fit === 'COVER'
      ? [{ width: maxWidth, height: maxHeight }, image]
      : [image, { width: maxWidth, height: maxHeight }];
  const scale = Math.min(1, limit.width / shape.width, limit.height / shape.height);
  return {
    width: Math.max(1, Math.min(limit.width, Math.round(shape.width * scale))),
    height: Math.max(1, Math.min(limit.height, Math.round(shape.height * scale))),
  };
};
