import { expect } from 'vitest';
import type { Behaviour, Sandbox } from '../../src/sandbox/sandbox.ts';
import { goodFields } from './client.ts';
import { postRaw, type RawAnswer } from './raw-client.ts';

/** What came back, and whether the journal says that it was billed. */
export type Met = RawAnswer & { billed: boolean };

/** Returns a function that meets one behaviour over a plain socket, with a journal of its own. */
export function meetWith(sandbox: () => Sandbox): (behaviour: Behaviour, silenceMs?: number) => Promise<Met> {
  return async function meet(behaviour, silenceMs = 5000) {
    const { baseUrl, journal, behave } = sandbox();
    journal.clear();
    behave(behaviour);
    const answer = await postRaw({ baseUrl, body: JSON.stringify(goodFields), silenceMs });
    expect(journal.calls()).toHaveLength(1);
    expect(journal.entries[0]).toMatchObject({ behaviour: behaviour.kind, error: undefined });
    return { ...answer, billed: journal.billed().length === 1 };
  };
}

/** The length that the headers told. */
export const lengthOf = (answer: RawAnswer): number => Number(answer.headers['content-length']);
