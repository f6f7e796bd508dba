import type { Hono } from 'hono';
import { hasScope } from '../generation.ts';
import { type AppContext, type AppEnv, callOf } from './app-context.ts';
import { attempt, type PluginRoute } from './hooks.ts';

/**
 * Adds the endpoints of plug-ins.
 *
 * @param authenticate notes who calls; the answer where that can't be said. In what is public, an `Authorization` that is
 *   none of the gateway's keys is nobody's
 */
export function addPluginRoutes(
  app: Hono<AppEnv>,
  routes: readonly PluginRoute[],
  authenticate: (c: AppContext, isPublic?: boolean) => Promise<Response | undefined>,
): void {
  for (const { plugin, route } of routes) {
    const what = `${route.method} ${route.path} of the plug-in "${plugin}"`;
    app.on(route.method, route.path, async (c) => {
      const refusal = (await authenticate(c, route.public)) ?? refusalOf(route, c);
      if (refusal !== undefined) return refusal;
      const call = { ...callOf(c), principal: c.get('principal') };
      const response = await attempt(what, () => route.handler(c.req.raw, call));
      if (response === undefined) throw new TypeError(`${what} returned no Response.`);
      return response;
    });
  }
  for (const path of new Set(routes.map(({ route }) => route.path))) {
    const methods = routes.filter(({ route }) => route.path === path).map(({ route }) => route.method);
    app.all(path, (c) => {
      c.header('Allow', methods.join(', '));
      return c.json({ error: `This takes ${methods.join(' and ')}.` }, 405);
    });
  }
}

/** What somebody is told who may not call it; undefined for whoever may. */
function refusalOf(route: PluginRoute['route'], c: AppContext): Response | undefined {
  const principal = c.get('principal');
  if (route.public === true) return undefined;
  if (principal === undefined) {
    c.header('WWW-Authenticate', 'Bearer');
    return c.json({ error: 'This needs an API key: `Authorization: Bearer <key>`.' }, 401);
  }
  if (route.scope === undefined || hasScope(principal, route.scope)) return undefined;
  return c.json({ error: `This needs an API key with the scope \`${route.scope}\`.` }, 403);
}
