import { InvalidPictureError, type Provider, ProviderFailure } from 'gesso';

/** Before there is a connection nothing was sent. What fails later may have been taken, and billed. */
const NOT_SENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;
const NOT_TAKEN = [408, 409, 425, 429, 503];

const failure = (details: ConstructorParameters<typeof ProviderFailure>[1]) =>
  new ProviderFailure(`plain-http: no picture came (${details.outcome}).`, details);

/** Asks an image API by `GET <baseUrl>/prompt/<prompt>?width=…&height=…`, which answers with a PNG. */
export function createPlainHttp({ baseUrl, apiKey }: { baseUrl: string; apiKey: string }): Provider {
  const closing = new AbortController();
  return {
    name: 'plain-http',
    models: ['plain-1'],
    sizes: ['1024x1024', '1536x1024', '1024x1536'],
    async generate({ prompt, size }, { signal: given, requestId }) {
      const signal = AbortSignal.any([given, closing.signal]);
      if (signal.aborted) throw failure({ outcome: 'NOT_ACCEPTED' });
      const [width, height] = size.split('x');
      const url = `${baseUrl}/prompt/${encodeURIComponent(prompt)}?width=${width}&height=${height}`;
      const headers = { authorization: `Bearer ${apiKey}`, 'x-request-id': requestId, connection: 'close' };
      const reply = await fetch(url, { headers, signal, redirect: 'manual' }).catch((error: Error) => {
        // By its code only: whatever else an error says may repeat the key.
        const { code: providerCode = '' } = (error.cause ?? {}) as { code?: string };
        throw failure({ outcome: NOT_SENT.test(providerCode) ? 'NOT_ACCEPTED' : 'UNKNOWN', providerCode });
      });
      const { status: httpStatus, body } = reply;
      if (httpStatus !== 200 || body === null) {
        await body?.cancel();
        const answered = httpStatus >= 500 ? 'UNKNOWN' : 'REJECTED';
        const outcome = NOT_TAKEN.includes(httpStatus) ? 'NOT_ACCEPTED' : answered;
        const rejection = httpStatus === 400 || httpStatus === 422 ? 'REQUEST' : 'OPERATOR';
        const retryAfterMs = Number(reply.headers.get('retry-after')) * 1000 || undefined;
        throw failure({ outcome, rejection, httpStatus, retryAfterMs });
      }
      const blocks = body[Symbol.asyncIterator]();
      let [byteSize, ended] = [0, false];
      const next = async (): Promise<IteratorResult<Uint8Array>> => {
        const lost = () => Promise.reject(failure({ outcome: 'UNKNOWN', httpStatus }));
        const block = await blocks.next().catch(lost);
        ended = block.done === true;
        byteSize += block.value?.length ?? 0;
        if (ended && byteSize === 0) throw new InvalidPictureError('plain-http: no picture.', { httpStatus });
        return block;
      };
      const leave = async () => (await blocks.return?.()) ?? ({ done: true, value: undefined } as const);
      const metadata = () => {
        if (!ended) throw new Error('The picture has not been read to its end.');
        return { revisedPrompt: undefined };
      };
      const picture = { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
      return { httpStatus, model: 'plain-1', metadata, picture };
    },
    close: async () => closing.abort(),
  };
}
