import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ECHOES, type EchoingUpstream, startEchoingUpstream } from '../support/echoing-upstream.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/process.ts';

/** With characters that base64, URLs, JSON and HTML each write in their own way. */
const SECRET = 'sk-live/Geheim+Nur&Fuer=Uns<0123456789>Q~';

/** How the secret might be written, in any case of letters for hex and percent signs. */
const spellings = (): readonly RegExp[] => {
  const bytes = Buffer.from(SECRET);
  // In base64 the secret looks different for each place in a group of three at which it begins.
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
  return [
    SECRET,
    JSON.stringify(SECRET).slice(1, -1),
    SECRET.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
    encodeURIComponent(SECRET),
    bytes.toString('hex'),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    // Half of it is half too much.
    'Geheim',
    'Nur&Fuer',
    '0123456789>Q',
  ].map((text) => new RegExp(text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'i'));
};

const leaksIn = (text: string): string[] =>
  spellings()
    .map((spelling) => spelling.exec(text))
    .filter((match) => match !== null)
    .map((match) => text.slice(Math.max(0, match.index - 80), match.index + 80));

let upstream: EchoingUpstream;
let gateway: GatewayProcess;
/** Everything that clients were told, headers included. */
const told: string[] = [];
beforeAll(async () => {
  upstream = await startEchoingUpstream();
  gateway = await startGatewayProcess({
    upstreamUrl: upstream.baseUrl,
    upstreamKey: SECRET,
    environment: { LOG_LEVEL: 'trace', GESSO_RETRY_DELAYS_MS: '5' },
  });
});
afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

async function ask(query: string, variables: object = {}) {
  const answer = await gateway.send(query, variables);
  told.push(JSON.stringify(answer.body), JSON.stringify([...answer.headers]));
  return answer.body.data;
}

const GENERATION = `id status prompt model failure { code message }
  image { url revisedPrompt altText thumbhash base64 }
  attempts { number requestId outcome httpStatus errorCode }`;
const MUTATION = `mutation ($input: GenerateImageInput!) {
  generateImage(input: $input) {
    __typename
    ... on GenerateImageSuccess { generation { ${GENERATION} } }
    ... on UserError { message }
    ... on ProviderRejectedError { providerCode failedGeneration { ${GENERATION} } }
    ... on ProviderUnavailableError { failedGeneration { ${GENERATION} } }
    ... on InvalidImageError { failedGeneration { ${GENERATION} } }
    ... on OutcomeUnknownError { unknownGeneration { ${GENERATION} } }
  }
}`;

describe('the key of the upstream, which echoes it wherever it can', () => {
  it('is in no answer', async () => {
    const answers = new Set<string>();
    for (const delivery of ['AT_MOST_ONCE', 'AT_LEAST_ONCE']) {
      for (const prompt of Object.keys(ECHOES)) {
        const data = await ask(MUTATION, {
          input: { prompt, delivery, idempotencyKey: `${delivery}: ${prompt}` },
        });
        answers.add(data.generateImage.__typename);
      }
    }
    // Every way to end was gone, so that there was something to tell.
    expect([...answers].toSorted()).toEqual([
      'GenerateImageSuccess',
      'InvalidImageError',
      'OutcomeUnknownError',
      'ProviderRejectedError',
      'ProviderUnavailableError',
    ]);
    expect(upstream.calls).toBeGreaterThanOrEqual(2 * Object.keys(ECHOES).length);
    const data = await ask(`{
      generations(first: 50) { edges { node { ${GENERATION} } } }
      auditEvents(first: 100) { edges { node { action message requestId attempt { errorCode } } } }
      providers { name status }
    }`);
    expect(data.generations.edges).toHaveLength(2 * Object.keys(ECHOES).length);
    expect(told.flatMap(leaksIn)).toEqual([]);
  });

  it('was redacted, not the rest of what was said', () => {
    const all = told.join('\n');
    expect(all).toContain('Incorrect API key provided: [redacted]');
    expect(all).toContain('A boat, [redacted]');
  });

  it('is in no log line, at the level that says most', () => {
    expect(gateway.output).toContain('a generation met an error');
    expect(leaksIn(gateway.output)).toEqual([]);
  });

  it('is in no row of any table', async () => {
    const tables = await gateway.sql<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'public.generations',
        'public.attempts',
        'public.audit_events',
        'gesso_queue.job',
      ]),
    );
    let rowCount = 0;
    for (const { name } of tables) {
      const rows = await gateway.sql<{ row: object }>(`select row_to_json(t) as row from ${name} t`);
      rowCount += rows.length;
      expect(leaksIn(JSON.stringify(rows)), name).toEqual([]);
    }
    expect(rowCount).toBeGreaterThan(100);
  });

  it('is in no file of the data folder, those of the database included', async () => {
    await gateway.sql('checkpoint');
    const files = await readdir(gateway.dataDir, { recursive: true, withFileTypes: true });
    let searched = 0;
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name);
      // Every byte is one character, so that text is found within binary files.
      const text = await readFile(path, 'latin1');
      searched += 1;
      expect(leaksIn(text), path).toEqual([]);
    }
    expect(searched).toBeGreaterThan(100);
  });
});
