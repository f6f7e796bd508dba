/** What a callback tells, taken to a `for await`. */
export interface Listener<Value> {
  next(value: Value): void;
  complete(): void;
  fail(error: unknown): void;
}

type Event<Value> =
  | { readonly kind: 'next'; readonly value: Value }
  | { readonly kind: 'complete' }
  | { readonly kind: 'fail'; readonly error: unknown };

/** Runs `start`, and what it returns when the reader leaves or all is told. */
export function told<Value>(start: (listener: Listener<Value>) => () => void): AsyncIterable<Value> {
  return {
    async *[Symbol.asyncIterator]() {
      const events: Event<Value>[] = [];
      let happened = Promise.withResolvers<void>();
      const push = (event: Event<Value>) => {
        events.push(event);
        happened.resolve();
      };
      const stop = start({
        next: (value) => push({ kind: 'next', value }),
        complete: () => push({ kind: 'complete' }),
        fail: (error) => push({ kind: 'fail', error }),
      });
      try {
        while (true) {
          await happened.promise;
          happened = Promise.withResolvers();
          for (let event = events.shift(); event !== undefined; event = events.shift()) {
            if (event.kind === 'complete') return;
            if (event.kind === 'fail') throw event.error;
            yield event.value;
          }
        }
      } finally {
        stop();
      }
    },
  };
}
