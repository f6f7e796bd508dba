import {
  type AttemptOutcome,
  type DeliveryGuarantee,
  FAILURE_CODES,
  GENERATION_STATUSES,
  type ImageSize,
} from '../generation.ts';
import { AUDIT_ACTIONS } from '../ledger/audit.ts';
import { builder } from './builder.ts';

export const ImageSizeEnum = builder.enumType('ImageSize', {
  description: 'The canvas asked for. What came back is `Image.width` and `Image.height`, which may differ.',
  values: {
    AUTO: { value: 'auto', description: 'Let the model choose (`auto`).' },
    SQUARE_1024X1024: { value: '1024x1024', description: '`1024x1024`, 1:1' },
    LANDSCAPE_1536X1024: { value: '1536x1024', description: '`1536x1024`, 3:2' },
    PORTRAIT_1024X1536: { value: '1024x1536', description: '`1024x1536`, 2:3' },
    SQUARE_2048X2048: { value: '2048x2048', description: '`2048x2048`, 1:1' },
    LANDSCAPE_2048X1152: { value: '2048x1152', description: '`2048x1152`, 16:9' },
    LANDSCAPE_3840X2160: { value: '3840x2160', description: '`3840x2160`, 16:9 (4K)' },
    PORTRAIT_2160X3840: { value: '2160x3840', description: '`2160x3840`, 9:16 (4K)' },
  } satisfies Record<string, { value: ImageSize; description: string }>,
});

export const DeliveryGuaranteeEnum = builder.enumType('DeliveryGuarantee', {
  description: 'What may happen when the provider was reached but its answer was lost.',
  values: {
    AT_LEAST_ONCE: {
      description: 'Try again, as the provider advises: an image may be generated, and billed, twice.',
    },
    AT_MOST_ONCE: {
      description: 'Never send again once the provider may have accepted: the generation ends as UNKNOWN.',
    },
  } satisfies Record<DeliveryGuarantee, { description: string }>,
});

export const GenerationStatusEnum = builder.enumType('GenerationStatus', {
  description: 'Where a generation is in its life.',
  values: GENERATION_STATUSES,
});

export const GenerationFailureCodeEnum = builder.enumType('GenerationFailureCode', {
  description: 'Why a generation ended without an image.',
  values: FAILURE_CODES,
});

export const AttemptOutcomeEnum = builder.enumType('AttemptOutcome', {
  description: 'What became of a call upstream.',
  values: {
    PENDING: { description: 'Sent or about to be; no answer yet.' },
    SUCCEEDED: { description: 'Its image is stored.' },
    REJECTED: { description: "Answered with an error that another try can't mend." },
    NOT_ACCEPTED: { description: 'Failed; the provider did not accept it.' },
    UNKNOWN: { description: 'Failed after it may have been accepted, and perhaps billed.' },
  } satisfies Record<AttemptOutcome, { description: string }>,
});

export const AuditActionEnum = builder.enumType('AuditAction', {
  description: 'What a line of the audit trail tells of.',
  values: AUDIT_ACTIONS,
});

export const ImageFormatEnum = builder.enumType('ImageFormat', {
  description: 'The encoding of a rendition.',
  values: ['PNG', 'JPEG', 'WEBP', 'AVIF'] as const,
});

export const ImageFitEnum = builder.enumType('ImageFit', {
  description: 'How a rendition meets its box.',
  values: {
    CONTAIN: { description: 'Fit inside the box, never crop.' },
    COVER: { description: 'Fill the box, crop the rest.' },
  },
});

export const ProviderStatusEnum = builder.enumType('ProviderStatus', {
  description: 'Whether a provider is worth asking.',
  values: ['AVAILABLE', 'DEGRADED', 'UNAVAILABLE'] as const,
});
