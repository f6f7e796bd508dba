import { setTimeout as delay } from 'node:timers/promises';
import { composeAnswer, type Order } from './answer.ts';
import { bills, type FullBehaviour } from './behaviours.ts';
import { type BreakOff, breakConnection, sendAnswer } from './send.ts';
import type { Visit } from './visit.ts';

/**
 * Plays one behaviour to its end: hold, accept and bill, delay, answer.
 *
 * @param latencyMs the delay of behaviours that bill and name none of their own.
 * @throws {Error} an `AbortError` when the connection is gone before the end. What was billed stays billed.
 */
export async function perform(
  behaviour: FullBehaviour,
  { visit, order, latencyMs }: { visit: Visit; order: Order; latencyMs: number },
): Promise<void> {
  const { response, gone } = visit;
  const breakOff = async (how: BreakOff): Promise<void> => {
    if (how !== 'hang') visit.breaking();
    await breakConnection(response, how, gone);
  };
  const breaking = 'at' in behaviour ? behaviour : undefined;

  await wait(behaviour.holdMs ?? 0, gone);
  if (breaking?.at === 'before-accept') return await breakOff(breaking.kind);

  const billed = bills(behaviour);
  if (billed) visit.record({ billedAt: new Date() });
  await wait(behaviour.delayMs ?? (billed ? latencyMs : 0), gone);
  if (breaking?.at === 'before-headers') return await breakOff(breaking.kind);

  if (behaviour.kind === 'not-http') {
    response.socket?.write('220 mail.example.invalid ESMTP ready\r\n');
    return await breakOff('close');
  }
  const answer = await composeAnswer(behaviour, order);
  gone.throwIfAborted();
  visit.record({ status: answer.status });
  await sendAnswer(response, answer, gone);
  if (breaking !== undefined) await breakOff(breaking.kind);
}

async function wait(ms: number, gone: AbortSignal): Promise<void> {
  gone.throwIfAborted();
  if (ms > 0) await delay(ms, undefined, { signal: gone });
}
