/**
 * A machine of the simulated world, and the process that runs on it. The machine keeps its disk, address and clock;
 * each start of the process gets fresh ports over them.
 */
import { assert } from '../common/mod.ts';
import type { Env } from '../io/mod.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimDisk } from './sim-disk.ts';
import type { DiskUser } from './sim-disk-port.ts';
import { createSimHost } from './sim-host.ts';
import type { LogRing } from './sim-log.ts';
import type { SimNetwork } from './sim-network.ts';
import type { SimRandom } from './sim-random.ts';
import { createSimTimers } from './sim-timers.ts';
import { createSimWorkers } from './sim-workers.ts';

export interface SimProcess extends DiskUser {
  alive: boolean;
  pausedUntilUs: number;
  /** Called when the process was killed or its machine crashed. */
  readonly onEnd: Set<() => void>;
}

interface Machine {
  name: string;
  address: string;
  scheduler: Scheduler;
  random: SimRandom;
  clock: SimClock;
  disk: SimDisk;
  network: SimNetwork;
  log: LogRing;
  memoryTotalBytes: number;
  descriptorCountMax: number;
  environment: Readonly<Record<string, string>>;
}

export class SimNode {
  readonly name: string;
  readonly address: string;
  readonly clock: SimClock;
  readonly disk: SimDisk;
  readonly #machine: Machine;
  #startCount = 0;
  #process: SimProcess;
  #env: Env;

  constructor(machine: Machine) {
    this.name = machine.name;
    this.address = machine.address;
    this.clock = machine.clock;
    this.disk = machine.disk;
    this.#machine = machine;
    this.#process = this.#startProcess();
    this.#env = this.#createEnv();
  }

  /** The ports of the process that runs now. */
  get env(): Env {
    return this.#env;
  }

  get process(): SimProcess {
    return this.#process;
  }

  /** SIGKILL: nothing of the process happens any more; the machine lives, so what was written stays. */
  kill(): void {
    if (!this.#process.alive) return;
    this.#process.alive = false;
    this.#machine.network.processEnded(this.#process);
    this.#end();
  }

  /** Power off: as `kill`, but peers hear nothing, and what was not synced may be gone. */
  crash(): void {
    this.#machine.network.machineEnded(this.address);
    this.#process.alive = false;
    this.disk.crash();
    this.#end();
  }

  /** Resolves when no call of the dead process to its disk is under way: a kernel carries such calls through. */
  settled(): Promise<void> {
    return this.disk.settled(this.#process);
  }

  /** A new process (the old one is killed if it lives), with fresh ports. */
  restart(): Env {
    this.kill();
    this.#machine.network.machineStarted(this.address);
    this.#process = this.#startProcess();
    this.#env = this.#createEnv();
    return this.#env;
  }

  /** SIGSTOP for a while: its timers and input wait. */
  pause(durationMs: number): void {
    this.#process.pausedUntilUs = this.#machine.scheduler.nowUs + durationMs * 1000;
  }

  /** What `work` comes to; rejects when the process ends before it, where `work` itself would never settle. */
  async whileAlive<T>(work: Promise<T>): Promise<T> {
    const owner = this.#process;
    assert(owner.alive, `${this.name} runs`);
    let onEnd = () => {};
    const ended = new Promise<never>((_, reject) => {
      onEnd = () => reject(new ProcessEnded(`${owner.name} ended`));
      owner.onEnd.add(onEnd);
    });
    try {
      return await Promise.race([work, ended]);
    } finally {
      owner.onEnd.delete(onEnd);
    }
  }

  #end(): void {
    for (const onEnd of [...this.#process.onEnd]) onEnd();
  }

  #startProcess(): SimProcess {
    this.#startCount += 1;
    return {
      name: `${this.name}/${this.#startCount}`,
      pid: 1000 + this.#startCount,
      alive: true,
      pausedUntilUs: 0,
      descriptorCount: 0,
      descriptorCountMax: this.#machine.descriptorCountMax,
      onEnd: new Set(),
    };
  }

  #createEnv(): Env {
    const { scheduler, clock, disk, network, log, address, memoryTotalBytes, environment } = this.#machine;
    const owner = this.#process;
    const random = this.#machine.random.fork(owner.name);
    return {
      clock,
      timers: createSimTimers(scheduler, owner, clock),
      disk: disk.portOf(owner),
      network: network.portOf(owner, address),
      random,
      workers: createSimWorkers(scheduler, owner, random.fork(`${owner.name} workers`)),
      host: createSimHost({
        pid: owner.pid,
        hostname: this.name,
        address,
        memoryTotalBytes,
        environment,
        descriptorCountMax: owner.descriptorCountMax,
        descriptorsOpen: () => owner.descriptorCount,
      }),
      log: log.logOf(owner.name),
    };
  }
}

/** The simulated process was killed while its work was waited for. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
}
