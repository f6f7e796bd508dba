import type {
  AttemptOutcome,
  DeliveryGuarantee,
  FailureCode,
  GenerationStatus,
  ImageSize,
} from '../generation.ts';
import type { AuditAction } from '../ledger/audit.ts';
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
  values: {
    QUEUED: { description: 'Accepted, and waiting for its turn at a provider.' },
    RUNNING: { description: 'A replica works on it.' },
    SUCCEEDED: { description: 'Its image is stored.' },
    FAILED: { description: 'Ended without an image: see `failure`.' },
    CANCELED: { description: 'Ended because its client asked for that.' },
    UNKNOWN: { description: 'Sent, and no whole answer came: the image may exist, and may be billed.' },
  } satisfies Record<GenerationStatus, { description: string }>,
});

export const GenerationFailureCodeEnum = builder.enumType('GenerationFailureCode', {
  description: 'Why a generation ended without an image.',
  values: {
    CONTENT_POLICY: { description: "The provider's safety system refused the prompt or the result." },
    PROVIDER_REJECTED: { description: 'The provider refused the request for another reason.' },
    PROVIDER_UNAVAILABLE: { description: 'Every attempt failed in a way that may pass.' },
    INVALID_IMAGE: { description: 'The provider answered, but with no image that decodes.' },
    STORAGE_FAILED: { description: 'The image came, but could not be stored.' },
    DEADLINE_EXCEEDED: { description: 'No image came in the time that a generation has.' },
    OUTCOME_UNKNOWN: { description: 'Sent, and no whole answer came; not sent again, as asked for.' },
  } satisfies Record<FailureCode, { description: string }>,
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
  values: {
    GENERATION_REQUESTED: { description: 'A new generation was accepted.' },
    GENERATION_REPLAYED: { description: 'A key was answered by the generation that holds it.' },
    GENERATION_CONFLICTED: { description: 'A key was refused, because another input holds it.' },
    GENERATION_DENIED: { description: 'A request was refused for want of a scope or of quota.' },
    ATTEMPT_STARTED: { description: 'A call upstream was put on record, before it was sent.' },
    ATTEMPT_FINISHED: { description: 'The outcome of a call upstream is known.' },
    GENERATION_REROUTED: { description: 'A provider did not take a generation, which goes on to the next.' },
    GENERATION_SUCCEEDED: { description: 'An image is stored.' },
    GENERATION_FAILED: { description: 'A generation ended without an image.' },
    GENERATION_CANCELED: { description: 'A generation was canceled.' },
    GENERATION_UNKNOWN: { description: 'A generation ended, and its image may exist and be billed.' },
    GENERATION_REMOVED: { description: 'A generation was removed by age, with its attempts and its image.' },
    IMAGE_REMOVED: { description: 'The bytes of an image were removed by age.' },
    WEBHOOK_DELIVERED: { description: 'A webhook was told of the end of a generation.' },
    WEBHOOK_FAILED: {
      description: 'A delivery to a webhook failed; the message says whether it is tried again.',
    },
    API_KEY_CREATED: { description: 'An API key was made.' },
    API_KEY_REVOKED: { description: 'An API key was revoked.' },
  } satisfies Record<AuditAction, { description: string }>,
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
  values: {
    AVAILABLE: { description: 'The last call succeeded, or none was made yet.' },
    DEGRADED: { description: 'The last call failed.' },
    UNAVAILABLE: { description: 'The last five calls or more failed.' },
  },
});

export const CircuitStateEnum = builder.enumType('CircuitState', {
  description: 'Whether generations are sent to a provider, or spared the wait for one that fails.',
  values: {
    CLOSED: { description: 'It is asked.' },
    OPEN: { description: 'Too many generations in a row failed there: it is not asked for a while.' },
    HALF_OPEN: { description: 'After that while: one generation tries it, and closes or opens it again.' },
  },
});
