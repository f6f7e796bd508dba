#!/usr/bin/env -S node --max-semi-space-size=16
// Requests that wait for minutes outlive the young generation: kept small, it is collected in shorter stops and takes some
// 40 MB less. Plain JavaScript that any Node can read, so that a Node which is too old is told so, instead of a syntax error.
import { existsSync } from 'node:fs';

const needed = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < needed) {
  process.stderr.write(
    `Gesso needs Node.js ${needed} or later, and this is ${process.versions.node} (${process.execPath}). ` +
      'For npx and npm scripts, `npm install node@24` brings it into a project.\n',
  );
  process.exitCode = 1;
} else {
  // In a clone the sources run as they are, and what was built of them may be older.
  const sources = new URL('../src/main.ts', import.meta.url);
  await import(existsSync(sources) ? sources.href : '../dist/main.js');
}
