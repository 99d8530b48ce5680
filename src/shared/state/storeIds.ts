import type { TransactionAction } from '@azure/data-tables';
import * as z from 'zod';
import { Problem } from '../contract/problems.ts';
import type { EncryptedKey, KeyOwner } from '../identity/cipher.ts';
import type { KeyKind, StoreIdClaims } from '../identity/storeId.ts';
import { chunksOf } from '../lib/chunks.ts';
import { userHash } from './rowKeys.ts';
import { type OpenTable, type Row, transactionLimit, type WriteResult } from './tables.ts';
import { updateWithRetry } from './updateWithRetry.ts';

/** One registered key. Times are epoch ms. */
export interface StoreIdRow extends KeyOwner, EncryptedKey, StoreIdClaims {
  /** The Store refuses to renew it (http-api.md 2.11): only the game client can make a new one. */
  unrenewable: boolean;
  /** The first proven refusal of its renewal; of an unrenewable key the latest. */
  refusedAt?: number | undefined;
  /** What the key may name as its user, if that is not the user id. */
  publisherUserId?: string | undefined;
  /** Marks of the rows of `OrderLines` that queries of this account have stored (architecture.md 4). Those rows stay, whatever key follows. */
  seen?: Uint8Array | undefined;
}
export type StoredStoreId = StoreIdRow & { etag: string };

export interface StoreIdsTable {
  one(owner: KeyOwner): Promise<StoredStoreId | undefined>;
  /** Both kinds of all accounts of a user. */
  ofUser(userId: string): Promise<StoredStoreId[]>;
  /** Puts keys of one user, all or none; with an ETag as successors of what was read, else as new rows. */
  put(rows: (StoreIdRow & { etag?: string })[]): Promise<WriteResult>;
  deleteUser(userId: string): Promise<void>;
}

const schema = z.looseObject({
  userId: z.string(),
  account: z.string(),
  kind: z.enum(['collections', 'purchase']),
  ciphertext: z.instanceof(Uint8Array),
  secretVersion: z.string(),
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  unrenewable: z.boolean(),
  refusedAt: z.iso.datetime().optional(),
  publisherUserId: z.string().optional(),
  // Whatever else stands there costs a few writes, not the key.
  seen: z.instanceof(Uint8Array).optional().catch(undefined),
  etag: z.string(),
});

/** The last round of a deletion must find no row: it deletes in one round less than this. */
const deleteRounds = 20;

/** Table `StoreIds`: partition user, row kind and account. */
export function createStoreIdsTable(openTable: OpenTable): StoreIdsTable {
  const table = openTable('StoreIds');
  const rowsOf = async (userId: string): Promise<Row[]> => table.list(`PartitionKey eq '${userHash(userId)}'`);
  /** Asks for another round (`conflict`) until there is no row: others may register keys meanwhile. */
  const deleteRows = async (rows: Row[]): Promise<'conflict' | undefined> => {
    if (rows.length === 0) return undefined;
    for (const chunk of chunksOf(rows, transactionLimit)) {
      await table.transaction(
        chunk.map(({ partitionKey, rowKey }): TransactionAction => ['delete', { partitionKey, rowKey }]),
      );
    }
    return 'conflict';
  };
  return {
    async one({ userId, account, kind }) {
      const row = await table.get(userHash(userId), rowKeyOf(kind, account));
      return row && fromRow(row, userId);
    },
    async ofUser(userId) {
      return (await rowsOf(userId)).map((row) => fromRow(row, userId));
    },
    put: (rows) => table.transaction(rows.map(putAction)),
    async deleteUser(userId) {
      const read = () => rowsOf(userId);
      await updateWithRetry(await read(), read, deleteRows, {
        rounds: deleteRounds,
        contended: 'Keys of this user are registered as fast as they are deleted.',
      });
    },
  };
}

function rowKeyOf(kind: KeyKind, account: string): string {
  return `${kind}.${account}`;
}

function putAction({ etag, ...row }: StoreIdRow & { etag?: string }): TransactionAction {
  const entity = {
    partitionKey: userHash(row.userId),
    rowKey: rowKeyOf(row.kind, row.account),
    ...row,
    issuedAt: new Date(row.issuedAt).toISOString(),
    expiresAt: new Date(row.expiresAt).toISOString(),
    refusedAt: row.refusedAt === undefined ? undefined : new Date(row.refusedAt).toISOString(),
  };
  return etag === undefined ? ['create', entity] : ['update', entity, 'Replace', { etag }];
}

/** @throws Problem unavailable for a row that was moved here from another user: it would decrypt, since it names its own owner */
function fromRow(row: Row, ownerId: string): StoredStoreId {
  const { issuedAt, expiresAt, refusedAt, ...columns } = schema.parse(row);
  const { userId, account, kind } = columns;
  if (userId !== ownerId || row.rowKey !== rowKeyOf(kind, account)) {
    throw new Problem('unavailable', 'A stored key is not where it belongs; register it anew.', {
      retryAfterSeconds: 60,
    });
  }
  return {
    userId,
    account,
    kind,
    ciphertext: columns.ciphertext,
    secretVersion: columns.secretVersion,
    unrenewable: columns.unrenewable,
    refusedAt: refusedAt === undefined ? undefined : Date.parse(refusedAt),
    publisherUserId: columns.publisherUserId,
    seen: columns.seen,
    etag: columns.etag,
    issuedAt: Date.parse(issuedAt),
    expiresAt: Date.parse(expiresAt),
  };
}
