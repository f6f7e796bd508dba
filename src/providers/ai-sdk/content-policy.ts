/**
 * How vendors say that a prompt, or the picture made of it, breaks their rules. The AI SDK has no word for it.
 */

/** In `type`, `code` or `failure_code` of an error. */
const CODES = new Set([
  // OpenAI; fal in `detail[].type` (https://docs.fal.ai/errors).
  'content_policy_violation',
  'moderation_blocked',
  'content_filter',
  // Luma (https://docs.agents.lumalabs.ai/guides/error-handling).
  'content_moderated',
]);

/** In `status` of a poll of Black Forest Labs, where they are final (https://docs.bfl.ai/api_integration/errors). */
const STATES = new Set(['request moderated', 'content moderated']);

/**
 * In the words of those who have no code for it: `error` of a prediction of Replicate ("… was flagged as sensitive …
 * (E005)", "NSFW content detected"), `failure_reason` of Luma (https://docs.lumalabs.ai/docs/errors).
 */
const SENTENCES =
  /flagged as sensitive|\(E005\)|\bNSFW content\b|moderation failed|blacklisted words|content moderation/i;

const CODE_KEYS = new Set(['type', 'code', 'error', 'failure_code']);
const STATE_KEYS = new Set(['status', 'state']);
const SENTENCE_KEYS = new Set(['error', 'message', 'msg', 'detail', 'failure_reason']);
/** What the vendor repeats of the request. */
const ECHO_KEYS = new Set(['input', 'prompt', 'ctx', 'logs']);
const MAX_DEPTH = 5;

/** Whether a vendor's answer, as parsed JSON, says that it refuses by its content policy. */
export const refusesByPolicy = (said: unknown, depth = 0): boolean => {
  if (typeof said !== 'object' || said === null || depth > MAX_DEPTH) return false;
  return Object.entries(said).some(([key, value]) => {
    if (ECHO_KEYS.has(key)) return false;
    if (typeof value !== 'string') return refusesByPolicy(value, depth + 1);
    return (
      (CODE_KEYS.has(key) && CODES.has(value)) ||
      (STATE_KEYS.has(key) && STATES.has(value.toLowerCase())) ||
      (SENTENCE_KEYS.has(key) && SENTENCES.test(value))
    );
  });
};

/** Whether a poll says so for good: its state is final, or it reports a failure. */
export const isFinalRefusal = (said: unknown): boolean => {
  if (typeof said !== 'object' || said === null) return false;
  const state = 'status' in said ? said.status : 'state' in said ? said.state : undefined;
  if (typeof state !== 'string') return false;
  return STATES.has(state.toLowerCase()) || (state.toLowerCase() === 'failed' && refusesByPolicy(said));
};
