import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest: begun last, they would be waited for with one core idle. */
const longest = ['randomWrites', 'randomReads', 'faults/store', 'faults/crash', 'endless', 'integration/tables'];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.includes(name));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
