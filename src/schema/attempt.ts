import type { Attempt } from '../generation.ts';
import { builder } from './builder.ts';
import { AttemptOutcomeEnum } from './enums.ts';

export const AttemptRef = builder.objectRef<Attempt>('Attempt').implement({
  description: 'One call upstream, on record before it was sent.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'From 1.' }),
    requestId: t.exposeID('requestId', {
      description: 'The request id recorded before sending, also sent upstream as `X-Request-Id`.',
    }),
    provider: t.exposeString('provider', { description: 'The provider that was called.' }),
    outcome: t.expose('outcome', { type: AttemptOutcomeEnum, description: 'What became of it.' }),
    httpStatus: t.exposeInt('httpStatus', {
      nullable: true,
      description: 'The status of the answer, where one came.',
    }),
    errorCode: t.exposeString('errorCode', {
      nullable: true,
      description: "The provider's or the transport's code for what went wrong.",
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it was put on record.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its outcome was known.',
    }),
  }),
});
