import { plainPicture, type SandboxRequest } from '../../src/sandbox/sandbox.ts';

/** Pictures of a sandbox (`SandboxOptions.pictures`) that a test lets go one by one. */
export interface SteppedPictures {
  readonly paint: (request: SandboxRequest) => Promise<Buffer>;
  /** The prompts of the calls that are open, oldest first. */
  readonly open: readonly string[];
  /** Ends the oldest call, or the oldest whose prompt contains the word. */
  finishOne(word?: string): void;
  /** From now on none waits, and those that wait are ended. */
  finishAll(): void;
}

export function createSteppedPictures(picture = plainPicture({ width: 64, height: 64 })): SteppedPictures {
  const waiting: { readonly prompt: string; readonly finish: () => void }[] = [];
  let holds = true;
  return {
    async paint({ prompt }) {
      if (holds) await new Promise<void>((finish) => waiting.push({ prompt, finish }));
      return picture;
    },
    get open() {
      return waiting.map(({ prompt }) => prompt);
    },
    finishOne(word = '') {
      const index = waiting.findIndex(({ prompt }) => prompt.includes(word));
      if (index < 0) throw new Error(`No call with "${word}" is open.`);
      waiting.splice(index, 1)[0]?.finish();
    },
    finishAll() {
      holds = false;
      for (const { finish } of waiting.splice(0)) finish();
    },
  };
}
