import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';

/** Command-line tools that leave a trace when they are started. */
function tracedTools(): { folder: string; started: () => boolean } {
  const folder = mkdtempSync(join(tmpdir(), 'tools-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const trace = join(folder, 'started');
  for (const name of ['az', 'azd', 'pwsh', 'powershell']) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho ${name} >> '${trace}'\nexit 1\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return { folder, started: () => existsSync(trace) };
}

test('an own identity that fails starts no command-line tool', async () => {
  // The programming model says that it is not in a functions host.
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const { createOwnCredential } = await import('../../../src/shared/services/platform.ts');
  const { folder, started } = tracedTools();
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
  // A managed identity that cannot be reached.
  vi.stubEnv('AZURE_POD_IDENTITY_AUTHORITY_HOST', 'http://127.0.0.1:9');
  vi.stubEnv('AZURE_TOKEN_CREDENTIALS', '');
  const credential = createOwnCredential({ ownIdentity: { instanceDiscovery: false } });
  await expect(credential.getToken('https://vault.azure.net/.default')).rejects.toThrow(/ManagedIdentityCredential/);
  expect(started()).toBe(false);
});
