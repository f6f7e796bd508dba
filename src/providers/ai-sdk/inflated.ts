import { AnswerTooLargeError } from './exchange.ts';

/**
 * An answer that is compressed, though it was asked not to be, as some stores of pictures keep their files. `fetch` inflates
 * it, so the bytes on the wire say nothing of those in memory: these are counted here.
 *
 * @param onTooLarge told before whoever reads the body gets the same error.
 */
export function withinLimit(
  response: Response,
  maxBodyBytes: number,
  onTooLarge: (error: AnswerTooLargeError) => void,
): Response {
  const { status, statusText, headers, url, redirected } = response;
  if (response.body === null || !headers.has('content-encoding')) return response;
  let byteSize = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        byteSize += chunk.byteLength;
        if (byteSize <= maxBodyBytes) return controller.enqueue(chunk);
        const error = new AnswerTooLargeError('The answer is larger than allowed.');
        onTooLarge(error);
        controller.error(error);
      },
    }),
  );
  const limited = new Response(counted, { status, statusText, headers: [...headers] });
  // What a response that is made by hand can't be told.
  return Object.defineProperties(limited, { url: { value: url }, redirected: { value: redirected } });
}
