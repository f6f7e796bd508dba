import type { Client } from '../ledger/clients.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { inOrder } from './ids.ts';

export const ClientRef = builder.loadableNodeRef('Client', {
  id: { resolve: (client: Client) => client.id },
  load: (ids: string[], { read }: Context): Promise<Client[]> => inOrder(ids, read.clientsById),
});

builder.objectType(ClientRef, {
  description: 'An application that calls the gateway. Its API keys share its generations.',
  fields: (t) => ({ name: t.exposeString('name', { description: "The application's name, unique." }) }),
});
