import { createSecrets, type SecretVersion } from '../../../src/shared/identity/secrets.ts';
import { testCall, testClock } from '../../support/call.ts';

/** A vault in memory, and the secrets that are read from it. */
export function vault(clock = testClock()) {
  const versions = new Map<string, SecretVersion[]>();
  const reads: string[] = [];
  const state = { down: false };
  const secrets = createSecrets(async (name, version) => {
    reads.push(`${name}/${version ?? ''}`);
    await Promise.resolve();
    const found = versions
      .get(name)
      ?.filter((one) => version === undefined || one.version === version)
      .at(-1);
    if (state.down || !found) throw new Error('down');
    return found;
  }, clock);
  const put = (name: string, value: string) => {
    const list = versions.get(name) ?? [];
    versions.set(name, [...list, { value, version: `v${list.length + 1}` }]);
  };
  return { secrets, put, reads, state, clock, log: testCall().log };
}
