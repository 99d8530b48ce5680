import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Emulators } from './emulators/running.ts';
import { type Identities, loadStack, newIdentities, type SavedStack, saveStack } from './savedState.ts';
import type { Teardown } from './teardown.ts';
import type { LocalTls } from './tls.ts';

/** The folder of a stack and what an earlier run has left in it. */
export interface StackState {
  folder: string;
  /** Whether the folder outlives the stack. */
  kept: boolean;
  saved: SavedStack | undefined;
  identities: Identities;
}

/** @throws Error if another stack uses the folder, or if its saved state cannot be read */
export function openState(stateDir: string | undefined, teardown: Teardown): StackState {
  const folder = stateDir ?? mkdtempSync(join(tmpdir(), 'store-functions-'));
  if (stateDir === undefined) teardown.add(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (stateDir !== undefined) lock(folder, teardown);
  const saved = stateDir === undefined ? undefined : loadStack(folder);
  return {
    folder,
    kept: stateDir !== undefined,
    saved,
    identities: saved?.identities ?? newIdentities(),
  };
}

/** Two stacks on one folder, at different ports, would overwrite each other's tables. */
function lock(folder: string, teardown: Teardown): void {
  const file = join(folder, 'stack.pid');
  const owner = runningProcess(file);
  if (owner !== undefined)
    throw new Error(
      `Another stack (process ${owner}) keeps its state in ${folder}. End it first. If there is none, delete ${file}.`,
    );
  writeFileSync(file, String(process.pid));
  teardown.add(() => rmSync(file, { force: true }));
}

/** The process that a file names, if it runs and is this user's. A stack that was killed leaves its file behind. */
function runningProcess(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    process.kill(pid, 0);
    return pid;
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EPERM') return undefined;
    throw fault;
  }
}

/** The files that requests by hand need. Returns the path of the certificate. */
export function writeRequestFiles({ folder, identities }: StackState, tls: LocalTls): string {
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, tls.cert);
  writeFileSync(join(folder, 'function-key'), identities.functionKey, { mode: 0o600 });
  writeFileSync(join(folder, 'master-key'), identities.masterKey, { mode: 0o600 });
  return caFile;
}

export function saveState({ folder, kept, identities }: StackState, emulators: Emulators): void {
  if (!kept) return;
  const { entra, keyVault, store } = emulators;
  saveStack(folder, {
    identities,
    keyVault: keyVault.exportState(),
    store: store.exportState(),
    entra: entra.exportSecrets(),
  });
}
