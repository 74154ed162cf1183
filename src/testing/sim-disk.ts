/**
 * The disk of one simulated machine: it outlives processes, and loses what was not synced when the machine crashes.
 * Faults are rules that a test sets and takes away again.
 */
import { assert, crc32 } from '../common/mod.ts';
import { type Disk, DiskError, type DiskErrorCode } from '../io/mod.ts';
import { DirectoryTree, type FileNode } from './directory-tree.ts';
import type { FaultPoints } from './fault-points.ts';
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

/** What a fault hits. */
export interface DiskTarget {
  /** Without it every operation. */
  operation?: DiskOperation;
  /** Part of the path; without it every path. */
  path?: string;
  /** So many matching calls pass first; default 0. */
  skip?: number;
  /** So many then meet it; default 1. */
  times?: number;
  /** Called each time it is met. */
  met?: () => void;
}

export interface DiskFault extends DiskTarget {
  code: DiskErrorCode;
}

/**
 * What a disk does without a word: `misdirected write`: the next sync brings the pages to a wrong place of the file;
 * `stale read`: a read gets what an earlier sync left.
 */
export interface DiskLie extends DiskTarget {
  lie: 'misdirected write' | 'stale read';
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

/** Calls that may take space for something new. */
const growing = new Set<DiskOperation>(['write', 'make directory', 'lock']);

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

interface Rule {
  fault: DiskFault | DiskLie;
  skip: number;
  times: number;
}

interface Stall {
  path: string;
  untilUs: number;
  /** Calls that hang: each goes on when called. */
  held: Set<() => void>;
}

interface Trigger {
  operation: DiskOperation;
  skip: number;
  act: (point: string) => void;
}

export class SimDisk {
  /** Refuses every change with EROFS, as a kernel does after it met an error in its file system. */
  readOnly = false;
  /** All durations are multiplied by it. */
  slowness = 1;
  /** Nothing new finds room, whatever `space` says: a quota, or reserved blocks. */
  full = false;
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
  readonly points: FaultPoints;
  /** Calls under way, by process. */
  readonly #underWay = new Map<Owner, { count: number; settled: (() => void)[] }>();
  #rules: Rule[] = [];
  readonly #triggers = new Set<Trigger>();
  readonly #stalls = new Set<Stall>();
  /** Replaced by a crash: what was under way then never ends. */
  #machine: Owner & { alive: boolean };

  constructor(machine: {
    scheduler: Scheduler;
    random: SimRandom;
    name: string;
    wallMs: () => number;
    points: FaultPoints;
    shape?: Partial<DiskShape>;
  }) {
    const { scheduler, random, name, wallMs, points, shape = {} } = machine;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#name = name;
    this.#wallMs = wallMs;
    this.points = points;
    this.#shape = { ...shapeByDefault, ...shape };
    this.capacityBytes = this.#shape.capacityBytes;
    this.tree = new DirectoryTree(this.#usage);
    this.#machine = this.#boot();
  }

  /** What `capacityBytes` is when nobody made it smaller. */
  get installedBytes(): number {
    return this.#shape.capacityBytes;
  }

  get usedBytes(): number {
    return this.#usage.pages * pageBytes;
  }

  /** The port of one process of this machine. */
  portOf(user: DiskUser): Disk {
    return createDiskPort(this, user);
  }

  /** Makes calls fail, or lie; the result takes the rule away. */
  inject(fault: DiskFault | DiskLie): () => void {
    const rule = { fault, skip: fault.skip ?? 0, times: fault.times ?? 1 };
    this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    };
  }

  /** Runs `act` once, in the middle of a call of this kind after `skip` others; the result takes it back. */
  trigger(operation: DiskOperation, skip: number, act: (point: string) => void): () => void {
    const trigger = { operation, skip, act };
    this.#triggers.add(trigger);
    return () => {
      this.#triggers.delete(trigger);
    };
  }

  /** Calls on paths that contain `path` hang, until `durationMs` from now or until the result is called. */
  stall(path: string, durationMs: number): () => void {
    const stall = { path, untilUs: this.#scheduler.nowUs + durationMs * 1000, held: new Set<() => void>() };
    this.#stalls.add(stall);
    return () => this.#endStall(stall);
  }

  #endStall(stall: Stall): void {
    this.#stalls.delete(stall);
    for (const goOn of [...stall.held]) goOn();
  }

  /** One bit on the platter turns. False when there is nothing that could rot. */
  rot(path: string): boolean {
    const files = this.tree.filesBelow(path).filter(({ image }) => image.durablePageCount > 0);
    const file = files[this.#random.below(files.length)];
    if (file === undefined) return false;
    file.image.rot(this.#random);
    this.points.strike('bit rot', this.points.pointOf('platter', file.path));
    return true;
  }

  /** Takes all faults away: rules, triggers, stalls, slowness, read-only. */
  heal(): void {
    this.#rules = [];
    this.#triggers.clear();
    for (const stall of [...this.#stalls]) this.#endStall(stall);
    this.slowness = 1;
    this.readOnly = false;
    this.full = false;
  }

  /** Power is lost: of what was not synced, any part may be gone. */
  crash(): void {
    this.#machine.alive = false;
    this.#machine = this.#boot();
    this.locks.clear();
    for (const owner of [...this.#underWay.keys()]) this.#allEnded(owner);
    this.tree.crash(this.#random);
  }

  /** Resolves when no call of this process is under way. */
  async settled(owner: Owner): Promise<void> {
    const calls = this.#underWay.get(owner);
    if (calls !== undefined) await new Promise<void>((resolve) => calls.settled.push(resolve));
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
    return new Promise((resolve, reject) => {
      this.#began(owner);
      const run = () => {
        this.#ended(owner);
        if (!owner.alive && this.#random.chance(0.5)) return;
        this.#tell(owner, path, this.#attempt(operation, path, act, resolve, reject));
      };
      this.#carryOut(operation, path, run, number);
    });
  }

  /** As `call`, for a write: checks that the caller left the bytes alone, and may fail half-way. */
  write(owner: Owner, file: FileNode, path: string, bytes: Uint8Array, position: number): Promise<void> {
    const checksum = crc32(bytes);
    return this.call(owner, 'write', path, position ^ checksum, () => {
      assert(crc32(bytes) === checksum, `${path}: the bytes at ${position} were changed while they were being written`);
      const fits = file.image.newPages(bytes.length, position) <= this.#roomPages;
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
    this.#began(owner);
    return new Promise((resolve, reject) => {
      this.#carryOut('sync', path, () => {
        this.#ended(owner);
        const failed = this.#met('sync', path);
        if (failed !== undefined) file.image.failSync(this.#random);
        else file.image.endSync(this.lies('misdirected write', path) ? this.#random : undefined);
        this.#tell(owner, path, () => {
          if (failed === undefined) resolve();
          else reject(new DiskError(failed, 'sync', path));
        });
      });
    });
  }

  #began(owner: Owner): void {
    const calls = this.#underWay.get(owner);
    if (calls === undefined) this.#underWay.set(owner, { count: 1, settled: [] });
    else calls.count += 1;
  }

  #ended(owner: Owner): void {
    const calls = this.#underWay.get(owner);
    if (calls === undefined) return;
    calls.count -= 1;
    if (calls.count === 0) this.#allEnded(owner);
  }

  #allEnded(owner: Owner): void {
    const settled = this.#underWay.get(owner)?.settled ?? [];
    this.#underWay.delete(owner);
    if (settled.length === 0) return;
    // When the event is over: the last call takes effect first.
    this.#scheduler.schedule(undefined, 0, 'settled', owner.name, () => {
      for (const resolve of settled) resolve();
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

  /** Whether this call meets the lie. */
  lies(lie: DiskLie['lie'], path: string): boolean {
    if (this.#rules.length === 0) return false;
    const operation = lie === 'stale read' ? 'read' : 'sync';
    const met = this.#find(operation, path, (fault) => 'lie' in fault && fault.lie === lie) !== undefined;
    if (met) this.points.strike(lie, this.points.pointOf(operation, path));
    return met;
  }

  /** The error that this call meets, if any. */
  #met(operation: DiskOperation, path: string): DiskErrorCode | undefined {
    const code = this.#codeMet(operation, path);
    if (code !== undefined) this.points.strike(code, this.points.pointOf(operation, path));
    return code;
  }

  #codeMet(operation: DiskOperation, path: string): DiskErrorCode | undefined {
    if (this.readOnly && changing.has(operation)) return 'EROFS';
    if (operation !== 'write' && growing.has(operation) && this.#roomPages <= 0) return 'ENOSPC';
    if (this.#rules.length === 0) return undefined;
    const fault = this.#find(operation, path, (one) => 'code' in one);
    return fault !== undefined && 'code' in fault ? fault.code : undefined;
  }

  #find(
    operation: DiskOperation,
    path: string,
    wanted: (fault: DiskFault | DiskLie) => boolean,
  ): DiskFault | DiskLie | undefined {
    for (const rule of this.#rules) {
      const { fault } = rule;
      if (!wanted(fault) || rule.times === 0) continue;
      if ((fault.operation ?? operation) !== operation || !path.includes(fault.path ?? '')) continue;
      if (rule.skip > 0) {
        rule.skip -= 1;
        continue;
      }
      rule.times -= 1;
      this.faultCount += 1;
      fault.met?.();
      return fault;
    }
    return undefined;
  }

  get #roomPages(): number {
    return this.full ? 0 : Math.floor(this.capacityBytes / pageBytes) - this.#usage.pages;
  }

  /** Lets `run` happen when the call has taken its time; somewhere in between a trigger may go off. */
  #carryOut(operation: DiskOperation, path: string, run: () => void, number = 0): void {
    this.points.pass(operation, path);
    const durationUs = this.#durationUs(operation);
    const stall = this.#stallOf(path);
    if (stall === undefined) {
      this.#scheduler.schedule(this.#machine, durationUs, operation, path, run, number);
    } else {
      this.points.strike('stall', this.points.pointOf(operation, path));
      this.#hold(stall, durationUs, operation, path, run, number);
    }
    this.#passTriggers(operation, path, durationUs);
  }

  #stallOf(path: string): Stall | undefined {
    for (const stall of this.#stalls) {
      if (path.includes(stall.path) && stall.untilUs > this.#scheduler.nowUs) return stall;
    }
    return undefined;
  }

  #hold(
    stall: Stall,
    durationUs: number,
    operation: DiskOperation,
    path: string,
    run: () => void,
    number: number,
  ): void {
    const restUs = Math.max(durationUs, stall.untilUs - this.#scheduler.nowUs);
    const machine = this.#machine;
    const end = this.#scheduler.schedule(
      machine,
      restUs,
      operation,
      path,
      () => {
        stall.held.delete(goOn);
        run();
      },
      number,
    );
    const goOn = () => {
      end.cancel();
      stall.held.delete(goOn);
      this.#scheduler.schedule(machine, durationUs, operation, path, run, number);
    };
    stall.held.add(goOn);
  }

  #passTriggers(operation: DiskOperation, path: string, durationUs: number): void {
    for (const trigger of this.#triggers) {
      if (trigger.operation !== operation) continue;
      trigger.skip -= 1;
      if (trigger.skip >= 0) continue;
      this.#triggers.delete(trigger);
      const act = () => trigger.act(this.points.pointOf(operation, path));
      this.#scheduler.schedule(undefined, this.#random.below(durationUs), 'trigger', operation, act);
    }
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
