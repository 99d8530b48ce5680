import type { TransactionAction } from '@azure/data-tables';
import * as z from 'zod';
import { Problem } from '../contract/problems.ts';
import type { KeyOwner, SealedKey } from '../identity/cipher.ts';
import type { KeyKind, StoreIdClaims } from '../identity/storeId.ts';
import { chunksOf } from '../lib/chunks.ts';
import { userHash } from './rowKeys.ts';
import { type OpenTable, type Row, type Table, transactionLimit, type Written } from './tables.ts';

/** One registered key. Times are epoch ms. */
export interface StoreIdRow extends KeyOwner, SealedKey, StoreIdClaims {
  /** The Store has refused to renew it: only the game client can make a new one. */
  unrenewable: boolean;
}
export type StoredStoreId = StoreIdRow & { etag: string };

export interface StoreIdsTable {
  one(owner: KeyOwner): Promise<StoredStoreId | undefined>;
  /** Both kinds of all accounts of a user. */
  ofUser(userId: string): Promise<StoredStoreId[]>;
  /** Puts keys of one user, all or none; with an ETag in place of what was read, else as new rows. */
  put(rows: (StoreIdRow & { etag?: string })[]): Promise<Written>;
  deleteUser(userId: string): Promise<void>;
}

const schema = z.looseObject({
  userId: z.string(),
  account: z.string(),
  kind: z.enum(['collections', 'purchase']),
  sealed: z.instanceof(Uint8Array),
  secretVersion: z.string(),
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  unrenewable: z.boolean(),
  etag: z.string(),
});

/** Bounds the rounds of a deletion that other writers keep interrupting. */
const deleteRounds = 20;

/** Table `StoreIds`: partition user, row kind and account. */
export function storeIdsTable(open: OpenTable): StoreIdsTable {
  const table: Table = open('StoreIds');
  const rowsOf = async (userId: string): Promise<Row[]> => table.list(`PartitionKey eq '${userHash(userId)}'`);
  return {
    async one({ userId, account, kind }) {
      const row = await table.get(userHash(userId), rowKey(kind, account));
      return row && fromRow(row, userId);
    },
    async ofUser(userId) {
      return (await rowsOf(userId)).map((row) => fromRow(row, userId));
    },
    put: (rows) => table.transaction(rows.map(putAction)),
    async deleteUser(userId) {
      for (let round = 0; round < deleteRounds; round += 1) {
        const rows = await rowsOf(userId);
        if (rows.length === 0) return;
        for (const doomed of chunksOf(rows, transactionLimit)) {
          await table.transaction(
            doomed.map(({ partitionKey, rowKey: row }): TransactionAction => ['delete', { partitionKey, rowKey: row }]),
          );
        }
      }
      throw new Problem('unavailable', 'Keys of this user are registered as fast as they are deleted.', {
        retryAfterSeconds: 1,
      });
    },
  };
}

function rowKey(kind: KeyKind, account: string): string {
  return `${kind}.${account}`;
}

function putAction({ etag, ...row }: StoreIdRow & { etag?: string }): TransactionAction {
  const entity = {
    partitionKey: userHash(row.userId),
    rowKey: rowKey(row.kind, row.account),
    ...row,
    issuedAt: new Date(row.issuedAt).toISOString(),
    expiresAt: new Date(row.expiresAt).toISOString(),
  };
  return etag === undefined ? ['create', entity] : ['update', entity, 'Replace', { etag }];
}

/** @throws Problem unavailable for a row that was put before another user's: what it is sealed for is what it says itself */
function fromRow(row: Row, of: string): StoredStoreId {
  const { userId, account, kind, sealed, secretVersion, issuedAt, expiresAt, unrenewable, etag } = schema.parse(row);
  if (userId !== of || row.rowKey !== rowKey(kind, account)) {
    throw new Problem('unavailable', 'A stored key is not where it belongs; register it anew.', {
      retryAfterSeconds: 60,
    });
  }
  return {
    ...{ userId, account, kind, sealed, secretVersion, unrenewable, etag },
    issuedAt: Date.parse(issuedAt),
    expiresAt: Date.parse(expiresAt),
  };
}
