import type { OpenTable } from './tables.ts';

export interface HealthTable {
  /** Reads a row that need not exist. @throws Problem unavailable if the tables cannot be reached */
  probe(): Promise<void>;
}

/** Table `Health`, to which nothing is written: whoever checks the health of the service needs no right on its data. */
export function createHealthTable(openTable: OpenTable): HealthTable {
  const table = openTable('Health');
  return {
    async probe() {
      await table.get('health', 'probe');
    },
  };
}
