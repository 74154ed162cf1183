/** A server process under a supervisor: started anew until it is up, as systemd or Kubernetes would. */
import { DiskError, type Env } from '../io/mod.ts';
import { ProcessEnded, type SimNode } from './sim-node.ts';
import type { SimWorld } from './sim-world.ts';

const restartDelayMs = 1000;

export class Service<T> {
  readonly node: SimNode;
  readonly #world: SimWorld;
  readonly #boot: (env: Env) => Promise<T>;
  /** Called before each start but the first, when nothing of the former process happens any more. */
  onDown: ((how: 'kill' | 'crash', atMs: number) => void) | undefined;
  /** Processes that ended otherwise than by a clean stop. */
  downCount = 0;
  #endedBy: 'kill' | 'crash' = 'kill';
  #endedMs = 0;
  #running: T | undefined;
  #hasRun = false;
  #starting: Promise<void> | undefined;
  #lastFailure: unknown;

  constructor(world: SimWorld, node: SimNode, boot: (env: Env) => Promise<T>) {
    this.#world = world;
    this.node = node;
    this.#boot = boot;
  }

  /** Undefined while it is down or on its way up. */
  get running(): T | undefined {
    return this.node.process.alive ? this.#running : undefined;
  }

  /** Why the last attempt to start ended. */
  get lastFailure(): unknown {
    return this.#lastFailure;
  }

  /** Resolves when a process is up. */
  start(): Promise<void> {
    this.#starting ??= this.#startUntilUp().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** SIGTERM: `shutDown` is what the process does then; resolves when it has ended, of its own or by another hand. */
  async stop(shutDown: (running: T) => Promise<void>): Promise<void> {
    const running = this.running;
    if (running === undefined) return;
    this.#running = undefined;
    try {
      await this.node.whileAlive(shutDown(running));
    } catch (error) {
      if (error instanceof DiskError) this.#lastFailure = error;
      else if (!(error instanceof ProcessEnded)) throw error;
    }
    this.node.kill();
  }

  kill(): void {
    this.#noteEnd();
    this.node.kill();
  }

  crash(): void {
    this.#noteEnd();
    this.#endedBy = 'crash';
    this.node.crash();
  }

  #noteEnd(): void {
    if (this.node.process.alive) {
      this.downCount += 1;
      this.#endedMs = this.#world.nowMs;
    }
    this.#running = undefined;
  }

  async #startUntilUp(): Promise<void> {
    while (this.running === undefined) {
      this.node.kill();
      await this.node.settled();
      if (this.#hasRun) this.onDown?.(this.#endedBy, this.#endedMs);
      this.#endedBy = 'kill';
      this.#hasRun = true;
      const env = this.node.restart();
      try {
        this.#running = await this.node.whileAlive(this.#boot(env));
      } catch (error) {
        if (!(error instanceof ProcessEnded)) this.#lastFailure = error;
        this.kill();
        await this.#world.sleep(restartDelayMs);
      }
    }
  }
}
