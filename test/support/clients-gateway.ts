import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Behaviour } from '../../src/sandbox/sandbox.ts';
import { cancelGeneration } from './background.ts';
import { startTestGateway, type TestGateway } from './gateway.ts';
import { createHeldPictures } from './held-pictures.ts';

/** Words of a prompt, and what the upstream does when it meets them. */
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  'against the policy': { kind: 'status', status: 400, code: 'content_policy_violation' },
  'that is refused': { kind: 'status', status: 400, code: 'bad_prompt', message: 'No unicorns.' },
  'while the upstream is down': { kind: 'status', status: 503 },
  'that is no picture': { kind: 'broken-picture', fault: 'svg' },
  'whose answer is lost': { kind: 'reset', at: 'before-headers' },
};
/** A prompt with it is drawn when the test says so. */
const HELD = 'that takes its time';

/** A gateway that a client is tested against; what its upstream does is said by the prompt. */
export interface ClientsGateway {
  /** Of `/graphql`. */
  readonly url: string;
  /** A key of a client application that nobody else has. It may generate images. */
  createKey(imagesPerDay?: number): Promise<string>;
  /** Resolves when a held prompt has arrived upstream. */
  arrived(prompt: string): Promise<void>;
  /** Draws what is held, from now on at once. */
  release(): void;
  /** From now on holds prompts with "that takes its time" back. */
  hold(): void;
  /** Cancels the generation of a key's caller. */
  cancel(prompt: string): Promise<void>;
  /** Runs it while no picture can be kept. */
  withoutStorage<Value>(run: () => Promise<Value>): Promise<Value>;
  readonly gateway: TestGateway;
  close(): Promise<void>;
}

export async function startClientsGateway(): Promise<ClientsGateway> {
  const pictures = createHeldPictures();
  const gateway = await startTestGateway({
    environment: { GESSO_RETRY_DELAYS_MS: '5,5' },
    upstream: { pictures: pictures.paint },
  });
  gateway.sandbox.behaveAlways(({ prompt }) => {
    const word = Object.keys(BEHAVIOURS).find((words) => prompt.includes(words));
    return word === undefined ? undefined : BEHAVIOURS[word];
  });
  let clients = 0;

  return {
    gateway,
    url: `${gateway.url}/graphql`,
    async createKey(imagesPerDay) {
      clients += 1;
      const scopes = ['images:generate'] as const;
      return (await gateway.createClient(`application ${clients}`, scopes, imagesPerDay)).key;
    },
    async arrived(prompt) {
      await gateway.sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });
    },
    hold: () => pictures.hold(HELD),
    release: () => pictures.release(),
    async cancel(prompt) {
      const { generations } = await gateway.query<{
        generations: { edges: { node: { id: string; prompt: string } }[] };
      }>('{ generations(first: 10) { edges { node { id prompt } } } }');
      const id = generations.edges.find(({ node }) => node.prompt === prompt)?.node.id;
      if (id === undefined) throw new Error(`There is no generation of "${prompt}".`);
      await cancelGeneration(gateway, id);
    },
    async withoutStorage(run) {
      // A file in the folder's place: no permission could keep root from writing to a folder.
      const staging = join(gateway.dataDir, 'staging');
      await rename(staging, `${staging}.away`);
      await writeFile(staging, '');
      try {
        return await run();
      } finally {
        await rm(staging);
        await rename(`${staging}.away`, staging);
      }
    },
    async close() {
      pictures.release();
      await gateway.close();
    },
  };
}
