import { expect, it } from 'vitest';
import { aspectRatioOf } from './aspect-ratio.ts';

it.each([
  [1536, 1024, '3:2'],
  [1024, 1024, '1:1'],
  [3840, 2160, '16:9'],
  [2160, 3840, '9:16'],
  [1023, 1024, '1023:1024'],
])('%i × %i is %s', (width, height, ratio) => {
  expect(aspectRatioOf({ width, height })).toBe(ratio);
});
