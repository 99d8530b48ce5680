import type { Clock } from './clock.ts';

const largest = 10_000;

/**
 * Failures that are answered from memory for a while, so that what fails is not asked again at every request. It has a bound: of too
 * many the oldest are forgotten first.
 */
export class FailureMemory<Failure> {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #failures = new Map<string, { failure: Failure; until: number }>();

  constructor(clock: Clock, limit = largest) {
    this.#clock = clock;
    this.#limit = limit;
  }

  remember(key: string, failure: Failure, ms: number): void {
    this.#failures.delete(key);
    this.#failures.set(key, { failure, until: this.#clock.now() + ms });
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= this.#limit) return;
      this.#failures.delete(oldest);
    }
  }

  /** The failure, and how long it is still remembered (ms, more than 0). */
  recall(key: string): { failure: Failure; leftMs: number } | undefined {
    const found = this.#failures.get(key);
    if (!found) return undefined;
    const leftMs = found.until - this.#clock.now();
    if (leftMs > 0) return { failure: found.failure, leftMs };
    this.#failures.delete(key);
    return undefined;
  }
}
