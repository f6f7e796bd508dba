/** What the embedded server tells its operator; a pino logger fits. */
export interface EmbeddedPostgresLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export const silentLog: EmbeddedPostgresLog = { info: () => {}, warn: () => {} };
