import type { ClientsGateway } from '../../support/clients-gateway.ts';
import type { ClientDriver, Session } from './driver.ts';

/** What the cases of a client work with. */
export interface Bench {
  readonly driver: ClientDriver;
  /** There is none before the tests run. */
  readonly gateway: ClientsGateway;
  /** A session that is closed after the test; with no argument, with the key of a client application of its own. */
  open(key?: string | null): Promise<OpenSession>;
}

export interface OpenSession {
  readonly session: Session;
  /** The names of the operations that it sent over HTTP, in order. */
  readonly sent: readonly string[];
}

/** How long to wait for what is said to come, in milliseconds. Machines may be slow. */
export const PATIENCE = { timeout: 20_000 };
