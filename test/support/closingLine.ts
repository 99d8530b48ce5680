import type { Reporter, TestModule, Vitest } from 'vitest/node';

/** The last line of a run, for whoever reads only that. */
export default class ClosingLine implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], faults: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const broken = modules.filter((module) => module.errors().length > 0).length + faults.length;
    const passed = states.filter((state) => state === 'passed').length;
    // A test that is skipped counts as failed, unless its name was not asked for (`-t`).
    const chosen = this.#vitest?.config.testNamePattern;
    const failed = states.filter((state) => state !== 'passed' && !(chosen && state === 'skipped')).length + broken;
    // After vitest's own summary.
    process.once('exit', () => console.log(`${passed} passed, ${failed} failed`));
  }
}
