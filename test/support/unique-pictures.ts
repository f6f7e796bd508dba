import { createHash } from 'node:crypto';
import { plainPicture, type SandboxRequest } from '../../src/sandbox/sandbox.ts';
import { createHeldPictures, type HeldPictures } from './held-pictures.ts';

/** Pictures of a sandbox of which no two are alike, so that a picture in the wrong place is known as such. */
export interface UniquePictures extends HeldPictures {
  /** SHA-256, lowercase hex, of the picture that was made for the call with this X-Request-Id. */
  sha256Of(requestId: string): string | undefined;
}

export function createUniquePictures(): UniquePictures {
  const held = createHeldPictures();
  const digests = new Map<string, string>();
  return {
    ...held,
    async paint(request: SandboxRequest) {
      await held.paint(request);
      const { number, requestId } = request;
      const picture = plainPicture({ width: 64, height: 64, seed: number });
      if (requestId !== undefined) digests.set(requestId, createHash('sha256').update(picture).digest('hex'));
      return picture;
    },
    sha256Of: (requestId) => digests.get(requestId),
  };
}
