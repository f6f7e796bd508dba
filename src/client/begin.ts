import type { Connection } from './connection.ts';
import { type GessoError, NetworkError } from './errors.ts';
import { newIdempotencyKey } from './idempotency-key.ts';
import { toInput } from './input.ts';
import {
  type GenerateImageInput,
  GenerateImagesDocument,
  type GenerateImagesInput,
  StartGenerationDocument,
} from './operations.generated.ts';
import type { CallOptions, GenerateImageRequest, GenerateImagesRequest } from './options.ts';
import { InvalidInputError } from './result-errors.ts';
import { errorOfResult } from './results.ts';
import { type Begun, start, wasThereBefore } from './start.ts';

type WithKey<Request> = Request & { readonly idempotencyKey: string };

/** The request with its key, which every error of the call tells. */
export const withKey = <Request extends GenerateImageRequest>(request: Request): WithKey<Request> => ({
  ...request,
  idempotencyKey: request.idempotencyKey ?? newIdempotencyKey(),
});

/**
 * Begins one generation. Not by the gateway's `generateImage`, which waits: for as long as it does, the caller knows no
 * id, and a wait that is cut would leave nothing to ask for but the key.
 */
export async function beginOne(
  connection: Connection,
  request: WithKey<GenerateImageRequest>,
  options: CallOptions,
): Promise<Begun> {
  const ask = async () => {
    const variables = { input: toInput<GenerateImageInput>(request) };
    return (await connection.send(StartGenerationDocument, variables, options)).startGeneration;
  };
  const started = await start(connection, { ...request, count: 1 }, ask, options);
  if ('answer' in started) {
    const { answer } = started;
    if (answer.__typename !== 'StartGenerationSuccess') throw errorOfResult(answer, connection);
    return { fields: answer.generation, replayed: answer.replayed };
  }
  const [found] = started.found;
  if (found === undefined) throw new Error('It was found that nothing was started.');
  return found;
}

/**
 * Begins several, in order; an error stands for one that was not begun.
 * @throws {InvalidInputError} where the input is wrong: it is one for all.
 */
export async function beginSeveral(
  connection: Connection,
  request: WithKey<GenerateImagesRequest>,
  options: CallOptions,
): Promise<(Begun | GessoError)[]> {
  const startedAt = connection.clock.now();
  const ask = async () => {
    // Without a wait: what was begun is followed by its id.
    const variables = { input: toInput<GenerateImagesInput>({ ...request, waitSeconds: 0 }) };
    return (await connection.send(GenerateImagesDocument, variables, options)).generateImages;
  };
  const started = await start(connection, request, ask, options);
  if ('found' in started) {
    const lost = Array.from({ length: request.count - started.found.length }, lostError);
    return [...started.found, ...lost];
  }
  return started.answer.map((answer) => {
    if (answer.__typename === 'GenerateImageSuccess' || answer.__typename === 'GenerationPending') {
      const { generation: fields } = answer;
      const isOld = wasThereBefore(connection, fields, startedAt);
      return { fields, replayed: 'replayed' in answer ? answer.replayed : isOld };
    }
    const error = errorOfResult(answer, connection);
    if (error instanceof InvalidInputError) throw error;
    return error;
  });
}

/** Nothing is on record of it, and asking again would buy one of the others anew. */
const lostError = (): GessoError =>
  new NetworkError('The answer was lost, and nothing is on record for this image.');
