import { enableCompileCache } from 'node:module';

// Before anything else is loaded: a second start reads what the first one compiled.
enableCompileCache();
const { run } = await import('./cli/program.ts');

/** The process entry. With cli/ it is the only reader of the command line. */
process.exitCode = await run(process.argv);
