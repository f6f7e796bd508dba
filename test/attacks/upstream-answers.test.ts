import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway, UPSTREAM_KEY } from '../support/gateway.ts';

describe('an upstream that turns on the gateway', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({ environment: { GESSO_RETRY_DELAYS_MS: 'none' } });
  });
  afterAll(() => gateway.close());
  beforeEach(() => gateway.sandbox.journal.clear());

  it('echoes the key into an error, and nobody ever sees it', async () => {
    gateway.sandbox.behave({ kind: 'echo-key', status: 401 }, { kind: 'echo-key', status: 400 });
    const results = [
      await gateway.generateImage({ prompt: 'a' }),
      await gateway.generateImage({ prompt: 'b' }),
    ];
    for (const result of results) expect(result.__typename).toBe('ProviderRejectedError');
    const trail = await gateway.sql('select * from audit_events');
    const records = await gateway.sql(
      'select g.*, a.error_code from generations g join attempts a on a.generation_id = g.id',
    );
    for (const place of [results, trail, records, gateway.logLines]) {
      expect(place.length).toBeGreaterThan(0);
      expect(JSON.stringify(place)).not.toContain(UPSTREAM_KEY);
    }
  });

  it('sends the call elsewhere, and the key does not go there', async () => {
    let visits = 0;
    const elsewhere = createServer((_incoming, response) => {
      visits += 1;
      response.end();
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/v1/images/generations`;
    gateway.sandbox.behave(
      { kind: 'redirect', status: 307, location },
      { kind: 'redirect', status: 302, location },
    );
    for (const prompt of ['a', 'b']) {
      expect((await gateway.generateImage({ prompt })).__typename).not.toBe('GenerateImageSuccess');
    }
    elsewhere.close();
    expect(visits).toBe(0);
  });

  it.each([
    ['an SVG', { kind: 'broken-picture', fault: 'svg' }],
    ['a page of HTML', { kind: 'broken-picture', fault: 'html' }],
    ['a JPEG', { kind: 'broken-picture', fault: 'jpeg' }],
    ['60,000 × 60,000 pixels', { kind: 'broken-picture', fault: 'claimed-pixels' }],
  ] as const)('answers with %s for a PNG, and none is served', async (_what, behaviour) => {
    gateway.sandbox.behave(behaviour);
    const result = await gateway.generateImage({ prompt: 'a' });
    expect(result).toMatchObject({ __typename: 'InvalidImageError', generation: { status: 'FAILED' } });
    expect(gateway.sandbox.journal.calls()).toHaveLength(1);
    expect(await gateway.sql('select id from images')).toEqual([]);
  });

  it('answers with a compression bomb or a body without end, and it is cut at a limit', async () => {
    gateway.sandbox.behave(
      { kind: 'gzip-bomb' },
      { kind: 'endless', totalBytes: 4 * 1024 ** 3, within: 'field' },
    );
    for (const prompt of ['a', 'b']) {
      const result = await gateway.generateImage({ prompt });
      expect(result.__typename).toMatch(/^(ProviderUnavailable|InvalidImage|OutcomeUnknown)Error$/);
    }
    expect(gateway.sandbox.journal.calls()).toHaveLength(2);
  });

  it('learns of a caller only what the body is for', async () => {
    const marked = 'MARK-7f3a\r\nX-Evil: 1';
    await gateway.send(
      'mutation ($i: GenerateImageInput!) { generateImage(input: $i) { __typename } }',
      { i: { prompt: marked, idempotencyKey: 'MARK-7f3a http://elsewhere.example/' } },
      {
        'x-request-id': 'MARK-7f3a',
        'user-agent': 'MARK-7f3a',
        'x-forwarded-host': 'MARK-7f3a',
        cookie: 'MARK-7f3a=1',
      },
    );
    const [call] = gateway.sandbox.journal.calls();
    expect(call?.prompt).toBe(marked);
    expect(`${call?.method} ${call?.path}`).toBe('POST /v1/images/generations');
    expect(call?.headers.host).toBe(new URL(gateway.sandbox.baseUrl).host);
    expect(JSON.stringify(call?.headers)).not.toMatch(/MARK-7f3a|evil/i);
    expect(Object.keys(call?.json as object).sort()).toEqual(
      ['model', 'n', 'output_format', 'prompt', 'response_format', 'size'].sort(),
    );
  });
});
