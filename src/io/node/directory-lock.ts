/**
 * One broker a directory. Held in two ways that back each other up:
 *
 * - the file `<directory>/liftmq.lock`, made exclusively, with the holder's pid and start time: for people to read, and
 *   for systems without the second way. A kill -9 leaves it behind; it is stale when that process is gone.
 * - on Linux, an abstract socket named after the directory's real path: the kernel frees it with the process, and of
 *   two processes that both find a stale file only one can bind it.
 *
 * A Java broker instead holds a POSIX lock on `<directory>/lock`. Node cannot ask for one, but Linux lists them in
 * /proc/locks, by inode.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, realpath, stat, unlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { type DirectoryLock, DiskError } from '../disk.ts';

const ownFileName = 'liftmq.lock';
const javaFileName = 'lock';

interface Holder {
  pid: number;
  /** Clock ticks from boot to the process's start; empty where the system does not tell. Tells a reused pid apart. */
  startTime: string;
}

export async function lockDirectory(path: string): Promise<DirectoryLock> {
  try {
    await mkdir(path, { recursive: true });
    const directory = await realpath(path);
    const socket = process.platform === 'linux' ? await bindSocket(directory) : undefined;
    try {
      await refuseJavaHolder(directory);
      await createOwnFile(directory);
    } catch (error) {
      socket?.close();
      throw error;
    }
    return { release: () => release(directory, socket) };
  } catch (error) {
    throw error instanceof Held
      ? new DiskError('EEXIST', 'lock', path, error)
      : new DiskError(lockErrorCode(error), 'lock', path, error);
  }
}

class Held extends Error {}

async function release(directory: string, socket: net.Server | undefined): Promise<void> {
  // The file goes first: once the socket is free, another process may have made its own.
  await unlink(join(directory, ownFileName)).catch(() => {});
  if (socket !== undefined) await new Promise((resolve) => socket.close(resolve));
}

async function bindSocket(directory: string): Promise<net.Server> {
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 32);
  const server = net.createServer((socket) => socket.destroy());
  server.unref();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(`\0liftmq-${name}`, resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const holder = await readOwnFile(directory);
    throw new Held(`${directory} is in use by ${holder === undefined ? 'another process' : `process ${holder.pid}`}`);
  }
  return server;
}

async function createOwnFile(directory: string): Promise<void> {
  const path = join(directory, ownFileName);
  const own: Holder = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' };
  // Twice: a stale file is removed once; whoever makes one after that is alive.
  for (const attempt of [1, 2]) {
    try {
      await writeFile(path, JSON.stringify(own), { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readOwnFile(directory);
    if (attempt === 2 || (holder !== undefined && isAlive(holder))) {
      throw new Held(`${path} is held by ${holder === undefined ? 'another process' : `process ${holder.pid}`}`);
    }
    await unlink(path).catch(() => {});
  }
}

/** Undefined when there is none, or its writer died before the contents were written. */
async function readOwnFile(directory: string): Promise<Holder | undefined> {
  try {
    const holder: unknown = JSON.parse(await readFile(join(directory, ownFileName), 'utf8'));
    if (typeof holder !== 'object' || holder === null) return undefined;
    const { pid, startTime } = holder as Partial<Holder>;
    return Number.isSafeInteger(pid) && typeof startTime === 'string' ? { pid: Number(pid), startTime } : undefined;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, startTime }: Holder): boolean {
  if (process.platform === 'linux') return startTimeOf(pid) === startTime;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of /proc/<pid>/stat, counted behind the command, which may hold blanks and brackets. */
function startTimeOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/**
 * Lines of /proc/locks: `1: POSIX  ADVISORY  WRITE 4711 fe:00:262153 0 EOF`, the file as major:minor:inode, the
 * numbers of the device in hexadecimal.
 */
async function refuseJavaHolder(directory: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const path = join(directory, javaFileName);
  let file: { ino: bigint; dev: bigint };
  let locks: string;
  try {
    file = await stat(path, { bigint: true });
    locks = await readFile('/proc/locks', 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for (const line of locks.split('\n')) {
    const found = /^\d+: (?:POSIX|FLOCK|OFDLCK) +\S+ +\S+ +(-?\d+) +([0-9a-f]+):([0-9a-f]+):(\d+) /.exec(line);
    if (found === null) continue;
    const [, pid = '', major = '', minor = '', inode = ''] = found;
    if (BigInt(inode) !== file.ino || !sameDevice(file.dev, parseInt(major, 16), parseInt(minor, 16))) continue;
    throw new Held(`${path} is locked by ${Number(pid) > 0 ? `process ${pid}` : 'another process'} (a Java broker?)`);
  }
}

/** Overlay and btrfs show different anonymous devices (major 0) here and in `stat`: then the inode alone decides. */
function sameDevice(device: bigint, major: number, minor: number): boolean {
  const deviceMajor = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
  const deviceMinor = Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
  if (deviceMajor === 0 || major === 0) return true;
  return deviceMajor === major && deviceMinor === minor;
}

function lockErrorCode(error: unknown): 'EACCES' | 'EROFS' | 'ENOSPC' | 'ENOTDIR' | 'EOTHER' {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EPERM') return 'EACCES';
  return code === 'EACCES' || code === 'EROFS' || code === 'ENOSPC' || code === 'ENOTDIR' ? code : 'EOTHER';
}
