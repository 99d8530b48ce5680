import type { ConsumeOrder, ConsumeResult } from '../consume/record.ts';
import type { GrantOrder, GrantResult } from '../grants/record.ts';
import { once } from '../lib/once.ts';
import { createFulfilmentsTable } from '../state/fulfilments.ts';
import { openTables, type TablesSettings } from './tables.ts';

export const consumesTable = once((settings: TablesSettings) =>
  createFulfilmentsTable<ConsumeOrder, ConsumeResult>(openTables(settings), 'Consumes'),
);

export const grantsTable = once((settings: TablesSettings) =>
  createFulfilmentsTable<GrantOrder, GrantResult>(openTables(settings), 'Grants'),
);
