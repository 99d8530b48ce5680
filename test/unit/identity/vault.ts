import { createSecrets, type ReadSecret, type SecretVersion } from '../../../src/shared/identity/secrets.ts';
import { testCall, testClock } from '../../support/call.ts';

/** A vault in memory, and the secrets that an instance reads from it. */
export function vault(clock = testClock()) {
  const versions = new Map<string, SecretVersion[]>();
  const reads: string[] = [];
  const state = { down: false };
  const read: ReadSecret = async (name, version) => {
    reads.push(`${name}/${version ?? ''}`);
    await Promise.resolve();
    const found = versions
      .get(name)
      ?.filter((one) => version === undefined || one.version === version)
      .at(-1);
    if (state.down || !found) throw new Error('down');
    return found;
  };
  const secrets = createSecrets(read, clock);
  const put = (name: string, value: string) => {
    const list = versions.get(name) ?? [];
    versions.set(name, [...list, { value, version: `v${list.length + 1}`, createdOn: clock.now() }]);
  };
  return { secrets, anotherInstance: () => createSecrets(read, clock), put, reads, state, clock, log: testCall().log };
}
