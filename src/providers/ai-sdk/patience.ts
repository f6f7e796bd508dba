import type { JSONObject } from '@ai-sdk/provider';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Far beyond any deadline, at any interval. */
const MANY_POLLS = 10_000_000;

/**
 * Vendors that are polled give up after one minute (Luma, Black Forest Labs) or two (Replicate), and by then the picture is
 * paid. The generation's one deadline is to rule, so their own limit is set far above it, as option of the vendor.
 */
const PATIENCE: readonly { provider: RegExp; key: string; options: JSONObject }[] = [
  { provider: /^black-forest-labs\b/, key: 'blackForestLabs', options: { pollTimeoutMillis: DAY_MS } },
  { provider: /^luma\b/, key: 'luma', options: { maxPollAttempts: MANY_POLLS } },
  { provider: /^replicate\b/, key: 'replicate', options: { maxPollAttempts: MANY_POLLS } },
];

/** The operator's options, with patience where they say nothing of it. `provider` as the model names its own. */
export function withPatience(
  provider: string,
  providerOptions: Readonly<Record<string, JSONObject>>,
): Record<string, JSONObject> {
  const patience = PATIENCE.find((entry) => entry.provider.test(provider));
  if (patience === undefined) return { ...providerOptions };
  const { key, options } = patience;
  return { ...providerOptions, [key]: { ...options, ...providerOptions[key] } };
}
