import { plainPicture } from '../../src/sandbox/plain-picture.ts';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { answerStalls } from './stalls.ts';

/**
 * The upstream of the benches, a process of its own: answers every call with one fixed picture, after a delay.
 * Arguments: width, height, latency in milliseconds. Prints its base URL.
 */
const [width = '16', height = '16', latencyMs = '0'] = process.argv.slice(2);
const picture = plainPicture({ width: Number(width), height: Number(height), noise: Number(width) > 64 });
const sandbox = await startSandbox({ latencyMs: Number(latencyMs), pictures: picture, journalEntries: 1 });
answerStalls();
process.send?.({ url: sandbox.baseUrl, byteSize: picture.length });
