import type { Places } from './places.ts';

/**
 * Reads blocks while holding one of a bounded number of places, and gives the place up while the next block is
 * long in coming, so that sixteen bodies that drip can't hold up one that flows.
 *
 * A body that has no place yet is not read at all: its bytes stay in TCP, in the sender's memory and not in ours.
 * A body that flows keeps its place from block to block. One that kept us waiting longer than `patienceMs` once
 * holds a place from then on only while a block of it is worked on; it is asked for its next block without a
 * place. What bounds memory then is the source: it is asked for one block at a time (at most 192 KiB in our
 * providers) and reads no further until asked again, and a block that waits for a place goes before any body that
 * has not begun. So the bound is a block for every body that ever dripped, and never a body.
 */
export async function* inTurn(
  blocks: AsyncIterable<Uint8Array>,
  { places, patienceMs }: { places: Places; patienceMs: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = blocks[Symbol.asyncIterator]();
  let holdsPlace = false;
  let drips = false;
  let ended = false;

  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      const coming = iterator.next();
      if (holdsPlace && !(await settlesWithin(coming, patienceMs))) {
        drips = true;
        release();
      }
      const result = await coming;
      ended = result.done === true;
      return result;
    } catch (error) {
      ended = true;
      throw error;
    }
  };
  const release = () => {
    holdsPlace = false;
    places.giveBack();
  };

  try {
    await places.take();
    holdsPlace = true;
    for (let result = await next(); result.done !== true; result = await next()) {
      if (!holdsPlace) {
        await places.take({ back: true });
        holdsPlace = true;
      }
      yield result.value;
      if (drips) release();
    }
  } finally {
    if (holdsPlace) release();
    // The reader left early: the source frees its socket.
    if (!ended) await iterator.return?.();
  }
}

/** Whether the promise settles, well or badly, within so many milliseconds. */
const settlesWithin = (promise: Promise<unknown>, milliseconds: number): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds, false);
    const settled = () => {
      clearTimeout(timer);
      resolve(true);
    };
    promise.then(settled, settled);
  });
