import { ConfigError } from '../errors.ts';
import { IMAGE_SIZES, type ImageSize } from '../generation.ts';
import type { Judge } from './openai-wire/failures.ts';
import { createImageProvider, type ImageProviderOptions } from './openai-wire/image-provider.ts';
import { property } from './openai-wire/json-value.ts';
import type { Provider } from './provider.ts';

/**
 * What the operator chooses for every picture, and every word that some model takes for it. The facts of this file
 * are those of the reference, as openai-node 7.57.0 has it in src/resources/images.ts (2026-11-13), unless said otherwise.
 *
 * @see https://developers.openai.com/api/reference/resources/images
 */
const CHOICES = {
  quality: ['auto', 'low', 'medium', 'high', 'xhigh', 'max'],
  background: ['auto', 'opaque', 'transparent'],
  moderation: ['auto', 'low'],
  complexity: ['low', 'medium', 'high'],
} as const;
type ChoiceName = keyof typeof CHOICES;
type Choice<Name extends ChoiceName> = (typeof CHOICES)[Name][number];
const CHOICE_NAMES: readonly ChoiceName[] = ['quality', 'background', 'moderation', 'complexity'];

/** What a model takes. */
type ModelFacts = { readonly sizes: readonly ImageSize[] } & Readonly<Record<ChoiceName, readonly string[]>>;

const STANDARD: ModelFacts = {
  // "The standard sizes … are supported by the GPT image models."
  sizes: ['auto', '1024x1024', '1536x1024', '1024x1536'],
  // "`high`, `medium` and `low` are supported for the GPT image models."
  quality: ['auto', 'low', 'medium', 'high'],
  background: CHOICES.background,
  moderation: CHOICES.moderation,
  complexity: [],
};
// "Arbitrary resolutions are supported": edges divisible by 16, ratio from 1:3 to 3:1, "the maximum supported
// resolution is `3840x2160`". All of Gesso's fit.
const ANY_SIZE: ModelFacts = { ...STANDARD, sizes: IMAGE_SIZES };
// "Also support `xhigh` and `max`."
const FINER: ModelFacts = { ...ANY_SIZE, quality: CHOICES.quality };
// The guide, under "GPT-Image-2.6": complexity is low, medium or high, and high where it is left out. Of 2.6's sizes and
// qualities the reference says nothing; others who resell it (ComfyUI, the AI SDK) have those of 2.5.
// https://developers.openai.com/api/docs/guides/image-generation
const PLANNED: ModelFacts = { ...FINER, complexity: CHOICES.complexity };

const MODELS = {
  'gpt-image-2': ANY_SIZE,
  'gpt-image-2-2026-04-21': ANY_SIZE,
  'gpt-image-2.5-sunburst': FINER,
  'gpt-image-2.5-sunburst-2026-09-08': FINER,
  'gpt-image-2.5-flare': FINER,
  'gpt-image-2.5-flare-2026-09-08': FINER,
  'gpt-image-2.6-sunburst': PLANNED,
  'gpt-image-2.6-flare': PLANNED,
  // To be shut down on 2026-12-01: https://developers.openai.com/api/docs/deprecations
  'gpt-image-1-mini': STANDARD,
  'gpt-image-1.5': STANDARD,
  'gpt-image-1.5-2025-12-16': STANDARD,
  'chatgpt-image-latest': STANDARD,
} satisfies Readonly<Record<string, ModelFacts>>;
const FACTS: ReadonlyMap<string, ModelFacts> = new Map(Object.entries(MODELS));

/** Models that are gone, and since when: https://developers.openai.com/api/docs/deprecations */
const RETIRED: ReadonlyMap<string, string> = new Map([
  ['gpt-image-1', '2026-10-23'],
  ['dall-e-2', '2026-05-12'],
  ['dall-e-3', '2026-05-12'],
]);

/** Parameters of the API that are no options, and why. */
const NO_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['size', 'each request brings its own; `sizes` limits them'],
  ['n', 'a call asks for one picture'],
  ['outputFormat', 'Gesso keeps PNG'],
  ['outputCompression', 'Gesso keeps PNG, which has no levels of it'],
  ['responseFormat', 'the GPT image models do not take it, and answer in base64'],
  ['style', 'the GPT image models do not take it; say it in the prompt'],
  ['stream', 'Gesso stores the finished picture alone'],
  ['user', 'OpenAI has replaced it; use `safetyIdentifier`'],
]);

type WireOptions = Omit<ImageProviderOptions, 'apiKey' | 'baseUrl'>;
const WIRE_OPTIONS: Readonly<Record<keyof WireOptions, true>> = {
  connections: true,
  deadlineMs: true,
  dispatcher: true,
  limits: true,
  now: true,
};

export interface OpenAIOptions extends WireOptions {
  /** As it comes from the environment: undefined is refused like any other bad key. */
  readonly apiKey: string | undefined;
  /** By which callers ask for it; give another to each further model. @default 'openai' */
  readonly name?: string;
  /** A model that this file does not know needs `sizes`. @default 'gpt-image-2', which is BetterToken's too */
  readonly model?: keyof typeof MODELS | (string & {});
  /** What callers may ask for, where it should be less than the model takes. @default all that it takes */
  readonly sizes?: readonly ImageSize[];
  /** `xhigh` and `max` from gpt-image-2.5 on. @default what the API chooses */
  readonly quality?: Choice<'quality'>;
  /** For gpt-image-2 `transparent` "is in preview": OpenAI may refuse it. @default what the API chooses */
  readonly background?: Choice<'background'>;
  /** "`low` for less restrictive filtering." @default what the API chooses */
  readonly moderation?: Choice<'moderation'>;
  /** "Computation spent planning the image", from gpt-image-2.6 on. @default what the API chooses */
  readonly complexity?: Choice<'complexity'>;
  /** Says for whom the gateway asks, one for all its calls; "hash a username or email address". At most 128 characters. */
  readonly safetyIdentifier?: string;
  /** `OpenAI-Organization`, for a key of several. */
  readonly organization?: string;
  /** `OpenAI-Project`, for a key of several. */
  readonly project?: string;
  /** @default 'https://api.openai.com/v1' */
  readonly baseUrl?: string;
}

/**
 * OpenAI's Images API: `POST /images/generations`, the picture in `data[0].b64_json` of the same answer. An answer with a
 * URL in its place has no picture: no GPT image model gives one, and an address that an answer names is not called.
 *
 * @throws {ConfigError} for a model that is gone or unknown, and for whatever the model does not take.
 * @see https://developers.openai.com/api/reference/resources/images/methods/generate
 */
export const createOpenAI = (options: OpenAIOptions): Provider => {
  const { name = 'openai', model = 'gpt-image-2', baseUrl = 'https://api.openai.com/v1', ...given } = options;
  const { apiKey = '', sizes, quality, background, moderation, complexity, ...rest } = given;
  const { safetyIdentifier, organization, project, ...ofWire } = rest;
  const refuse = (problem: string): never => {
    throw new ConfigError(`The provider ${name}: ${problem}.`);
  };

  for (const other of Object.keys(ofWire).filter((option) => !Object.hasOwn(WIRE_OPTIONS, option))) {
    const why = NO_OPTIONS.get(other);
    refuse(`"${other}" is no option${why === undefined ? '' : `: ${why}`}`);
  }
  const facts = factsOf(model, sizes, refuse);
  const chosen = { quality, background, moderation, complexity };
  for (const option of CHOICE_NAMES) {
    const value = chosen[option];
    if (value === undefined || facts[option].includes(value)) continue;
    const taken = facts[option].length === 0 ? 'does not take it' : `takes ${facts[option].join(', ')}`;
    refuse(`${option} is "${value}", but ${model} ${taken}`);
  }
  if (safetyIdentifier !== undefined && !/^.{1,128}$/su.test(safetyIdentifier)) {
    refuse('safetyIdentifier must have 1 to 128 characters');
  }
  for (const [option, value] of Object.entries({ organization, project })) {
    // Also what undici would refuse in a header, call after call.
    if (value !== undefined && !/^[\x21-\x7e]+$/.test(value)) refuse(`${option} is not printable ASCII`);
  }

  return createImageProvider(
    {
      name,
      models: [model],
      sizes: sizes ?? facts.sizes,
      toBody: ({ prompt, size }) => ({
        model,
        prompt,
        n: 1,
        size,
        output_format: 'png',
        // JSON leaves out what is undefined.
        ...chosen,
        safety_identifier: safetyIdentifier,
      }),
      toHeaders: (requestId) => ({
        // Theirs for the case that no answer comes: https://developers.openai.com/api/reference/overview
        'x-client-request-id': requestId,
        ...(organization !== undefined && { 'openai-organization': organization }),
        ...(project !== undefined && { 'openai-project': project }),
      }),
      judge,
      replyIdHeader: 'x-request-id',
      warningsOf: (answer, { size }) => differencesOf(answer, { size, quality, background }),
    },
    { ...ofWire, apiKey, baseUrl },
  );
};

/** What the model takes; of one that is not known, what the operator says of its sizes, and every choice. */
const factsOf = (
  model: string,
  sizes: readonly ImageSize[] | undefined,
  refuse: (problem: string) => never,
): ModelFacts => {
  const goneSince = RETIRED.get(model);
  if (goneSince !== undefined) {
    refuse(`${model} was shut down on ${goneSince}; use gpt-image-2.6-sunburst or gpt-image-2.6-flare`);
  }
  const known = FACTS.get(model);
  if (known === undefined && sizes === undefined) {
    refuse(`the model "${model}" is not known; if it exists, give its \`sizes\` too`);
  }
  const facts = known ?? { ...CHOICES, sizes: IMAGE_SIZES };
  if (sizes?.length === 0) refuse('sizes is empty');
  const foreign = sizes?.find((size) => !facts.sizes.includes(size));
  if (foreign !== undefined) refuse(`sizes has "${foreign}", but ${model} takes ${facts.sizes.join(', ')}`);
  return facts;
};

/** Where the answer says of the picture what was not asked for; it repeats these fields as they were done. */
const differencesOf = (answer: unknown, asked: Readonly<Record<string, string | undefined>>): string[] =>
  Object.entries(asked).flatMap(([field, value]) => {
    const said = property(answer, field);
    const isAnyDone = value === undefined || value === 'auto' || typeof said !== 'string';
    return isAnyDone || said === value ? [] : [`Asked for ${field} ${value}, and OpenAI says ${said}.`];
  });

/**
 * Of the account's money and limits. Such a 429 does not pass by waiting: "Retrying billing, spend, or quota errors won't
 * restore API access". Codes, but for the last three: https://developers.openai.com/api/docs/guides/error-codes
 */
const BILLING_CODES: ReadonlySet<string | undefined> = new Set([
  'credit_balance_exhausted',
  'organization_spend_limit_exceeded',
  'project_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
  // The type of all of those, and once their code.
  'insufficient_quota',
  // With status 400: https://github.com/dfinke/PowerShellAI/issues/127
  'billing_hard_limit_reached',
  // With status 429: https://github.com/BerriAI/litellm/issues/2743
  'billing_not_active',
]);
/** What callers said; every other field of the request is the operator's word, or this file's. */
const CALLERS_PARAMS = new Set(['prompt', 'size']);

/**
 * Said by the API they mean that it did not take the request. But Envoy stands before it, as its texts in
 * https://github.com/openai/openai-python/issues/1626 show, which says 503 also where the request had gone on and the
 * connection behind it ended: UC, UR of https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
 */
const STATUSES_OF_PROXIES = new Set([408, 503]);

const judge: Judge = (status, { code, type, param, enveloped }) => {
  if (STATUSES_OF_PROXIES.has(status) && !enveloped) return { outcome: 'UNKNOWN' };
  const isBilling = BILLING_CODES.has(code) || BILLING_CODES.has(type);
  const isOperators = status === 400 && param !== undefined && !CALLERS_PARAMS.has(param);
  return status < 500 && (isBilling || isOperators)
    ? { outcome: 'REJECTED', rejection: 'OPERATOR' }
    : undefined;
};
