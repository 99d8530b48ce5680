/** Runs identical work once: who asks while it is under way gets the same outcome. Nothing is kept afterwards. */
export class SingleFlight<Value> {
  readonly #underWay = new Map<string, Promise<Value>>();

  run(key: string, work: () => Promise<Value>): Promise<Value> {
    const joined = this.#underWay.get(key);
    if (joined) return joined;
    const started = work().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, started);
    return started;
  }
}
