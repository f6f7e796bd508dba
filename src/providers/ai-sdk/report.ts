import type { ImageModelV3, ImageModelV4 } from '@ai-sdk/provider';
import { property } from '../openai-wire/json-value.ts';

/** What a model of the AI SDK, of either version, resolves with. */
export type ModelResult = Awaited<ReturnType<(ImageModelV3 | ImageModelV4)['doGenerate']>>;

/** The prompt that the model really drew, where the vendor's metadata hold one for the first image. */
export const revisedPromptOf = ({ providerMetadata = {} }: ModelResult): string | undefined =>
  Object.values(providerMetadata)
    .map((vendor) => property(firstOf(vendor.images), 'revisedPrompt'))
    .find((prompt) => typeof prompt === 'string');

/** What the vendor's package could not do as it was told, and what the vendor says of the picture, a sentence each. */
export function warningsOf({ warnings = [], images, providerMetadata = {} }: ModelResult): string[] {
  const ofVendor = warnings.map((warning) => {
    switch (warning.type) {
      case 'unsupported':
      case 'compatibility': {
        const said = warning.type === 'unsupported' ? 'is not supported' : 'is supported in part';
        return `"${warning.feature}" ${said}${warning.details === undefined ? '.' : `: ${warning.details}`}`;
      }
      case 'deprecated':
        return `"${warning.setting}" is deprecated: ${warning.message}`;
      case 'other':
        return warning.message;
      default:
        // Of a version that is newer than ours.
        return JSON.stringify(warning);
    }
  });
  // Of fal: the picture is blank then (https://fal.ai/models/fal-ai/flux/dev/api#schema-output).
  const isFlagged = Object.values(providerMetadata).some(
    (vendor) => property(firstOf(vendor.images), 'nsfw') === true,
  );
  return [
    ...ofVendor,
    ...(isFlagged ? ['The vendor flagged the picture as unsafe, and may have blanked it.'] : []),
    ...(images.length > 1 ? [`${images.length} pictures came for one, and the first was taken.`] : []),
  ];
}

const firstOf = (images: unknown): unknown => (Array.isArray(images) ? images[0] : undefined);
