import type { Workers, WorkerTask } from '../io/mod.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { SimRandom } from './sim-random.ts';

const waitingMax = 1000;
const latencyUs = [50, 2000] as const;

/** A worker in the same thread: the task runs at a later event, on copies, as it would behind a thread's border. */
export function createSimWorkers(scheduler: Scheduler, owner: Owner, random: SimRandom): Workers {
  let waiting = 0;
  let closed = false;
  return {
    run<Input, Output>(task: WorkerTask<Input, Output>, input: Input): Promise<Output> {
      if (closed) return Promise.reject(new Error('workers closed'));
      if (waiting >= waitingMax) return Promise.reject(new Error('workers busy'));
      waiting += 1;
      const taken = structuredClone(input);
      return new Promise((resolve, reject) => {
        scheduler.schedule(owner, random.between(latencyUs), 'worker', task.name, () => {
          waiting -= 1;
          if (closed) {
            reject(new Error('workers closed'));
            return;
          }
          try {
            resolve(structuredClone(task.run(taken)));
          } catch (error) {
            reject(error);
          }
        });
      });
    },
    async close() {
      closed = true;
    },
  };
}
