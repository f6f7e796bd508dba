import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, createLogger } from 'vite';

const CLIENT = fileURLToPath(new URL('../../src/client/index.ts', import.meta.url));
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** A page that was built by Vite, with what Vite had to say about it. */
export interface BuiltPage {
  readonly folder: string;
  readonly warnings: readonly string[];
  /** Of its script, in bytes. */
  readonly scriptBytes: number;
  remove(): Promise<void>;
}

/** Builds a page with this script, which may import `gesso/client`. */
export async function buildPage(script: string): Promise<BuiltPage> {
  const folder = await mkdtemp(join(tmpdir(), 'gesso-page-'));
  const warnings: string[] = [];
  await writeFile(
    join(folder, 'index.html'),
    '<!doctype html><title>Gesso</title><link rel="icon" href="data:,"><script type="module" src="/page.ts"></script>',
  );
  await writeFile(join(folder, 'page.ts'), script);
  const logger = createLogger('warn');
  logger.warn = (message) => void warnings.push(message);
  logger.warnOnce = logger.warn;
  logger.error = logger.warn;
  await build({
    root: folder,
    configFile: false,
    logLevel: 'warn',
    customLogger: logger,
    resolve: {
      alias: [
        { find: 'gesso/client', replacement: CLIENT },
        // The page lies beside no packages of its own.
        { find: /^(graphql|graphql-request)$/, replacement: `${MODULES}/$1` },
      ],
    },
    build: { outDir: 'dist', assetsDir: '.', rolldownOptions: { output: { entryFileNames: 'page.js' } } },
  });
  const built = await readFile(join(folder, 'dist/page.js'));
  return {
    folder: join(folder, 'dist'),
    warnings,
    scriptBytes: built.byteLength,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface PageServer {
  /** Without a slash at the end. */
  readonly url: string;
  /** The next answers of the gateway are thrown away, once they have come, and their connections are cut. */
  loseAnswers(count: number): void;
  close(): Promise<void>;
}

/** Serves the page, and hands `/graphql` on to the gateway: one origin, as behind a reverse proxy. */
export async function servePage(page: BuiltPage, gatewayUrl: string): Promise<PageServer> {
  let toLose = 0;
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname;
    if (path !== '/graphql') {
      const isScript = path === '/page.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(await readFile(join(page.folder, isScript ? 'page.js' : 'index.html')));
      return;
    }
    const { method, headers } = request;
    const passed = sendRequest(`${gatewayUrl}${request.url}`, { method, headers }, (answer) => {
      if (toLose > 0) {
        toLose -= 1;
        answer.resume().once('end', () => request.socket.resetAndDestroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseAnswers(count) {
      toLose = count;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
