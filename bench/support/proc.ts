import { readdirSync, readFileSync } from 'node:fs';

/** Figures of other processes, as Linux tells them under /proc. A process that has ended counts as nothing. */

/** Clock ticks a second in /proc, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** The fields of /proc/<pid>/stat after the name, which may hold anything: state, ppid, … */
const statOf = (path: string): string[] => {
  const text = orNothing(() => readFileSync(`${path}/stat`, 'utf8')) ?? '';
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
};
const STAT = { parent: 1, user: 11, system: 12, childrenUser: 13, childrenSystem: 14 };

export const parentOf = (pid: number): number => Number(statOf(`/proc/${pid}`)[STAT.parent]);

/** The processes under this one, at any depth, without it. */
export function descendantsOf(pid: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const parents = new Map(pids.map((name) => [Number(name), parentOf(Number(name))]));
  const isBelow = (candidate: number): boolean => {
    const parent = parents.get(candidate);
    return parent !== undefined && (parent === pid || isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
}

/** Processor time of these processes, and of their children that have ended, in seconds. */
export const cpuSecondsOf = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + ticksOf(`/proc/${pid}`) / TICKS_PER_SECOND, 0);

/** Processor time of the thread that runs JavaScript, in seconds. */
export const mainThreadSecondsOf = (pid: number): number =>
  ticksOf(`/proc/${pid}/task/${pid}`, { withChildren: false }) / TICKS_PER_SECOND;

function ticksOf(path: string, { withChildren = true } = {}): number {
  const stat = statOf(path);
  const { user, system, childrenUser, childrenSystem } = STAT;
  const places = withChildren ? [user, system, childrenUser, childrenSystem] : [user, system];
  return places.reduce((sum, place) => sum + Number(stat[place] ?? 0), 0);
}

/** Memory of these processes together, what they share counted once, in MB. */
export function proportionalMbOf(pids: readonly number[]): number {
  const kilobytes = pids.map((pid) => {
    const text = orNothing(() => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? '';
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
  });
  return Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1024);
}

/** Files and sockets that the process has open. */
export const openDescriptorsOf = (pid: number): number =>
  orNothing(() => readdirSync(`/proc/${pid}/fd`).length) ?? 0;

/** How many descriptors this process, and those that it starts, may have open: the hard limit, to which Node raises its own. */
export function descriptorLimit(): number {
  const text = readFileSync('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1];
  return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

function orNothing<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
