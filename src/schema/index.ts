import './scalars.ts';
import './client.ts';
import './generation.ts';
import './image.ts';
import './generations.ts';
import './generate-image.ts';
import './start-generation.ts';
import './cancel-generation.ts';
import './generation-updated.ts';
import './viewer.ts';
import './provider.ts';
import './audit-event.ts';
import './api-key.ts';
import { builder } from './builder.ts';

/** The executable schema. `schema.graphql` at the root is its printed form. */
export const schema = builder.toSchema();
