/** The inside of the worker thread: imports the module that a task names, runs it, posts back what came of it. */
import { parentPort } from 'node:worker_threads';

export interface Job {
  id: number;
  module: string;
  name: string;
  input: unknown;
}

export type JobResult = { id: number; output: unknown } | { id: number; error: unknown };

async function runJob({ id, module, name, input }: Job): Promise<JobResult> {
  try {
    const exports: Record<string, { run(input: unknown): unknown }> = await import(module);
    const task = exports[name];
    if (task === undefined) throw new Error(`no task ${name} in ${module}`);
    return { id, output: task.run(input) };
  } catch (error) {
    return { id, error };
  }
}

parentPort?.on('message', async (job: Job) => {
  parentPort?.postMessage(await runJob(job));
});
