import type { Connection } from './connection.ts';
import { AbortedError, throwIfAborted } from './errors.ts';
import { hasEnded, versionOf } from './generation.ts';
import {
  GenerationDocument,
  type GenerationFieldsFragment,
  WatchGenerationDocument,
} from './operations.generated.ts';
import type { CallOptions } from './options.ts';
import { GenerationNotFoundError } from './result-errors.ts';

/** Between two looks where no stream of events tells. */
const POLL_MS = 2_000;
const FIRST_POLL_MS = 250;
/** A stream that lived for so long was no failure. */
const LIVED_MS = 5_000;
/** So many streams in a row that told nothing: it is only asked, for a while. */
const MAX_SILENT_STREAMS = 2;
const STREAM_AGAIN_MS = 60_000;
/** A browser opens six connections to a host (HTTP/1.1), and must not lose them all to waiting. */
const MAX_STREAMS = 'document' in globalThis || 'importScripts' in globalThis ? 3 : Number.POSITIVE_INFINITY;

let openStreams = 0;

/**
 * The generation as it is now, unless `known` says that, then every change until it ends. By its id, never by its key:
 * a key may become free when the generation fails, and asking with a free key would buy anew.
 *
 * A stream of events tells at once; where there is none, or it breaks, the generation is asked for now and then. What
 * is wrong with a stream is never an error: the asking says what is.
 * @throws {GenerationNotFoundError}
 */
export async function* follow(
  connection: Connection,
  id: string,
  { known, ...options }: CallOptions & { known?: GenerationFieldsFragment | undefined },
): AsyncGenerator<GenerationFieldsFragment, void, undefined> {
  const { signal } = options;
  let told = known === undefined ? undefined : versionOf(known);
  if (known !== undefined && hasEnded(known)) return;
  let failures = 0;
  let silentStreams = 0;
  let streamAgainAt = 0;

  /** Whether the caller has not heard of it yet. */
  function isNews(generation: GenerationFieldsFragment): boolean {
    const version = versionOf(generation);
    const isNew = version !== told;
    told = version;
    return isNew;
  }

  for (;;) {
    throwIfAborted(signal);
    const now = connection.clock.now();
    if (connection.waitMs > 0 && openStreams < MAX_STREAMS && now >= streamAgainAt) {
      let events = 0;
      openStreams += 1;
      try {
        const stream = connection.subscribe(
          WatchGenerationDocument,
          { id },
          { signal, maxMs: connection.waitMs },
        );
        for await (const { generationUpdated } of stream) {
          events += 1;
          if (isNews(generationUpdated)) yield generationUpdated;
          if (hasEnded(generationUpdated)) return;
        }
      } catch (error) {
        if (error instanceof AbortedError) throw error;
      } finally {
        openStreams -= 1;
      }
      silentStreams = events === 0 ? silentStreams + 1 : 0;
      if (connection.clock.now() - now > LIVED_MS && events > 0) failures = 0;
      if (silentStreams === MAX_SILENT_STREAMS) {
        silentStreams = 0;
        streamAgainAt = connection.clock.now() + STREAM_AGAIN_MS;
      }
    }

    const { generation } = await connection.retrying(
      () => connection.send(GenerationDocument, { id }, options),
      options,
    );
    if (generation === null)
      throw new GenerationNotFoundError('There is no such generation that you may see.');
    if (isNews(generation)) yield generation;
    if (hasEnded(generation)) return;
    await connection.clock.sleep(Math.min(POLL_MS, FIRST_POLL_MS * 2 ** failures), signal);
    failures += 1;
  }
}
