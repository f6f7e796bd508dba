import { UnauthenticatedError } from '../errors.ts';
import { type GenerationInput, MAX_IMAGES_AT_ONCE, toGenerationRequests } from '../generation-input.ts';
import type { GenerationRequest } from '../middleware/middleware.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { DeliveryGuaranteeEnum, ImageSizeEnum } from './enums.ts';
import { GenerateImageResult, refusalOf, resultOf } from './generate-image-result.ts';

type InputFields = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];

/** What one image and several are asked for with alike. */
const requestFields = (t: InputFields, { idempotencyKey }: { idempotencyKey: string }) => ({
  prompt: t.string({ required: true, description: 'What to draw: 1 to 32,000 characters.' }),
  size: t.field({
    type: ImageSizeEnum,
    required: true,
    defaultValue: '1024x1024',
    description: 'The canvas to ask for.',
  }),
  idempotencyKey: t.string({ description: idempotencyKey }),
  delivery: t.field({
    type: DeliveryGuaranteeEnum,
    required: true,
    defaultValue: 'AT_LEAST_ONCE',
    description: 'Whether to send again when the provider may have accepted, but its answer was lost.',
  }),
  provider: t.string({
    description: 'Name of a configured provider, see `Query.providers`. Left out: the first one.',
  }),
  waitSeconds: t.int({
    description:
      'How long the mutation waits before it answers GenerationPending, in seconds; the generation goes on. Left out: until it ends, within the limit of the gateway. 0: does not wait.',
  }),
});

export const GenerateImageInput = builder.inputType('GenerateImageInput', {
  description: 'A request for one image.',
  fields: (t) => ({
    ...requestFields(t, {
      idempotencyKey:
        'Unique per intent and per client, 1 to 255 printable ASCII characters. Reuse it on every retry of the same intent.',
    }),
    webhookUrl: t.field({
      type: 'URL',
      description:
        'Who is told of the end, by a signed POST; see `Viewer.webhookSecret`. An `https` URL on a host that the gateway allows, of at most 2,000 characters.',
    }),
  }),
});

export const GenerateImagesInput = builder.inputType('GenerateImagesInput', {
  description: 'A request for several images of one prompt.',
  fields: (t) => ({
    ...requestFields(t, {
      idempotencyKey:
        'One key for all of them; asking for more with the same key makes only the new ones. Not shared with `generateImage`.',
    }),
    count: t.int({
      required: true,
      description: `How many independent generations, 1 to ${MAX_IMAGES_AT_ONCE}. Each succeeds or fails by itself.`,
    }),
  }),
});

type RawInput = typeof GenerateImageInput.$inferInput & { count?: number };

/** Inputs, checked and turned into requests. GraphQL's null is the same as left out. */
export function requestsOf(input: RawInput, context: Context): GenerationRequest[] {
  const { principal, requestId, signal, gateway } = context;
  if (principal === undefined) throw new UnauthenticatedError('This needs an API key.');
  const { provider, idempotencyKey, waitSeconds, webhookUrl, ...rest } = input;
  const given: GenerationInput = {
    ...rest,
    provider: provider ?? undefined,
    idempotencyKey: idempotencyKey ?? undefined,
    waitSeconds: waitSeconds ?? undefined,
    webhookUrl: webhookUrl ?? undefined,
  };
  const { maxWaitMs, webhookHosts } = gateway;
  return toGenerationRequests(given, { principal, requestId, signal, maxWaitMs, webhookHosts });
}

const send = (request: GenerationRequest, { gateway }: Context) =>
  gateway.generate(request).then(resultOf).catch(refusalOf);

builder.mutationFields((t) => ({
  generateImage: t.field({
    type: GenerateImageResult,
    description: 'Generate one image and wait for it. Needs scope `images:generate`.',
    authScopes: { scope: 'images:generate' },
    args: { input: t.arg({ type: GenerateImageInput, required: true }) },
    async resolve(_root, { input }, context) {
      try {
        const [request] = requestsOf(input, context) as [GenerationRequest];
        return await send(request, context);
      } catch (error) {
        return refusalOf(error);
      }
    },
  }),
  generateImages: t.field({
    type: [GenerateImageResult],
    description:
      'Generate several images as independent requests, results in order. Needs scope `images:generate`.',
    authScopes: { scope: 'images:generate' },
    args: { input: t.arg({ type: GenerateImagesInput, required: true }) },
    async resolve(_root, { input }, context) {
      try {
        return await Promise.all(requestsOf(input, context).map((request) => send(request, context)));
      } catch (error) {
        return [refusalOf(error)];
      }
    },
  }),
}));
