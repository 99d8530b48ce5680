import type { Settings, SettingsGroup } from '../config.ts';
import { createEntra } from '../identity/entra.ts';
import { createPublisherMint } from '../identity/publisherMint.ts';
import { createKeyVaultReader, createSecrets } from '../identity/secrets.ts';
import { systemClock } from '../lib/clock.ts';
import { once } from '../lib/once.ts';
import { ownCredential } from './platform.ts';

export const entraSettings = ['ownIdentity', 'keyVault', 'entra'] as const satisfies SettingsGroup[];
export type EntraSettings = Pick<Settings, (typeof entraSettings)[number]>;

export const secrets = once((settings: EntraSettings) =>
  createSecrets(createKeyVaultReader(settings.keyVault.uri, ownCredential(settings)), systemClock),
);

/** Tokens of the publisher's app. */
export const entra = once((settings: EntraSettings) =>
  createEntra(createPublisherMint(settings.entra, secrets(settings)), systemClock),
);
