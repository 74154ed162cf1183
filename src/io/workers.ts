/**
 * Work that would hold up the event loop: big JSON, sorting, inflating. In production on a thread, in simulation at a
 * later event of the same thread. A task is a named export of a module, so that a thread can import it; input and
 * output are structured-cloneable.
 */
export interface WorkerTask<Input, Output> {
  /** `import.meta.url` of the module that exports it. */
  readonly module: string;
  /** The export's name. */
  readonly name: string;
  readonly run: (input: Input) => Output;
}

export interface Workers {
  /** Rejects with what the task threw. At most a bounded number waits; over it, rejects with `Error('workers busy')`. */
  run<Input, Output>(task: WorkerTask<Input, Output>, input: Input): Promise<Output>;
  close(): Promise<void>;
}
