/** What Yoga answers an operation in. */
const MEDIA_TYPES = [
  'application/graphql-response+json',
  'application/json',
  'text/event-stream',
  'multipart/mixed',
].map((mediaType) => mediaType.split('/'));

/**
 * Whether an answer in one of the media types could be read, as Yoga reads the header. It looks at it after the operation
 * was carried out: a mutation would be paid for, and its outcome thrown away.
 */
export function isAcceptable(accept: string | null): boolean {
  const ranges = (accept || '*/*').replace(/\s/g, '').toLowerCase().split(',');
  return ranges.some((range) => {
    const [mediaType = '', ...parameters] = range.split(';');
    const charset = parameters.find((parameter) => parameter.includes('charset='));
    if (charset !== undefined && charset !== 'charset=utf-8') return false;
    const [type, subtype] = mediaType.split('/');
    return MEDIA_TYPES.some(
      ([ownType, ownSubtype]) => [ownType, '*'].includes(type) && [ownSubtype, '*'].includes(subtype),
    );
  });
}
