import type { RunningEntra } from './entra.ts';
import type { RunningKeyVault } from './keyVault.ts';
import type { RunningStore } from './store/server.ts';

/** The emulators of one stack. */
export interface Emulators {
  entra: RunningEntra;
  keyVault: RunningKeyVault;
  store: RunningStore;
}
