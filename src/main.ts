import { run } from './cli/program.ts';

/** The process entry. With cli/ it is the only reader of the command line. */
process.exitCode = await run(process.argv);
