import { fingerprintOf } from '../fingerprint.ts';
import type { Attempt, Generation, Image, Principal } from '../generation.ts';
import type { Run } from '../ledger/run.ts';
import type {
  AttemptRequest,
  DeliveredPicture,
  GenerationAnswer,
  GenerationRequest,
} from '../middleware/middleware.ts';

/** Nouns with nothing special about them, for tests that care for one field at a time. */

export const NOON = new Date('2030-05-01T12:00:00.000Z');
/** What the provider of the tests is called. */
export const PROVIDER = 'made-up';
const CLIENT_ID = '00000000-0000-7000-8000-00000000000c';
const GENERATION_ID = '00000000-0000-7000-8000-000000000001';
const ATTEMPT_ID = '00000000-0000-7000-8000-0000000000a1';

export const makePrincipal = (changes: Partial<Principal> = {}): Principal => ({
  clientId: CLIENT_ID,
  clientName: 'tests',
  apiKeyId: '00000000-0000-7000-8000-0000000000b1',
  scopes: new Set(['images:generate']),
  imagesPerDay: undefined,
  ...changes,
});

const INTENT = {
  prompt: 'a lighthouse',
  size: '1024x1024',
  delivery: 'AT_LEAST_ONCE',
  provider: undefined,
} as const;

export const makeRequest = (changes: Partial<GenerationRequest> = {}): GenerationRequest => ({
  principal: makePrincipal(),
  requestId: 'request-1',
  ...INTENT,
  idempotencyKey: undefined,
  ordinal: 0,
  waitMs: 1_000,
  signal: undefined,
  fingerprint: fingerprintOf({ ...INTENT, ...changes }),
  webhookUrl: undefined,
  quota: undefined,
  ...changes,
});

export const makeGeneration = (changes: Partial<Generation> = {}): Generation => ({
  id: GENERATION_ID,
  clientId: CLIENT_ID,
  status: 'SUCCEEDED',
  prompt: INTENT.prompt,
  size: INTENT.size,
  delivery: INTENT.delivery,
  requestedProvider: undefined,
  idempotencyKey: 'key-1',
  ordinal: 0,
  fingerprint: fingerprintOf(INTENT),
  keyHeld: true,
  provider: PROVIDER,
  route: [PROVIDER],
  model: 'made-up-1',
  failure: undefined,
  createdAt: NOON,
  startedAt: NOON,
  finishedAt: NOON,
  deadlineAt: new Date(NOON.getTime() + 600_000),
  ...changes,
});

export const makeImage = (changes: Partial<Image> = {}): Image => ({
  id: '00000000-0000-7000-8000-000000000011',
  generationId: GENERATION_ID,
  clientId: CLIENT_ID,
  blobKey: 'a1/picture.png',
  width: 64,
  height: 48,
  byteSize: 1234,
  sha256: 'f'.repeat(64),
  contentType: 'image/png',
  revisedPrompt: undefined,
  thumbhash: undefined,
  createdAt: NOON,
  removedAt: undefined,
  ...changes,
});

export const makeAnswer = (changes: Partial<GenerationAnswer> = {}): GenerationAnswer => ({
  generation: makeGeneration(),
  image: makeImage(),
  replayed: false,
  ...changes,
});

export const makeAttempt = (changes: Partial<Attempt> = {}): Attempt => ({
  id: ATTEMPT_ID,
  generationId: GENERATION_ID,
  number: 1,
  requestId: 'request-of-attempt-1',
  provider: PROVIDER,
  outcome: 'PENDING',
  httpStatus: undefined,
  errorCode: undefined,
  rejection: undefined,
  startedAt: NOON,
  finishedAt: undefined,
  ...changes,
});

export const makeRun = (changes: Partial<Run> = {}): Run => {
  const generation = makeGeneration({ status: 'RUNNING', finishedAt: undefined, ...changes.generation });
  return {
    job: { id: generation.id, retryCount: 0, provider: PROVIDER, clientId: generation.clientId },
    runner: 'replica-1:0',
    requestId: 'request-1',
    attemptsMade: [],
    deadlineAt: new Date(NOON.getTime() + 600_000),
    ...changes,
    generation,
  };
};

export const makeAttemptRequest = (changes: Partial<AttemptRequest> = {}): AttemptRequest => {
  const run = changes.run ?? makeRun();
  return {
    generation: run.generation,
    run,
    provider: PROVIDER,
    attemptNumber: 1,
    deadlineAt: run.deadlineAt,
    signal: new AbortController().signal,
    handover: new AbortController().signal,
    attempt: undefined,
    ...changes,
  };
};

export const makeDelivered = (attempt: Attempt = makeAttempt()): DeliveredPicture => ({
  attempt,
  httpStatus: 200,
  staged: {
    attemptId: attempt.id,
    path: '/staging/made-up.png',
    byteSize: 1234,
    sha256: 'f'.repeat(64),
    revisedPrompt: undefined,
    model: 'made-up-1',
  },
});
