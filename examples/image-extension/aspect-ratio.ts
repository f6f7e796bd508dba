import type { SchemaExtension } from 'gesso';

/** Width to height in the smallest whole numbers: `3:2`. */
export function aspectRatioOf({ width, height }: { width: number; height: number }): string {
  let [divisor, rest] = [width, height];
  while (rest > 0) [divisor, rest] = [rest, divisor % rest];
  return `${width / divisor}:${height / divisor}`;
}

/** `Image.aspectRatio`, measured like width and height. The resolver's parent is the image, as the gateway has it. */
export const aspectRatio: SchemaExtension = {
  typeDefs: `
    extend type Image {
      "Width to height in the smallest whole numbers, as in \`3:2\`."
      aspectRatio: String!
    }
  `,
  resolvers: { Image: { aspectRatio: (image) => aspectRatioOf(image) } },
};
