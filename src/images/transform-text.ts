import { checkTransform, FORMATS, IMAGE_FORMATS, type ImageTransform, isIdentity } from './transform.ts';

const EXTENSION = /\.([a-z]+)$/;
const SETTINGS = /^(?:w=(\d{1,4}))?(?:(?:^|,)h=(\d{1,4}))?(?:(?:^|,)fit=(cover))?(?:(?:^|,)q=(\d{1,3}))?$/;

/**
 * The one way to write a transform as part of a path, as `w=640,h=480,fit=cover,q=80`; empty when only the format
 * differs, which the file's extension says. Defaults are left out, so equal transforms have equal texts.
 */
export const transformToText = ({ maxWidth, maxHeight, fit, quality }: ImageTransform): string =>
  [
    maxWidth === undefined ? [] : `w=${maxWidth}`,
    maxHeight === undefined ? [] : `h=${maxHeight}`,
    fit === 'COVER' ? 'fit=cover' : [],
    quality === undefined ? [] : `q=${quality}`,
  ]
    .flat()
    .join(',');

/** The path of a rendition: its settings as a folder, then the blob's key with the extension of its format. */
export const renditionPath = (blobKey: string, transform: ImageTransform | undefined): string => {
  if (!blobKey.endsWith('.png')) throw new TypeError('The key of an image ends in ".png".');
  if (transform === undefined || isIdentity(transform)) return blobKey;
  const settings = transformToText(transform);
  const file = `${blobKey.slice(0, -'png'.length)}${FORMATS[transform.format].extension}`;
  return settings === '' ? file : `${settings}/${file}`;
};

/** Reads what `renditionPath` wrote; undefined for anything it would not write. */
export const parseRenditionPath = (
  path: string,
): { blobKey: string; transform: ImageTransform | undefined } | undefined => {
  const extension = EXTENSION.exec(path)?.[1];
  const format = IMAGE_FORMATS.find((name) => FORMATS[name].extension === extension);
  if (format === undefined || extension === undefined) return undefined;

  const slash = path.indexOf('/');
  // No blob key has a "=" in it.
  const settings = path.slice(0, Math.max(0, slash)).includes('=') ? path.slice(0, slash) : '';
  const match = SETTINGS.exec(settings);
  if (match === null) return undefined;
  const [, width, height, cover, quality] = match;

  const file = settings === '' ? path : path.slice(slash + 1);
  const blobKey = `${file.slice(0, -extension.length)}png`;
  const transform: ImageTransform = {
    maxWidth: width === undefined ? undefined : Number(width),
    maxHeight: height === undefined ? undefined : Number(height),
    fit: cover === undefined ? 'CONTAIN' : 'COVER',
    format,
    quality: quality === undefined ? undefined : Number(quality),
  };
  if (checkTransform(transform).length > 0 || renditionPath(blobKey, transform) !== path) return undefined;
  return { blobKey, transform: isIdentity(transform) ? undefined : transform };
};
