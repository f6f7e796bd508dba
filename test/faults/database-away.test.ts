import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { freshKey, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createHeldPictures } from '../support/held-pictures.ts';
import { proxyTo, type TcpProxy } from '../support/tcp-proxy.ts';

const pictures = createHeldPictures();
let database: TestDatabase;
let proxy: TcpProxy;
let gateway: TestGateway;
/** Past the proxy. */
let pool: pg.Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  const proxied = await proxyTo(database.url);
  proxy = proxied.proxy;
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  pool.on('error', () => undefined);
  gateway = await startTestGateway({
    environment: { DATABASE_URL: proxied.url },
    upstream: { pictures: pictures.paint },
  });
});
afterAll(async () => {
  await gateway.close();
  await pool.end();
  await proxy.close();
  await database.drop();
});

const callsFor = (prompt: string) => gateway.sandbox.journal.calls((call) => call.prompt === prompt);
const statusesOf = async (idempotencyKey: string): Promise<unknown[]> => {
  const text = 'select status from generations where idempotency_key = $1 order by id';
  return (await pool.query<{ status: string }>(text, [idempotencyKey])).rows.map(({ status }) => status);
};
const untilReady = () =>
  vi.waitFor(async () => expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200), {
    timeout: 10_000,
  });

const MUTATION = `mutation ($input: GenerateImageInput!) {
  generateImage(input: $input) { __typename ... on GenerateImageSuccess { replayed } }
}`;

describe('a database that is down before the claim', () => {
  it('refuses, keeps nothing and calls nobody; afterwards the same key works', async () => {
    const input = { prompt: 'asked too early', idempotencyKey: freshKey() };
    proxy.cut();
    const refused = await gateway.send(MUTATION, { input });
    expect(refused.status).toBe(503);
    expect(refused.body.errors).toMatchObject([{ extensions: { code: 'SERVICE_UNAVAILABLE' } }]);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    proxy.restore();
    await untilReady();
    expect(await statusesOf(input.idempotencyKey)).toEqual([]);
    expect(callsFor(input.prompt)).toEqual([]);

    const taken = await gateway.generateImage(input);
    expect(taken).toMatchObject({ __typename: 'GenerateImageSuccess', replayed: false });
    expect(callsFor(input.prompt)).toHaveLength(1);
  });
});

describe.each(['AT_MOST_ONCE', 'AT_LEAST_ONCE'])('a database that is down at the commit, %s', (delivery) => {
  it('loses no image, and buys none again', async () => {
    const input = { prompt: `paid for: ${delivery}`, delivery, idempotencyKey: freshKey() };
    pictures.hold(input.prompt);
    const asking = gateway.generateImage(input);
    await gateway.sandbox.journal.waitFor(1, { where: ({ prompt }) => prompt === input.prompt });
    proxy.cut();
    pictures.release();
    const retried = () =>
      gateway.logLines.filter((line) => line.includes('a generation met an error')).length;
    const before = retried();
    await vi.waitFor(() => expect(retried()).toBeGreaterThan(before + 1), { timeout: 10_000 });
    expect(await statusesOf(input.idempotencyKey)).toEqual(['RUNNING']);
    proxy.restore();

    const result = await asking;
    expect(result).toMatchObject({
      __typename: 'GenerateImageSuccess',
      generation: { status: 'SUCCEEDED', attempts: [{ outcome: 'SUCCEEDED' }] },
    });
    expect((await fetch(result.image?.url ?? '')).status).toBe(200);
    expect(await statusesOf(input.idempotencyKey)).toEqual(['SUCCEEDED']);
    expect(callsFor(input.prompt)).toHaveLength(1);
  });
});

describe('a database that is down when a call failed', () => {
  it('has the failure on record before the next call', async () => {
    const prompt = 'failed in the dark';
    gateway.sandbox.behave({ kind: 'status', status: 500, delayMs: 150 });
    const asking = gateway.generateImage({ prompt });
    await gateway.sandbox.journal.waitFor(1, { where: (call) => call.prompt === prompt });
    proxy.cut();
    await vi.waitFor(() => expect(callsFor(prompt)[0]?.finishedAt).toBeDefined());
    await vi.waitFor(() => expect(proxy.refused).toBeGreaterThan(3));
    expect(callsFor(prompt)).toHaveLength(1);
    proxy.restore();
    const result = await asking;
    expect(result.generation?.attempts).toMatchObject([
      { outcome: 'UNKNOWN', httpStatus: 500 },
      { outcome: 'SUCCEEDED' },
    ]);
    expect(callsFor(prompt)).toHaveLength(2);
  });
});
