import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/process.ts';
import { type Receiver, startReceiver, status } from '../webhooks/support/receiver.ts';
import { WEBHOOK_ENVIRONMENT, webhookLines } from '../webhooks/support/webhook-gateway.ts';

const UPSTREAM_KEY = 'sk-upstream-of-the-webhook-tests';

let receiver: Receiver;
let sandbox: Sandbox;
let gateway: GatewayProcess;
beforeAll(async () => {
  receiver = await startReceiver();
  sandbox = await startSandbox({ apiKey: UPSTREAM_KEY, pictures: 'plain' });
  gateway = await startGatewayProcess({
    upstreamUrl: sandbox.baseUrl,
    upstreamKey: UPSTREAM_KEY,
    environment: { ...WEBHOOK_ENVIRONMENT, TEST_RECEIVER_CA: receiver.ca },
    script: fileURLToPath(new URL('../webhooks/support/gateway-main.ts', import.meta.url)),
  });
});
afterEach(() => receiver.reset());
afterAll(async () => {
  await gateway?.close();
  await sandbox?.close();
  await receiver?.close();
});

const killAndRestart = async (): Promise<void> => {
  expect(await gateway.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  await gateway.restart();
};
const received = (count: number) =>
  vi.waitFor(() => expect(receiver.received).toHaveLength(count), { timeout: 10_000 });
const lines = (generationId: string, count: number) =>
  vi.waitFor(
    async () => {
      const all = await webhookLines(gateway, generationId);
      expect(all).toHaveLength(count);
      return all.map(({ message }) => message);
    },
    { timeout: 10_000 },
  );

describe('kill -9 of a gateway that sends webhooks', () => {
  it('between the end and the delivery: it is delivered by the next start, once', async () => {
    // The job is put there together with the end, and nobody may take it yet.
    await gateway.sql(`create function hold() returns trigger language plpgsql as $$
      begin if new.name = 'webhooks' then new.start_after = now() + interval '1 hour'; end if; return new; end $$`);
    await gateway.sql(
      'create trigger hold before insert on gesso_queue.job for each row execute function hold()',
    );
    const result = await gateway.generateImage({ prompt: 'ended, not told', webhookUrl: receiver.url });
    expect(result.__typename).toBe('GenerateImageSuccess');
    expect(await gateway.kill('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
    expect(receiver.received).toEqual([]);
    await gateway.restart();
    await gateway.sql('drop function hold cascade');
    await gateway.sql(`update gesso_queue.job set start_after = now() where name = 'webhooks'`);
    await received(1);
    const id = result.generation?.id ?? '';
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({ data: { id, status: 'SUCCEEDED' } });
    expect(await lines(id, 1)).toEqual(['hooks.example.com answered HTTP 204, try 1.']);
    expect(sandbox.journal.calls((call) => call.prompt === 'ended, not told')).toHaveLength(1);
  });

  it('in the middle of a delivery: it is delivered again under the same id, and the trail says so', async () => {
    receiver.answerWith(() => undefined, status(204));
    const result = await gateway.generateImage({ prompt: 'half told', webhookUrl: receiver.url });
    await received(1);
    await killAndRestart();
    await received(2);
    const [first, second] = receiver.received;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.body).not.toBe('');
    expect(await lines(result.generation?.id ?? '', 2)).toEqual([
      'hooks.example.com may have got it: the replica stopped in the middle of try 1.',
      'hooks.example.com answered HTTP 204, try 2.',
    ]);
  });

  it('between two tries: the next one comes when it is time', async () => {
    receiver.answerWith(status(503), status(204));
    const result = await gateway.generateImage({ prompt: 'to be told again', webhookUrl: receiver.url });
    const id = result.generation?.id ?? '';
    await lines(id, 1);
    await killAndRestart();
    await gateway.sql(`update gesso_queue.job set start_after = now() where name = 'webhooks'`);
    await received(2);
    expect(await lines(id, 2)).toEqual([
      expect.stringMatching(/^hooks\.example\.com answered HTTP 503, try 1; tried again in about [56] s\.$/),
      'hooks.example.com answered HTTP 204, try 2.',
    ]);
  });
});
