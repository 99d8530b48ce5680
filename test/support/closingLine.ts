import type { Reporter, TestModule } from 'vitest/node';

/** The last line of a run, for whoever reads only that. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], faults: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const broken = modules.filter((module) => module.errors().length > 0).length + faults.length;
    const passed = states.filter((state) => state === 'passed').length;
    // After vitest's own summary.
    process.once('exit', () => console.log(`${passed} passed, ${states.length - passed + broken} failed`));
  }
}
