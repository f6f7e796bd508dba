import { gzipSync } from 'node:zlib';
import type { BehaviourOf } from './behaviours.ts';
import { type Body, base64Body, bytesBody, joined, repeated, textBody } from './body.ts';
import { type ImageAnswer, imageJson } from './image-json.ts';
import { PNG_SIGNATURE, pngHeader } from './png.ts';

const KIB = 1024;

/** The body of `{ kind: 'endless' }`: `totalBytes` long, well-formed JSON from its first to its last byte. */
export function endlessBody({ within, totalBytes }: BehaviourOf<'endless'>, image: ImageAnswer): Body {
  const [before, filler, after] = parts(within, image);
  const room = Math.max(0, totalBytes - before.byteSize - after.byteSize);
  // Base64 comes in fours, or its end would not be well-formed.
  return joined(before, repeated(Buffer.alloc(64 * KIB, filler), room - (room % 4)), after);
}

function parts(within: BehaviourOf<'endless'>['within'], image: ImageAnswer): [Body, string, Body] {
  switch (within) {
    case 'picture': {
      const opening = textBody(`{"created":${image.created},"data":[{"b64_json":"`);
      return [joined(opening, base64Body(pictureStart())), 'A', textBody('"}]}')];
    }
    case 'field':
      // The good answer goes on after its opening brace.
      return [textBody('{"padding":"'), 'x', joined(textBody('",'), afterBrace(imageJson(image)))];
    case 'space':
      return [textBody(''), ' ', imageJson(image)];
  }
}

const afterBrace = (json: Body): Body => {
  const text = Buffer.concat([...json.chunks()]);
  return bytesBody(text.subarray(1));
};

/** A PNG as far as its first pixels, with a chunk length that lets them go on for 2 GiB; a multiple of 3 bytes. */
function pictureStart(): Buffer {
  const header = pngHeader({ width: 3840, height: 2160, bitDepth: 8, colorType: 2 });
  const start = Buffer.concat([
    PNG_SIGNATURE,
    header,
    Buffer.from([0x7f, 0xff, 0xff, 0xff]),
    Buffer.from('IDAT'),
  ]);
  return Buffer.concat([start, Buffer.alloc(3 - (start.byteLength % 3))]);
}

/**
 * The body of `{ kind: 'gzip-bomb' }`: inflates to at least `totalBytes` of white space and then a good answer. It is
 * made of gzip members one after another (RFC 1952, 2.2), so that a bomb of any size is made at once.
 */
export function bombBody(totalBytes: number, image: ImageAnswer): Body {
  const blockBytes = Math.min(totalBytes, 4 * KIB * KIB);
  const member = gzipSync(Buffer.alloc(blockBytes, ' '), { level: 9 });
  const answer = Buffer.concat([...imageJson(image).chunks()]);
  return joined(
    repeated(member, member.byteLength * Math.ceil(totalBytes / blockBytes)),
    bytesBody(gzipSync(answer, { level: 1 })),
  );
}
