import { describe, expect, it } from 'vitest';
import { ConfigError, definePlugin, type GessoPlugin } from '../../src/index.ts';
import { checkPlugins } from '../../src/plugin.ts';

async function middleware<Request, Response>(
  request: Request,
  next: (request: Request) => Promise<Response>,
): Promise<Response> {
  return next(request);
}
const COMPLETE: GessoPlugin = {
  name: 'complete',
  providers: [
    {
      name: 'easel',
      models: ['easel-1'],
      sizes: ['auto'],
      generate: async () => expect.unreachable(),
      close: async () => undefined,
    },
  ],
  requestMiddleware: [{ middleware, before: 'quota' }],
  attemptMiddleware: [{ middleware }],
  schema: { typeDefs: 'extend type Query { a: Int }', resolvers: { Query: { a: () => 1 } }, scope: 'admin' },
  auditSinks: [{ name: 'sink', from: 'beginning', write: async () => undefined }],
  httpHooks: {
    onRequest: () => undefined,
    onResponse: () => undefined,
    routes: [{ method: 'GET', path: '/a/b-c', public: true, handler: () => new Response() }],
  },
};

/** What is wrong with it, by both ways to the gateway. */
function problemOf(plugin: unknown): string {
  const messages = [definePlugin, (given: GessoPlugin) => checkPlugins([given])].map((check) => {
    try {
      check(plugin as GessoPlugin);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
    return expect.fail('It was taken.');
  });
  expect(new Set(messages).size).toBe(1);
  return messages[0] ?? '';
}

describe('definePlugin', () => {
  it('returns the plug-in as it is', () => {
    expect(definePlugin(COMPLETE)).toBe(COMPLETE);
    const bare = { name: 'bare' };
    expect(definePlugin(bare)).toBe(bare);
    expect(definePlugin({ ...COMPLETE, schema: [] }).schema).toEqual([]);
  });

  it('takes what is written as a class, with more in it', () => {
    class Sink {
      readonly name = 'sink';
      readonly #lines: unknown[] = [];
      readonly path = '/var/log';
      async write(events: readonly unknown[]) {
        this.#lines.push(...events);
      }
    }
    expect(definePlugin({ name: 'classy', auditSinks: [new Sink()] })).toBeDefined();
  });

  it.each<[string, unknown, string]>([
    ['a field that there is none of', { auditSink: [] }, 'there is no field `auditSink`'],
    [
      'a hook that there is none of',
      { httpHooks: { onRequests: [] } },
      'there is no field `onRequests` of `httpHooks`',
    ],
    ['a list that is none', { providers: {} }, '`providers` must be array, received object'],
    [
      'a provider without sizes',
      { providers: [{ ...COMPLETE.providers?.[0], sizes: undefined }] },
      '`providers.0.sizes` must be array, received undefined',
    ],
    [
      'a provider that can’t generate',
      { providers: [{ ...COMPLETE.providers?.[0], generate: 'x' }] },
      '`providers.0.generate` must be a function',
    ],
    [
      'a middleware that is not placed',
      { requestMiddleware: [middleware] },
      '`requestMiddleware.0` must be object, received function',
    ],
    [
      'a place that there is none of',
      { attemptMiddleware: [{ middleware, behind: 'retry' }] },
      'there is no field `behind` of `attemptMiddleware.0`',
    ],
    ['an extension without SDL', { schema: {} }, '`schema.0.typeDefs` must be string, received undefined'],
    [
      'a scope that there is none of',
      { schema: [{ typeDefs: '', scope: 'images' }] },
      '`schema.0.scope` must be one of "images:generate"|"generations:read"|"audit:read"|"usage:read"|"admin"',
    ],
    [
      'an extension for all and for some',
      { schema: [{ typeDefs: '', scope: 'admin', public: true }] },
      '`schema.0` is public, and asks for a scope',
    ],
    [
      'a sink with a name that is none',
      { auditSinks: [{ name: 'My Sink', write: middleware }] },
      '`auditSinks.0.name` must be lowercase letters, digits and hyphens',
    ],
    [
      'a sink that can’t write',
      { auditSinks: [{ name: 'sink' }] },
      '`auditSinks.0.write` must be a function',
    ],
    [
      'a route with parameters',
      { httpHooks: { routes: [{ method: 'GET', path: '/a/:b', handler: middleware }] } },
      '`httpHooks.routes.0.path` must begin with a slash, and have no parameters or special characters',
    ],
    [
      'several things at once',
      { providers: 1, extra: 2 },
      '`providers` must be array, received number; there is no field `extra`',
    ],
  ])('refuses %s, and names plug-in and field', (_about, fields, problem) => {
    expect(problemOf({ name: 'odd', ...(fields as object) })).toBe(
      `The plug-in "odd" is not usable: ${problem}.`,
    );
  });

  it.each([undefined, null, 'name', {}, { name: '' }, { name: 7 }])(
    'refuses what has no name: %j',
    (plugin) => {
      expect(problemOf(plugin)).toMatch(/^(A plug-in without a name|The plug-in "") is not usable: /);
    },
  );
});

describe('checkPlugins', () => {
  it('refuses two sinks of one name: how far they got could not be told apart', () => {
    const auditSinks = COMPLETE.auditSinks ?? [];
    expect(() => checkPlugins([COMPLETE, { name: 'other', auditSinks }])).toThrow(
      new ConfigError('Two audit sinks are called "sink": of the plug-ins "complete" and "other".'),
    );
  });
});
