import { builder } from './builder.ts';

export interface UserErrorShape {
  readonly message: string;
  readonly retryable: boolean;
}

export const UserErrorRef = builder.interfaceRef<UserErrorShape>('UserError').implement({
  description: 'A failure that a client is expected to handle.',
  fields: (t) => ({
    message: t.exposeString('message', {
      description: "For developers, never with secrets or the provider's credentials in it.",
    }),
    retryable: t.exposeBoolean('retryable', {
      description: 'Whether the same request can succeed later without a change.',
    }),
  }),
});

/** Members of unions carry their type's name; Pothos keeps it out of the shapes. */
export const typenameOf = (member: unknown): string => (member as { __typename: string }).__typename;
