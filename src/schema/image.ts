import type { Image } from '../generation.ts';
import { builder } from './builder.ts';
import type { Context, ImageRendition } from './context.ts';
import { ImageFitEnum, ImageFormatEnum } from './enums.ts';
import { GenerationRef, generationOf } from './generation.ts';
import { inOrder } from './ids.ts';
import { inlinePicture, MAX_INLINE_MIB, MAX_INLINE_PICTURES } from './inline-pictures.ts';
import { checkedExpiry, MAX_EXPIRY_SECONDS } from './url-lifetime.ts';

export const ImageRef = builder.loadableNodeRef('Image', {
  id: { resolve: (image: Image) => image.id },
  load: (ids: string[], { read }: Context): Promise<Image[]> => inOrder(ids, read.imagesById),
});

const ImageTransformInput = builder.inputType('ImageTransformInput', {
  description: 'What a rendition looks like.',
  fields: (t) => ({
    maxWidth: t.int({ description: 'Pixels, 1 to 8192. Left out: not limited.' }),
    maxHeight: t.int({ description: 'Pixels, 1 to 8192. Left out: not limited.' }),
    fit: t.field({
      type: ImageFitEnum,
      required: true,
      defaultValue: 'CONTAIN',
      description: 'COVER needs both `maxWidth` and `maxHeight`.',
    }),
    format: t.field({ type: ImageFormatEnum, description: 'Left out: PNG.' }),
    quality: t.int({ description: '1 to 100; JPEG, WEBP and AVIF only.' }),
  }),
});

const ImageRenditionRef = builder.objectRef<ImageRendition>('ImageRendition').implement({
  description:
    'A resized or converted variant of an image, made when it is first fetched. It is never enlarged.',
  fields: (t) => ({
    url: t.expose('url', { type: 'URL', description: 'Signed, expiring location.' }),
    width: t.exposeInt('width', { description: 'Pixels.' }),
    height: t.exposeInt('height', { description: 'Pixels.' }),
    contentType: t.exposeString('contentType', { description: 'As the location serves it.' }),
  }),
});

builder.objectType(ImageRef, {
  description: 'A stored image, measured from its decoded pixels.',
  fields: (t) => ({
    width: t.exposeInt('width', { description: 'Decoded width in pixels.' }),
    height: t.exposeInt('height', { description: 'Decoded height in pixels.' }),
    revisedPrompt: t.exposeString('revisedPrompt', {
      nullable: true,
      description: 'The prompt that the model really drew, where the provider says (`revised_prompt`).',
    }),
    url: t.field({
      type: 'URL',
      description: 'Signed, expiring location of the PNG as the provider returned it, byte for byte.',
      args: {
        expiresInSeconds: t.arg.int({
          description: `How long the location is good for, in seconds, 1 to ${MAX_EXPIRY_SECONDS}. Left out: as configured.`,
        }),
      },
      resolve: (image, { expiresInSeconds }, { gateway }) =>
        gateway.images.url(image, checkedExpiry(expiresInSeconds)),
    }),
    rendition: t.field({
      type: ImageRenditionRef,
      description: 'A resized or converted variant, with its own size.',
      args: { transform: t.arg({ type: ImageTransformInput, required: true }) },
      resolve: (image, { transform }, { gateway }) =>
        gateway.images.rendition(image, {
          maxWidth: transform.maxWidth ?? undefined,
          maxHeight: transform.maxHeight ?? undefined,
          fit: transform.fit,
          format: transform.format ?? 'PNG',
          quality: transform.quality ?? undefined,
        }),
    }),
    base64: t.field({
      type: 'Base64String',
      description: `The whole PNG inline: costly, prefer \`url\`. One operation has ${MAX_INLINE_PICTURES} of them at most, of ${MAX_INLINE_MIB} MiB in all. An error beyond that, and where its bytes were removed.`,
      resolve: (image, _arguments, context) => inlinePicture(image, context),
    }),
    thumbhash: t.expose('thumbhash', {
      type: 'Base64String',
      nullable: true,
      description: 'ThumbHash of the picture, base64: a placeholder to paint while it loads.',
    }),
    altText: t.field({
      type: 'String',
      description: 'Text alternative: the revised prompt, else the prompt.',
      resolve: async (image, _arguments, context) =>
        image.revisedPrompt ?? (await generationOf(context, image.generationId)).prompt,
    }),
    contentType: t.exposeString('contentType', { description: 'Always `image/png`.' }),
    byteSize: t.exposeInt('byteSize', { description: 'Of the PNG, in bytes.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of the PNG, lowercase hex.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was stored.' }),
    removedAt: t.expose('removedAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When its bytes were removed by age; null while they are there. Afterwards `url` and renditions lead nowhere.',
    }),
    generation: t.field({
      type: GenerationRef,
      description: 'The request that made it.',
      resolve: (image) => image.generationId,
    }),
  }),
});
