import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createGraphqlClient, type GraphqlClient } from '../support/graphql-client.ts';
import { type SampleGateway, sampleFolder, startSampleGateway } from '../support/readme-gateway.ts';
import { sampleOf } from '../support/readme-pages.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
const PAGE = 'docs/writing-a-plugin.md';

describe(`gesso.config.ts of ${PAGE}`, () => {
  let database: TestDatabase;
  let gateway: SampleGateway;
  let client: GraphqlClient;
  beforeAll(async () => {
    database = await createTestDatabase();
    gateway = await startSampleGateway(await sampleFolder([sampleOf(PAGE, 'ts', '// gesso.config.ts')]), {
      environment: {
        DATABASE_URL: database.url,
        GESSO_URL_SECRET: 'url-secret-of-the-tests',
        GESSO_ADMIN_KEY: ADMIN_KEY,
      },
    });
    client = createGraphqlClient(() => gateway.url, ADMIN_KEY);
  });
  afterAll(async () => {
    await gateway?.close();
    await database.drop();
  });

  it('finds the newest image of the client, with its ratio', async () => {
    const none = await client.send('{ newestImage { id } }');
    expect(none.body.errors?.[0]?.message).toBe('This client has no image yet.');
    const { image } = await client.generateImage({ prompt: 'a boat', size: 'LANDSCAPE_1536X1024' });
    expect(await client.query('{ newestImage { id aspectRatio } }')).toEqual({
      newestImage: { id: image?.id, aspectRatio: 1.5 },
    });
  });

  it('writes the trail to standard error', async () => {
    const { headers } = await client.send(
      'mutation { generateImage(input: { prompt: "a kite" }) { __typename } }',
    );
    const requestId = headers.get('x-request-id');
    await expect
      .poll(() => gateway.output, { timeout: 20_000 })
      .toMatch(new RegExp(`^\\S+ GENERATION_SUCCEEDED ${requestId}$`, 'm'));
  });

  it('sets a header of every answer, and has a page of its own', async () => {
    const page = await fetch(`${gateway.url}/motto`);
    expect(page.headers.get('strict-transport-security')).toBe('max-age=31536000');
    expect(await page.text()).toBe('ars longa\n');
  });
});
