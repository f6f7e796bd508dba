import { type Behaviour, behaviourSchema, type FullBehaviour } from './behaviours.ts';
import type { SandboxRequest } from './request.ts';

/** What the sandbox does whenever nothing is queued; a function may decide by the request. */
export type StandingRule = Behaviour | ((request: SandboxRequest) => Behaviour | undefined);

export interface BehaviourQueue {
  /** @throws {ZodError} when a behaviour is malformed; then none of them is queued. */
  push(...behaviours: readonly Behaviour[]): void;
  /** @throws {ZodError} when the behaviour is malformed. */
  always(rule: StandingRule | undefined): void;
  /** What is to be done with this request: the next in the queue, else the standing rule's, else `normal`. */
  take(request: SandboxRequest): FullBehaviour;
}

const NORMAL: FullBehaviour = { kind: 'normal' };

export function createBehaviourQueue(): BehaviourQueue {
  const queue: FullBehaviour[] = [];
  let rule: (request: SandboxRequest) => FullBehaviour | undefined = () => undefined;
  return {
    push: (...behaviours) => {
      queue.push(...behaviours.map((behaviour) => behaviourSchema.parse(behaviour)));
    },
    always: (next) => {
      if (typeof next === 'function') {
        rule = (request) => {
          const chosen = next(request);
          return chosen === undefined ? undefined : behaviourSchema.parse(chosen);
        };
      } else {
        const fixed = next === undefined ? undefined : behaviourSchema.parse(next);
        rule = () => fixed;
      }
    },
    take: (request) => queue.shift() ?? rule(request) ?? NORMAL,
  };
}
