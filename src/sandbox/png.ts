import { crc32 } from 'node:zlib';

/** The eight bytes every PNG begins with (PNG specification, 5.2). */
export const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Bytes of signature and IHDR chunk together: where the second chunk begins. */
export const PNG_HEADER_BYTES = PNG_SIGNATURE.length + 25;

/** One chunk: length, type, data, checksum over type and data (PNG specification, 5.3). */
export function pngChunk(type: string, data: Uint8Array): Buffer {
  const chunk = Buffer.allocUnsafe(data.byteLength + 12);
  chunk.writeUInt32BE(data.byteLength, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.byteLength)), 8 + data.byteLength);
  return chunk;
}

/** The IHDR chunk. `colorType` 2 is RGB and 3 palette; `bitDepth` is per sample (PNG specification, 11.2.1). */
export function pngHeader(header: {
  width: number;
  height: number;
  bitDepth: 1 | 8;
  colorType: 2 | 3;
}): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(header.width, 0);
  data.writeUInt32BE(header.height, 4);
  data[8] = header.bitDepth;
  data[9] = header.colorType;
  return pngChunk('IHDR', data);
}

/** The PNG again, with one more chunk right after its header. */
export const withChunk = (png: Buffer, type: string, data: Uint8Array): Buffer =>
  Buffer.concat([png.subarray(0, PNG_HEADER_BYTES), pngChunk(type, data), png.subarray(PNG_HEADER_BYTES)]);
