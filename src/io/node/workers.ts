import { Worker } from 'node:worker_threads';
import type { Workers, WorkerTask } from '../workers.ts';
import type { Job, JobResult } from './worker-thread.ts';

const waitingMax = 1000;

interface Waiting {
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

/** One thread, started on first use; it keeps the process alive only while a task runs. */
export function createNodeWorkers(): Workers {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let closed = false;
  let lastId = 0;

  function failAll(error: unknown): void {
    worker = undefined;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  }

  function startWorker(): Worker {
    const source = new URL('./worker-thread.ts', import.meta.url);
    // As sources in development, compiled when published.
    const started = new Worker(import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/ts$/, 'js')));
    started.on('message', (result: JobResult) => {
      const job = waiting.get(result.id);
      waiting.delete(result.id);
      if (waiting.size === 0) started.unref();
      if ('error' in result) job?.reject(result.error);
      else job?.resolve(result.output);
    });
    // Out of memory, most likely: the next task starts a new thread.
    started.on('error', failAll);
    return started;
  }

  return {
    run<Input, Output>(task: WorkerTask<Input, Output>, input: Input): Promise<Output> {
      if (closed) return Promise.reject(new Error('workers closed'));
      if (waiting.size >= waitingMax) return Promise.reject(new Error('workers busy'));
      worker ??= startWorker();
      const thread = worker;
      return new Promise((resolve, reject) => {
        lastId += 1;
        const job: Job = { id: lastId, module: task.module, name: task.name, input };
        thread.postMessage(job);
        thread.ref();
        waiting.set(lastId, { resolve: (output) => resolve(output as Output), reject });
      });
    },
    async close() {
      closed = true;
      const thread = worker;
      failAll(new Error('workers closed'));
      await thread?.terminate();
    },
  };
}
