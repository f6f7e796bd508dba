import { Command } from 'commander';
import { withExamples } from './help.ts';
import type { AuditOptions } from './lists/audit.ts';
import { withListOptions } from './lists/list-options.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `gesso audit`: who did what, from the trail that nobody can change. */
export function auditCommand(terminal: Terminal): Command {
  const command = new Command('audit')
    .description('List lines of the audit trail, newest first. Needs a key with scope audit:read.')
    .option('--action <actions>', 'such as generation-failed,generation-unknown')
    .option('--generation <id>', 'about this generation');
  withListOptions(command, terminal).action(async (options: AuditOptions) => {
    const { listAudit } = await import('./lists/audit.ts');
    await listAudit(options, terminal);
  });
  return withExamples(command, [
    ['gesso audit --generation 01934b2e-7d1c-7f2a-9c3d-2b1e5a7f8c90', 'All that is known of one generation.'],
    ['gesso audit --since 1d --action api-key-created,api-key-revoked', 'Who made and revoked keys.'],
    ['gesso audit --since 1d --limit 100000 --json > audit.ndjson', 'One line of JSON for each.'],
  ]);
}
