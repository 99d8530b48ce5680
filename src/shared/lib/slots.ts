interface Waiter {
  resolve(taken: boolean): void;
  timer: NodeJS.Timeout;
}

/** At most `width` users at a time. Others wait in the order in which they came, for a limited time, and at most `longestLine` of them. */
export class Slots {
  #free: number;
  readonly #longestLine: number;
  /** A set keeps the order, and forgets one in its middle at no cost. */
  readonly #line = new Set<Waiter>();

  constructor(width: number, longestLine: number) {
    this.#free = width;
    this.#longestLine = longestLine;
  }

  /** Whether a slot was got within `ms`. Whoever got one gives it back. */
  take(ms: number): Promise<boolean> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(true);
    }
    if (ms <= 0 || this.#line.size >= this.#longestLine) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#line.delete(waiter);
        resolve(false);
      }, ms);
      const waiter = { resolve, timer };
      this.#line.add(waiter);
    });
  }

  giveBack(): void {
    const [next] = this.#line;
    if (!next) {
      this.#free += 1;
      return;
    }
    this.#line.delete(next);
    clearTimeout(next.timer);
    next.resolve(true);
  }
}
