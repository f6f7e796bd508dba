import { isAsyncIterable, type Plugin } from 'graphql-yoga';

/**
 * Ends the events of a subscription with their answer, at whatever moment that is dropped: what watches for them counts
 * against a limit. Yoga leaves them open where the client accepts no media type that they could be sent in; and the streams
 * that it brings along don't hand on that nobody reads them any more, so that those of Node take their place.
 */
export function useEventStreams(): Plugin {
  return {
    async onResultProcess({ result, resultProcessor, setResultProcessor }) {
      if (!isAsyncIterable(result)) return;
      if (resultProcessor === undefined) {
        await result[Symbol.asyncIterator]().return?.();
        return;
      }
      setResultProcessor(
        (given, fetchApi) =>
          resultProcessor(given, { ...fetchApi, Response, ReadableStream }, 'text/event-stream'),
        'text/event-stream',
      );
    },
  };
}
