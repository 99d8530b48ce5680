import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest: if they start last, the run waits for them with a core idle. */
const longest = [
  'e2e/randomReads',
  'e2e/randomWrites',
  'faults/crash',
  'faults/store',
  'e2e/endless',
  'faults/tables',
  'integration/tables',
  'e2e/outage',
  'e2e/stack',
  'e2e/consume',
  'e2e/entitlements',
  'e2e/storeIds',
  'integration/engine',
];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = longest.findIndex((name) => moduleId.includes(name));
      return index < 0 ? longest.length : index;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
