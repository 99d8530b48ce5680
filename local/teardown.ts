/** How the parts of a stack end: the one that started last ends first. */
export interface Teardown {
  add(step: () => Promise<void> | void): void;
  /** Whether the parts are ending, so that the end of one is no surprise. */
  readonly running: boolean;
  /** A second call waits for nothing: its steps are those that were added since the first. */
  run(): Promise<void>;
}

export function createTeardown(): Teardown {
  const steps: (() => Promise<void> | void)[] = [];
  let running = false;
  return {
    add: (step) => {
      steps.push(step);
    },
    get running() {
      return running;
    },
    async run() {
      running = true;
      for (const step of steps.splice(0).reverse()) await step();
    },
  };
}
