import { afterEach, describe, expect, it } from 'vitest';
import { startedId } from '../support/background.ts';
import { type SharingGateways, startSharingGateways } from '../support/sharing-gateways.ts';
import { createSteppedPictures } from '../support/stepped-pictures.ts';

const PLACES = 4;
const FLOOD = 60;
const GUESTS = 3;

let replicas: SharingGateways | undefined;
afterEach(async () => {
  await replicas?.close();
  replicas = undefined;
});

describe.each([
  ['one replica', 1, { GESSO_CONCURRENCY: String(PLACES) }, 4],
  ['two replicas', 2, { GESSO_CONCURRENCY: String(PLACES / 2) }, 4],
  // Both may go for the one free place: who finds the guest's job taken offers the flooder's, and may be the quicker one.
  ['two replicas under a limit', 2, { GESSO_CALLS_AT_ONCE: String(PLACES) }, 5],
])('a client that floods %s', (_name, count, environment, latest) => {
  it('delays another one until the next places are free, and no longer', async () => {
    const pictures = createSteppedPictures();
    replicas = await startSharingGateways(count, { environment, upstream: { pictures: pictures.paint } });
    const { first, sql } = replicas;
    const { journal } = first.sandbox;
    const [flooder, guest] = [await first.createClient('flooder'), await first.createClient('guest')];
    await Promise.all(Array.from({ length: FLOOD }, () => startedId(flooder, { prompt: 'flood' })));
    await journal.waitFor(PLACES);
    await Promise.all(Array.from({ length: GUESTS }, () => startedId(guest, { prompt: 'guest' })));

    // One call ends after the other, each followed by the next one.
    for (let calls = PLACES; calls < PLACES + 12; calls++) {
      pictures.finishOne();
      await journal.waitFor(calls + 1);
    }
    pictures.finishAll();
    const open = () => sql(`select 1 from generations where status <> 'SUCCEEDED'`);
    await expect.poll(open, { timeout: 20_000 }).toEqual([]);

    expect(journal.calls()).toHaveLength(FLOOD + GUESTS);
    expect(journal.peakOpen).toBe(PLACES);
    const turns = journal
      .calls()
      .slice(PLACES)
      .flatMap(({ prompt }, turn) => (prompt === 'guest' ? turn : []));
    // The guest has the next two places that are free. Now each has half of them, and the guest's third is a turn.
    expect(turns.slice(0, 2)).toEqual([0, 1]);
    expect(turns[2]).toBeLessThanOrEqual(latest);
  });
});
