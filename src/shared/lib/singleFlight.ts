/** Runs identical work once: callers that ask while it runs share its outcome. Nothing is remembered afterwards. */
export class SingleFlight<Value> {
  readonly #running = new Map<string, Promise<Value>>();

  run(key: string, work: () => Promise<Value>): Promise<Value> {
    const joined = this.#running.get(key);
    if (joined) return joined;
    const started = work().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
