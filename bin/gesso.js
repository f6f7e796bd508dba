#!/usr/bin/env node
// Plain JavaScript that any Node can read, so that a Node which is too old is told so, instead of a syntax error.
const needed = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < needed) {
  process.stderr.write(
    `Gesso needs Node.js ${needed} or later, and this is ${process.versions.node} (${process.execPath}).\n`,
  );
  process.exitCode = 1;
} else {
  await import('../dist/main.js');
}
