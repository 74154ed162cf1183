/**
 * Tasks of one key run in the order in which they came, each after the one before has ended; with nothing before it a
 * task runs at once. Keys do not wait for each other.
 *
 * A registration whose body a worker decodes is thus never overtaken by the unregistration that followed it.
 */
export class OrderedTasks {
  readonly #last = new Map<string, Promise<unknown>>();
  #waiting = 0;

  /** Tasks that wait for one before them, over all keys. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The task's result, or a promise of it when it had to wait or is asynchronous itself. */
  run<Result>(key: string, task: () => Result | Promise<Result>): Result | Promise<Result> {
    const last = this.#last.get(key);
    if (last === undefined) {
      const result = task();
      return result instanceof Promise ? this.#follow(key, result) : result;
    }
    this.#waiting++;
    const start = () => {
      this.#waiting--;
      return task();
    };
    return this.#follow(key, last.then(start, start));
  }

  #follow<Result>(key: string, result: Promise<Result>): Promise<Result> {
    this.#last.set(key, result);
    const forget = () => {
      if (this.#last.get(key) === result) this.#last.delete(key);
    };
    result.then(forget, forget);
    return result;
  }
}
