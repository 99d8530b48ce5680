import { loadSettings, type Settings, type SettingsGroup } from '../config.ts';
import { once } from '../lib/once.ts';
import { createTableOpener } from '../state/tables.ts';
import { checkAtStart, ownCredential } from './platform.ts';

export const tablesSettings = ['ownIdentity', 'tables'] as const satisfies SettingsGroup[];
export type TablesSettings = Pick<Settings, (typeof tablesSettings)[number]>;

export const openTables = once((settings: TablesSettings) =>
  createTableOpener(settings.tables, ownCredential(settings)),
);

// The library judges a connection string when it makes a client, which sends nothing yet.
checkAtStart(() => {
  openTables(loadSettings(tablesSettings));
});
