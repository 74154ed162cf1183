/**
 * The disk of one simulated machine: it outlives processes, and loses what was not synced when the machine crashes.
 * Faults are rules that a test sets and takes away again.
 */
import { assert, crc32 } from '../common/mod.ts';
import { type Disk, DiskError, type DiskErrorCode } from '../io/mod.ts';
import { DirectoryTree, type FileNode } from './directory-tree.ts';
import { pageBytes, type Usage } from './file-image.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import { createDiskPort, type DiskUser } from './sim-disk-port.ts';
import type { SimRandom } from './sim-random.ts';

export type DiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'size'
  | 'close'
  | 'make directory'
  | 'list'
  | 'stat'
  | 'rename'
  | 'remove'
  | 'remove tree'
  | 'sync directory'
  | 'space'
  | 'lock';

/** What a `DiskFault` hits, and how. */
export interface DiskFault {
  operation: DiskOperation;
  code: DiskErrorCode;
  /** Part of the path; without it every path. */
  path?: string;
  /** So many matching calls succeed first; default 0. */
  skip?: number;
  /** So many then fail; default 1. */
  times?: number;
}

export interface DiskShape {
  capacityBytes: number;
  /** Duration of one call, from and to. */
  readUs: readonly [number, number];
  writeUs: readonly [number, number];
  syncUs: readonly [number, number];
  metadataUs: readonly [number, number];
}

const shapeByDefault: DiskShape = {
  capacityBytes: 2 ** 40,
  readUs: [20, 200],
  writeUs: [10, 150],
  syncUs: [100, 2000],
  metadataUs: [10, 200],
};

/** Calls that change the disk, which a read-only one refuses. */
const changing = new Set<DiskOperation>([
  'write',
  'truncate',
  'make directory',
  'rename',
  'remove',
  'remove tree',
  'lock',
]);

export class SimDisk {
  /** Refuses every change with EROFS, as a kernel does after it met an error in its file system. */
  readOnly = false;
  /** All durations are multiplied by it. */
  slowness = 1;
  capacityBytes: number;
  /** Injected errors that were met. */
  faultCount = 0;
  readonly tree: DirectoryTree;
  /** Directory → the process that holds it. */
  readonly locks = new Map<string, DiskUser>();
  readonly #scheduler: Scheduler;
  readonly #random: SimRandom;
  readonly #name: string;
  readonly #wallMs: () => number;
  readonly #shape: DiskShape;
  readonly #usage: Usage = { pages: 0 };
  #faults: { fault: DiskFault; skip: number; times: number }[] = [];
  readonly #triggers = new Set<{ operation: DiskOperation; skip: number; act: () => void }>();
  /** Replaced by a crash: what was under way then never ends. */
  #machine: Owner & { alive: boolean };

  constructor(machine: {
    scheduler: Scheduler;
    random: SimRandom;
    name: string;
    wallMs: () => number;
    shape?: Partial<DiskShape>;
  }) {
    const { scheduler, random, name, wallMs, shape = {} } = machine;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#name = name;
    this.#wallMs = wallMs;
    this.#shape = { ...shapeByDefault, ...shape };
    this.capacityBytes = this.#shape.capacityBytes;
    this.tree = new DirectoryTree(this.#usage);
    this.#machine = this.#boot();
  }

  get usedBytes(): number {
    return this.#usage.pages * pageBytes;
  }

  /** The port of one process of this machine. */
  portOf(user: DiskUser): Disk {
    return createDiskPort(this, user);
  }

  /** Makes calls fail; the result takes the rule away. */
  inject(fault: DiskFault): () => void {
    const rule = { fault, skip: fault.skip ?? 0, times: fault.times ?? 1 };
    this.#faults.push(rule);
    return () => {
      this.#faults = this.#faults.filter((other) => other !== rule);
    };
  }

  /** Runs `act` once, in the middle of a call of this kind after `skip` others; the result takes it back. */
  trigger(operation: DiskOperation, skip: number, act: () => void): () => void {
    const trigger = { operation, skip, act };
    this.#triggers.add(trigger);
    return () => {
      this.#triggers.delete(trigger);
    };
  }

  /** Takes all faults away: rules, triggers, slowness, read-only. A full disk stays full. */
  heal(): void {
    this.#faults = [];
    this.#triggers.clear();
    this.slowness = 1;
    this.readOnly = false;
  }

  /** Power is lost: of what was not synced, any part may be gone. */
  crash(): void {
    this.#machine.alive = false;
    this.#machine = this.#boot();
    this.locks.clear();
    this.tree.crash(this.#random);
  }

  /** The contents as processes see them; for tests and checkers. */
  peek(path: string): Uint8Array {
    const { image } = this.#file(path);
    const bytes = new Uint8Array(image.sizeBytes);
    image.read(bytes, 0, bytes.length, 0);
    return bytes;
  }

  /** Of the files and directories in a directory, sorted; empty when there is none. */
  namesIn(directory: string): string[] {
    const node = this.tree.find('list', directory);
    return node?.kind === 'directory' ? [...node.names.keys()].sort() : [];
  }

  /** Changes bytes on the platter. */
  poke(path: string, position: number, bytes: Uint8Array): void {
    this.#file(path).image.overwrite(bytes, position);
  }

  flipBit(path: string, position: number, bit: number): void {
    const { image } = this.#file(path);
    const byte = new Uint8Array(1);
    image.read(byte, 0, 1, position);
    image.overwrite(Uint8Array.of((byte[0] ?? 0) ^ (1 << bit)), position);
  }

  /**
   * One call of a process: after its duration `act` runs, or the injected error is met. The machine carries it through
   * when the process has died meanwhile, or not: nobody waits for it.
   */
  call<T>(owner: Owner, operation: DiskOperation, path: string, number: number, act: () => T): Promise<T> {
    if (!owner.alive) return Promise.reject(new DiskError('ECLOSED', operation, path));
    const durationUs = this.#begin(operation);
    return new Promise((resolve, reject) => {
      const run = () => {
        if (!owner.alive && this.#random.chance(0.5)) return;
        this.#tell(owner, path, this.#attempt(operation, path, act, resolve, reject));
      };
      this.#scheduler.schedule(this.#machine, durationUs, operation, path, run, number);
    });
  }

  /** As `call`, for a write: checks that the caller left the bytes alone, and may fail half-way. */
  write(owner: Owner, file: FileNode, path: string, bytes: Uint8Array, position: number): Promise<void> {
    const checksum = crc32(bytes);
    return this.call(owner, 'write', path, position ^ checksum, () => {
      assert(crc32(bytes) === checksum, `${path}: the bytes at ${position} were changed while they were being written`);
      const room = Math.floor(this.capacityBytes / pageBytes) - this.#usage.pages;
      const fits = file.image.newPages(bytes.length, position) <= room;
      const failed = this.#met('write', path) ?? (fits ? undefined : 'ENOSPC');
      const torn = failed !== undefined || !owner.alive;
      const written = torn ? bytes.subarray(0, this.#random.below(fits ? bytes.length + 1 : 1)) : bytes;
      file.image.write(written, position);
      file.image.modifiedMs = this.#wallMs();
      if (failed !== undefined) throw new DiskError(failed, 'write', path);
    });
  }

  /** As `call`, for a new size: waits for a sync under way. */
  async truncate(owner: Owner, file: FileNode, path: string, sizeBytes: number): Promise<void> {
    const attempt = () =>
      this.call(owner, 'truncate', path, sizeBytes, () => {
        if (file.image.syncUnderWay) return false;
        file.image.truncate(sizeBytes);
        file.image.modifiedMs = this.#wallMs();
        return true;
      });
    while (!(await attempt()));
  }

  /** As `call`, for a sync, of which a file has one under way at a time. */
  async sync(owner: Owner, file: FileNode, path: string): Promise<void> {
    if (!owner.alive) throw new DiskError('ECLOSED', 'sync', path);
    while (file.image.syncUnderWay) await this.call(owner, 'stat', path, 0, () => {});
    file.image.beginSync();
    const durationUs = this.#begin('sync');
    return new Promise((resolve, reject) => {
      this.#scheduler.schedule(this.#machine, durationUs, 'sync', path, () => {
        const failed = this.#met('sync', path);
        if (failed === undefined) file.image.endSync();
        else file.image.failSync(this.#random);
        this.#tell(owner, path, () => {
          if (failed === undefined) resolve();
          else reject(new DiskError(failed, 'sync', path));
        });
      });
    });
  }

  /** The process learns how its call ended: when it wakes, if it is paused; never, if it is dead. */
  #tell(owner: Owner, path: string, settle: () => void): void {
    if (owner.pausedUntilUs > this.#scheduler.nowUs) this.#scheduler.schedule(owner, 0, 'wake', path, settle);
    else if (owner.alive) settle();
  }

  #attempt<T>(
    operation: DiskOperation,
    path: string,
    act: () => T,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): () => void {
    try {
      // A write looks for its faults itself.
      const failed = operation === 'write' ? undefined : this.#met(operation, path);
      if (failed !== undefined) throw new DiskError(failed, operation, path);
      const value = act();
      return () => resolve(value);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return () => reject(error);
    }
  }

  /** The error that this call meets, if any. */
  #met(operation: DiskOperation, path: string): DiskErrorCode | undefined {
    if (this.readOnly && changing.has(operation)) return 'EROFS';
    for (const rule of this.#faults) {
      if (rule.fault.operation !== operation || !path.includes(rule.fault.path ?? '') || rule.times === 0) continue;
      if (rule.skip > 0) {
        rule.skip -= 1;
        continue;
      }
      rule.times -= 1;
      this.faultCount += 1;
      return rule.fault.code;
    }
    return undefined;
  }

  /** How long the call takes; somewhere in between a trigger may go off. */
  #begin(operation: DiskOperation): number {
    const durationUs = this.#durationUs(operation);
    for (const trigger of this.#triggers) {
      if (trigger.operation !== operation) continue;
      trigger.skip -= 1;
      if (trigger.skip >= 0) continue;
      this.#triggers.delete(trigger);
      this.#scheduler.schedule(undefined, this.#random.below(durationUs), 'trigger', operation, trigger.act);
    }
    return durationUs;
  }

  #durationUs(operation: DiskOperation): number {
    const { readUs, writeUs, syncUs, metadataUs } = this.#shape;
    const ranges: Partial<Record<DiskOperation, readonly [number, number]>> = {
      read: readUs,
      write: writeUs,
      sync: syncUs,
      'sync directory': syncUs,
    };
    return this.#random.between(ranges[operation] ?? metadataUs) * this.slowness;
  }

  #file(path: string): FileNode {
    const node = this.tree.find('open', path);
    if (node?.kind !== 'file') throw new DiskError('ENOENT', 'open', path);
    return node;
  }

  #boot(): Owner & { alive: boolean } {
    return { name: this.#name, alive: true, pausedUntilUs: 0 };
  }
}
