import { defineConfig, definePlugin } from 'gesso';
import { createFileSink } from './file-sink.ts';

const path = process.env.AUDIT_FILE ?? 'audit.ndjson';

export default defineConfig({
  plugins: [definePlugin({ name: 'audit-to-file', auditSinks: [createFileSink({ path })] })],
});
