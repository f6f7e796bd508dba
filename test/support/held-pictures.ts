import { plainPicture, type SandboxRequest } from '../../src/sandbox/sandbox.ts';

/** Pictures of a sandbox (`SandboxOptions.pictures`) that are held back while a test looks around. */
export interface HeldPictures {
  /** To be given to the sandbox. A request whose prompt contains a held word waits here, billed and unanswered. */
  readonly paint: (request: SandboxRequest) => Promise<Buffer>;
  /** From now on holds back what contains the word. */
  hold(word: string): void;
  /** From now on holds nothing back; what is held already stays so. */
  letPass(): void;
  /** Lets what is held go, and holds nothing any more. */
  release(): void;
}

export function createHeldPictures(picture = plainPicture({ width: 64, height: 64 })): HeldPictures {
  const words = new Set<string>();
  let gate = Promise.withResolvers<void>();
  return {
    async paint({ prompt }) {
      if ([...words].some((word) => prompt.includes(word))) await gate.promise;
      return picture;
    },
    hold: (word) => void words.add(word),
    letPass: () => words.clear(),
    release() {
      words.clear();
      gate.resolve();
      gate = Promise.withResolvers();
    },
  };
}
