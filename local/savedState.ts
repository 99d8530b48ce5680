import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretVersion } from './emulators/keyVault.ts';
import type { SavedWorld } from './emulators/store/world.ts';

/** The identities and keys of a local stack: random values, saved with its state. */
export interface Identities {
  tenantId: string;
  publisher: { clientId: string; secret: string };
  /** The app's own identity, towards Key Vault. */
  own: { clientId: string; secret: string };
  functionKey: string;
  masterKey: string;
}

export interface SavedStack {
  identities: Identities;
  keyVault: SecretVersion[];
  store: SavedWorld;
  /** Entra's secrets by app. */
  entra?: Record<string, string[]>;
}

const file = 'stack.json';
/** Grows when the functions can no longer read the tables of an earlier build. */
const format = 3;

export function newIdentities(): Identities {
  const app = () => ({ clientId: randomUUID(), secret: randomBytes(24).toString('base64url') });
  const key = () => randomBytes(32).toString('base64url');
  return { tenantId: randomUUID(), publisher: app(), own: app(), functionKey: key(), masterKey: key() };
}

/** The state that is saved in a folder; undefined if there is none. */
export function loadStack(folder: string): SavedStack | undefined {
  const hint = 'Delete the folder to start with an empty one.';
  let saved: SavedStack & { format?: number };
  try {
    saved = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`The saved state in ${folder} cannot be read. ${hint}`, { cause: fault });
  }
  if (saved.format !== format) throw new Error(`The saved state in ${folder} is of another version. ${hint}`);
  return saved;
}

/** Replaces the saved state as a whole. Only this user can read it. */
export function saveStack(folder: string, saved: SavedStack): void {
  mkdirSync(folder, { recursive: true });
  const next = join(folder, `${file}.next`);
  writeFileSync(next, JSON.stringify({ ...saved, format }), { mode: 0o600 });
  renameSync(next, join(folder, file));
}
