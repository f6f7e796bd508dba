/** A range of bytes, both ends included, counted from 0. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a `Range` header (https://www.rfc-editor.org/rfc/rfc9110#section-14.2) for a body of `byteSize` bytes.
 * Undefined means the whole body: there is no header, or it is one that may be ignored (another unit, malformed,
 * several ranges).
 */
export const parseByteRange = (
  header: string | null,
  byteSize: number,
): ByteRange | 'unsatisfiable' | undefined => {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Number(last);
    if (length === 0 || byteSize === 0) return 'unsatisfiable';
    return { start: Math.max(0, byteSize - length), end: byteSize - 1 };
  }
  const start = Number(first);
  const end = last === '' ? byteSize - 1 : Math.min(Number(last), byteSize - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= byteSize ? 'unsatisfiable' : { start, end };
};
