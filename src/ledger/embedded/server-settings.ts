import { type Endpoint, usesSocket } from './endpoint.ts';

/**
 * What the server runs with, each a default of PostgreSQL's that does not suit a small server next to its only
 * client. Given on the command line, so that a new release brings new settings to an old folder. Durability
 * stays whole: `fsync`, `full_page_writes` and `synchronous_commit` are on.
 */
const SETTINGS = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  max_connections: '100',
  shared_buffers: '64MB',
  max_wal_size: '512MB',
  // Compiling a query costs more than any of ours.
  jit: 'off',
  // Reading ahead in the backend itself saves three processes.
  io_method: 'sync',
  // No standby and no archive reads the log of this server.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  log_checkpoints: 'off',
  log_min_messages: 'warning',
  // DETAIL repeats the values of the failing row, and a prompt is nobody's business.
  log_error_verbosity: 'terse',
  log_timezone: 'UTC',
  timezone: 'UTC',
} as const;

/** The command line of `postgres` for this folder and endpoint. */
export function serverArguments(cluster: string, endpoint: Endpoint): string[] {
  const settings = {
    ...SETTINGS,
    port: String(endpoint.port),
    listen_addresses: usesSocket(endpoint) ? '' : endpoint.host,
    // Its working folder is the cluster: a path of its own would be split at commas.
    unix_socket_directories: usesSocket(endpoint) ? '.' : '',
  };
  return ['-D', cluster, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}
