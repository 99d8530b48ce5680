import { app } from '@azure/functions';
import type { TokenCredential } from '@azure/identity';
import { limitOwnCredentials, loadSettings, type Settings, type SettingsGroup } from '../config.ts';
import { once, onceAsync } from '../lib/once.ts';

/** The settings that the functions of this app read. All of them are checked at the start. */
const requiredGroups = new Set<SettingsGroup>();

/** A service that is made at its first use. It gets the groups of settings that it names, and no others. */
export function service<const Group extends SettingsGroup, Service>(
  groups: readonly Group[],
  make: (settings: Pick<Settings, Group>) => Service,
): () => Service {
  requireSettings(groups);
  return once(() => make(loadSettings(groups)));
}

/** What must not throw at the start, once the settings are there. */
const startChecks: (() => void)[] = [];

export function checkAtStart(check: () => void): void {
  startChecks.push(check);
}

/** @throws Error at the start that names the settings of these groups which are missing or unreadable */
export function requireSettings(groups: readonly SettingsGroup[]): void {
  for (const group of groups) requiredGroups.add(group);
}

// When the app starts, not when it is loaded: the build loads every unit without settings.
app.hook.appStart(() => {
  loadSettings([...requiredGroups]);
  for (const check of startChecks) check();
});

/** The app's own identity, for Key Vault and Tables. For the Store the service has another one: the publisher's. */
export function createOwnCredential({ ownIdentity }: Pick<Settings, 'ownIdentity'>): TokenCredential {
  const credential = onceAsync(async () => {
    const { DefaultAzureCredential } = await import('../identity/azureIdentity.ts');
    limitOwnCredentials();
    return new DefaultAzureCredential({
      disableInstanceDiscovery: !ownIdentity.instanceDiscovery,
      // The library's own retries last longer than those who wait for a token: they would see a timeout, not the reason.
      retryOptions: { maxRetries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 1000 },
    });
  });
  return { getToken: async (scopes, options) => (await credential()).getToken(scopes, options) };
}

export const ownCredential = once(createOwnCredential);
