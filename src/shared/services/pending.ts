import { createPendingList } from '../operations/pending.ts';
import { consumesTable, grantsTable } from './fulfilments.ts';
import { service } from './platform.ts';
import { tablesSettings } from './tables.ts';

export const pending = service(tablesSettings, (settings) =>
  createPendingList({ consume: consumesTable(settings), grant: grantsTable(settings) }),
);
