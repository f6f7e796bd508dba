import { expect } from 'vitest';
import type { ClientsGateway } from '../../support/clients-gateway.ts';
import { freshKey } from '../../support/gateway.ts';
import type { Session } from './driver.ts';
import type { GenerateImageResult, Member, MemberName } from './operations.ts';

export interface Asking {
  readonly gateway: ClientsGateway;
  readonly session: Session;
  /** Another session, with a key of its own. */
  open(key: string): Promise<Session>;
}

interface MemberCase<Name extends MemberName> {
  /** Brings it about, by the client. */
  ask(asking: Asking): Promise<GenerateImageResult>;
  /** What the client must have of it, besides its name. */
  readonly has: { readonly [Field in Exclude<keyof Member<Name>, '__typename'>]: unknown };
}

const text = expect.stringMatching(/./);
const generation = (status: string) => ({ id: text, status, image: null });
const failed = (rest: object = {}) => ({
  message: text,
  retryable: false,
  failedGeneration: generation('FAILED'),
  ...rest,
});

/** Every member of the union, and how it comes about. A member that is added to the schema has to be added here. */
export const MEMBERS: { readonly [Name in MemberName]: MemberCase<Name> } = {
  GenerateImageSuccess: {
    ask: ({ session }) => session.generateImage({ prompt: 'A lighthouse', idempotencyKey: freshKey() }),
    has: {
      replayed: false,
      image: { id: text, url: expect.stringMatching(/^http.*\.png$/), width: 64, height: 64 },
      generation: {
        id: text,
        status: 'SUCCEEDED',
        image: { id: text, url: text, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      },
    },
  },
  GenerationPending: {
    async ask({ gateway, session }) {
      gateway.hold();
      const pending = await session.generateImage({
        prompt: 'A mountain that takes its time',
        waitSeconds: 0,
      });
      gateway.release();
      return pending;
    },
    has: { generation: { id: text, status: expect.stringMatching(/^(QUEUED|RUNNING)$/), image: null } },
  },
  InvalidInputError: {
    ask: ({ session }) => session.generateImage({ prompt: '' }),
    has: { message: text, retryable: false, issues: [{ path: ['input', 'prompt'], message: text }] },
  },
  IdempotencyConflictError: {
    async ask({ session }) {
      const idempotencyKey = freshKey();
      await session.generateImage({ prompt: 'A boat', idempotencyKey });
      return session.generateImage({ prompt: 'Another boat', idempotencyKey });
    },
    has: {
      message: text,
      retryable: false,
      existingGeneration: { id: text, status: 'SUCCEEDED', image: { id: text, url: text, sha256: text } },
    },
  },
  QuotaExceededError: {
    async ask({ gateway, open }) {
      const session = await open(await gateway.createKey(0));
      return session.generateImage({ prompt: 'One too many' });
    },
    has: { message: text, retryable: true, resetAt: expect.stringMatching(/T00:00:00\.000Z$/) },
  },
  ContentPolicyError: {
    ask: ({ session }) => session.generateImage({ prompt: 'A picture against the policy' }),
    has: failed() as MemberCase<'ContentPolicyError'>['has'],
  },
  ProviderRejectedError: {
    ask: ({ session }) => session.generateImage({ prompt: 'A unicorn that is refused' }),
    has: failed({ providerCode: 'bad_prompt' }) as MemberCase<'ProviderRejectedError'>['has'],
  },
  ProviderUnavailableError: {
    ask: ({ session }) => session.generateImage({ prompt: 'A valley while the upstream is down' }),
    has: failed({
      retryable: true,
      retryAfterSeconds: null,
    }) as MemberCase<'ProviderUnavailableError'>['has'],
  },
  InvalidImageError: {
    ask: ({ session }) => session.generateImage({ prompt: 'A picture that is no picture' }),
    has: failed({ retryable: true }) as MemberCase<'InvalidImageError'>['has'],
  },
  StorageFailedError: {
    ask: ({ gateway, session }) =>
      gateway.withoutStorage(() => session.generateImage({ prompt: 'A picture that finds no place' })),
    has: failed({ retryable: true }) as MemberCase<'StorageFailedError'>['has'],
  },
  OutcomeUnknownError: {
    ask: ({ session }) =>
      session.generateImage({ prompt: 'A letter whose answer is lost', delivery: 'AT_MOST_ONCE' }),
    has: { message: text, retryable: false, unknownGeneration: generation('UNKNOWN') },
  },
  GenerationCanceledError: {
    async ask({ gateway, session }) {
      gateway.hold();
      const prompt = `A river that takes its time, ${freshKey()}`;
      const asking = session.generateImage({ prompt });
      await gateway.arrived(prompt);
      await gateway.cancel(prompt);
      const canceled = await asking;
      gateway.release();
      return canceled;
    },
    has: { message: text, retryable: true, canceledGeneration: generation('CANCELED') },
  },
};
