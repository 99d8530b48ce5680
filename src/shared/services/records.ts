import { readConsume } from '../consume/record.ts';
import { readGrant } from '../grants/record.ts';
import { consumesTable, grantsTable } from './fulfilments.ts';
import { service } from './platform.ts';
import { tablesSettings } from './tables.ts';

export const consumeRecords = service(tablesSettings, (settings) => {
  const table = consumesTable(settings);
  return { read: (userId: string, trackingId: string) => readConsume(table, userId, trackingId) };
});

export const grantRecords = service(tablesSettings, (settings) => {
  const table = grantsTable(settings);
  return { read: (userId: string, orderId: string) => readGrant(table, userId, orderId) };
});
