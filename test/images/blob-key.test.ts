import { describe, expect, it } from 'vitest';
import { assertBlobKey, blobKeyOf } from '../../src/images/blob-key.ts';

describe('blobKeyOf', () => {
  it('names the image after its attempt, in a folder of its last digits', () => {
    expect(blobKeyOf('019A7C1E-3b1f-7000-8000-0123456789ab')).toBe(
      'ab/019a7c1e-3b1f-7000-8000-0123456789ab.png',
    );
    expect(() => assertBlobKey(blobKeyOf('019a7c1e'))).not.toThrow();
  });

  it('refuses what is no id', () => {
    for (const id of ['', 'a', '../x', 'zz', 'a.b']) expect(() => blobKeyOf(id)).toThrow(TypeError);
  });
});
