import { builder } from './builder.ts';
import type { GatewayPort } from './context.ts';
import { CircuitStateEnum, ImageSizeEnum, ProviderStatusEnum } from './enums.ts';

type ProviderFacts = GatewayPort['providers'][number];

const ProviderRef = builder.objectRef<ProviderFacts>('Provider').implement({
  description: 'A configured provider.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'As `GenerateImageInput.provider` takes it.' }),
    models: t.field({
      type: ['String'],
      description: 'The first is the default.',
      resolve: ({ models }) => [...models],
    }),
    sizes: t.field({
      type: [ImageSizeEnum],
      description: 'What it can be asked for.',
      resolve: ({ sizes }) => [...sizes],
    }),
    status: t.field({
      type: ProviderStatusEnum,
      description: 'Judged by the calls that were made to it.',
      resolve: ({ health }) => health().status,
    }),
    circuit: t.field({
      type: CircuitStateEnum,
      description: 'Whether the replica that answers would ask it now.',
      resolve: ({ circuit }) => circuit(),
    }),
    checkedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the last call to it ended; null before the first.',
      resolve: ({ health }) => health().checkedAt,
    }),
  }),
});

builder.queryField('providers', (t) =>
  t.field({
    type: [ProviderRef],
    nullable: true,
    description: 'Configured providers and their health.',
    authScopes: { authenticated: true },
    resolve: (_root, _arguments, { gateway }) => [...gateway.providers],
  }),
);
