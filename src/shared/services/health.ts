import { probeIdentity, probeVault } from '../identity/vaultProbe.ts';
import { systemClock } from '../lib/clock.ts';
import { createHealthProbe } from '../operations/health.ts';
import { createHealthTable } from '../state/health.ts';
import { createOwnCredential, ownCredential, service } from './platform.ts';
import { openTables, tablesSettings } from './tables.ts';

export const health = service([...tablesSettings, 'keyVault'], (settings) => {
  const table = createHealthTable(openTables(settings));
  return createHealthProbe(
    {
      tables: () => table.probe(),
      keyVault: () => probeVault(settings.keyVault.uri, ownCredential(settings)),
      // A new credential for each check: one with a token in memory would not ask Entra.
      identity: () => probeIdentity(settings.keyVault.uri, createOwnCredential(settings)),
    },
    systemClock,
  );
});
