import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Principal } from '../generation.ts';
import type { HookCall } from './hooks.ts';

export interface AppEnv {
  /** What the server hands on of the connection; nothing where the gateway is called without one. */
  Bindings: Partial<HttpBindings>;
  Variables: { requestId: string; principal: Principal | undefined };
}

/** One HTTP request, on its way through the routes. */
export type AppContext = Context<AppEnv>;

/** What plug-ins are told of it. */
export const callOf = (c: AppContext): HookCall => ({
  requestId: c.get('requestId'),
  remoteAddress: c.env.incoming?.socket.remoteAddress,
});
