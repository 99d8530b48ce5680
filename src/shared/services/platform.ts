import { app } from '@azure/functions';
import type { TokenCredential } from '@azure/identity';
import { loadSettings, type Settings, type SettingsGroup } from '../config.ts';
import { once, onceAsync } from '../lib/once.ts';

/** What the functions of this app read, all of it judged at the start. */
const requiredGroups = new Set<SettingsGroup>();

/** A service, made at its first use from the groups of settings that it names: it is given no others. */
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

// Settings are judged when the app starts, not when it is loaded: the build loads every unit without any.
app.hook.appStart(() => {
  loadSettings([...requiredGroups]);
  for (const check of startChecks) check();
});

/** The app's own identity, for Key Vault and Tables. Towards the Store it is another one: the publisher's. */
export function createOwnCredential({ ownIdentity }: Pick<Settings, 'ownIdentity'>): TokenCredential {
  const credential = onceAsync(async () => {
    const { DefaultAzureCredential } = await import('../identity/azureIdentity.ts');
    return new DefaultAzureCredential({ disableInstanceDiscovery: !ownIdentity.instanceDiscovery });
  });
  return { getToken: async (scopes, options) => (await credential()).getToken(scopes, options) };
}

export const ownCredential = once(createOwnCredential);
