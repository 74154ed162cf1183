/** Children of a run: started with their output in a file, measured through /proc, and never left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const CLOCK_TICKS_PER_SECOND = 100; // USER_HZ: fixed in the kernel's interface on every common architecture
const PATIENCE_MS = { terminate: 15_000, kill: 5_000 } as const;

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

export interface Child {
  readonly pid: number;
  /** The exit code or signal, once the process is gone. */
  ended(): string | undefined;
  /** The end of what it wrote, for messages about its failure. */
  output(): string;
  /** SIGTERM, and SIGKILL to one that does not heed it. */
  stop(): Promise<void>;
}

export function startChild(
  command: string,
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string>; outputPath: string },
): Child {
  const output = openSync(options.outputPath, 'a');
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  if (child.pid === undefined) throw new Error(`cannot start ${command}`);
  alive.add(child);
  let end: string | undefined;
  child.on('exit', (code, signal) => {
    end = signal ?? `code ${code}`;
    alive.delete(child);
  });

  async function endsWithin(ms: number): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < ms && end === undefined; waitedMs += 20) await sleep(20);
    return end !== undefined;
  }

  return {
    pid: child.pid,
    ended: () => end,
    output: () => readFileSync(options.outputPath, 'utf8').slice(-2000),
    async stop() {
      if (end !== undefined) return;
      child.kill('SIGTERM');
      if (await endsWithin(PATIENCE_MS.terminate)) return;
      child.kill('SIGKILL');
      if (!(await endsWithin(PATIENCE_MS.kill))) throw new Error(`process ${child.pid} does not die`);
    },
  };
}

/** CPU seconds, user and system, that all threads of a process have used since it began. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the command in parentheses and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

export interface Memory {
  /** Everything resident, mapped files among it: what `ps` shows. */
  readonly residentBytes: number;
  /** What belongs to the process alone: heap, stacks, buffers. */
  readonly anonymousBytes: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const bytesOf = (name: string) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))?.[1] ?? 0) * 1024;
  return { residentBytes: bytesOf('VmRSS'), anonymousBytes: bytesOf('RssAnon') };
}
