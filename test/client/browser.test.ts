import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltPage, buildPage, type PageServer, servePage } from '../support/client-page.ts';
import { ADMIN_KEY, startTestGateway, type TestGateway } from '../support/gateway.ts';

const CHROMIUM = '/usr/bin/chromium';
const hasChromium = existsSync(CHROMIUM);

/** What an application would write; the functions are for the test to call. */
const PAGE = `
import { createClient, GessoError } from 'gesso/client';

const client = createClient({ url: '/', apiKey: ${JSON.stringify(ADMIN_KEY)} });

Object.assign(window, {
  async make(prompt) {
    const states = [];
    const image = await client.generateImage({ prompt }, { onProgress: ({ status }) => states.push(status) });
    const shown = document.body.appendChild(new Image());
    shown.alt = image.altText;
    shown.src = image.url;
    await shown.decode();
    const small = await image.rendition({ maxWidth: 100, format: 'WEBP' });
    return {
      naturalWidth: shown.naturalWidth,
      width: image.width,
      byteSize: image.byteSize,
      bytes: (await image.bytes()).byteLength,
      small: (await small.bytes()).byteLength,
      saving: await image.save('x.png').catch((error) => error.message),
      isDate: image.createdAt instanceof Date,
      states,
    };
  },
  several: async (prompt) => (await client.generateImages({ prompt, count: 4 })).map(({ ok }) => ok),
  async abort(prompt) {
    const controller = new AbortController();
    const error = await client
      .generateImage({ prompt }, { signal: controller.signal, onProgress: () => controller.abort() })
      .catch((thrown) => thrown);
    return [error instanceof GessoError, error.name, typeof error.idempotencyKey];
  },
});
`;

let page: BuiltPage;
beforeAll(async () => {
  page = await buildPage(PAGE);
}, 120_000);
afterAll(() => page.remove());

describe('a bundle by Vite', () => {
  it('takes gesso/client without a warning, and has nothing of Node in it', () => {
    expect(page.warnings).toEqual([]);
    expect(page.scriptBytes).toBeGreaterThan(10_000);
    expect(page.scriptBytes).toBeLessThan(200_000);
  });
});

const title = hasChromium ? 'in Chromium' : `in Chromium (skipped: there is no ${CHROMIUM} here)`;
describe.skipIf(!hasChromium)(title, () => {
  let gateway: TestGateway;
  let server: PageServer;
  let browser: Browser;
  let tab: Page;
  const complaints: string[] = [];
  beforeAll(async () => {
    gateway = await startTestGateway();
    server = await servePage(page, gateway.url);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    tab = await browser.newPage();
    tab.on('pageerror', (error) => complaints.push(error.message));
    await tab.goto(server.url);
    await tab.waitForFunction('typeof window.make === "function"');
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    await server.close();
    await gateway.close();
  });

  const billed = (prompt: string) =>
    gateway.sandbox.journal.billed((entry) => entry.prompt === prompt).length;

  it('makes an image and shows it', async () => {
    const made = await tab.evaluate<Record<string, unknown>>('make("A lighthouse")');
    expect(made).toMatchObject({ isDate: true, naturalWidth: made.width });
    expect(made.bytes).toBe(made.byteSize);
    expect(made.small).toBeGreaterThan(0);
    expect(made.saving).toMatch(/In a browser, use bytes\(\) or url/);
    expect((made.states as string[]).at(-1)).toBe('SUCCEEDED');
    expect(await tab.locator('img').getAttribute('alt')).toContain('A lighthouse');
    expect(complaints).toEqual([]);
  });

  it('makes several at once', async () => {
    expect(await tab.evaluate('several("Four boats")')).toEqual([true, true, true, true]);
    expect(billed('Four boats')).toBe(4);
  });

  it.each([1, 2, 3])('buys once where the first %i answers are lost', async (count) => {
    const prompt = `Lost ${count} times`;
    server.loseAnswers(count);
    const made = await tab.evaluate<Record<string, unknown>>(`make(${JSON.stringify(prompt)})`);
    expect(made.naturalWidth).toBe(made.width);
    expect(made.width).toBeGreaterThan(0);
    expect(billed(prompt)).toBe(1);
  });

  it('ends when it is aborted, and tells the key', async () => {
    expect(await tab.evaluate('abort("Not any more")')).toEqual([true, 'AbortError', 'string']);
  });
});
