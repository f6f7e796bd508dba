import { deflateSync } from 'node:zlib';
import type { BehaviourOf } from './behaviours.ts';
import { PNG_HEADER_BYTES, PNG_SIGNATURE, pngChunk, withChunk } from './png.ts';

/** Bytes of an IEND chunk, which has no data. */
const END_BYTES = 12;

/** Takes a good PNG and gives it the fault that the behaviour asks for. The PNG itself is left as it is. */
export function breakPicture(png: Buffer, behaviour: BehaviourOf<'broken-picture'>): Buffer {
  switch (behaviour.fault) {
    case 'cut':
      return png.subarray(0, Math.floor(png.byteLength / 2));
    case 'no-end':
      return png.subarray(0, png.byteLength - END_BYTES);
    case 'bad-checksum': {
      const flipped = Buffer.from(png);
      // Right before the checksum of the last IDAT chunk, which the IEND chunk follows.
      const place = png.byteLength - END_BYTES - 5;
      flipped[place] = (flipped[place] ?? 0) ^ 1;
      return flipped;
    }
    case 'bad-pixels':
      return Buffer.concat([
        png.subarray(0, PNG_HEADER_BYTES),
        pngChunk('PLTE', Buffer.from([0, 0, 0, 255, 255, 255])),
        pngChunk('IDAT', Buffer.from('these are no deflated pixels')),
        pngChunk('IEND', Buffer.alloc(0)),
      ]);
    case 'claimed-pixels':
      return withClaimedPixels(png, behaviour.claimedWidth, behaviour.claimedHeight);
    case 'trailing-bytes':
      return Buffer.concat([png, Buffer.from('<script>alert(1)</script>')]);
    case 'large-text':
      return withChunk(
        png,
        'tEXt',
        Buffer.concat([Buffer.from('Comment\0'), Buffer.alloc(behaviour.textBytes, 'x')]),
      );
    case 'inflating-text': {
      const text = deflateSync(Buffer.alloc(behaviour.textBytes, 'x'), { level: 9 });
      return withChunk(png, 'zTXt', Buffer.concat([Buffer.from('Comment\0\0'), text]));
    }
    case 'svg':
      return Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
    case 'html':
      return Buffer.from('<!doctype html><script>alert(1)</script>');
    case 'jpeg':
      return Buffer.from(TINY_JPEG, 'base64');
    case 'text':
      return Buffer.from('I am sorry, I can not draw that.');
  }
}

function withClaimedPixels(png: Buffer, width: number, height: number): Buffer {
  const header = Buffer.from(png.subarray(PNG_SIGNATURE.length + 8, PNG_HEADER_BYTES - 4));
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  return Buffer.concat([PNG_SIGNATURE, pngChunk('IHDR', header), png.subarray(PNG_HEADER_BYTES)]);
}

/** One grey pixel, a JPEG that every viewer opens. */
const TINY_JPEG =
  '/9j/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/2wBD' +
  'ARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAARCAABAAED' +
  'ASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFAEBAAAAAAAAAAAAAAAAAAAA' +
  'AP/EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/AKAA/9k=';
