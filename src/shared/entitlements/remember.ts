import type { CallContext } from '../lib/callContext.ts';
import { inParallel } from '../lib/inParallel.ts';
import { faultFields } from '../lib/log.ts';
import { withAbortTimeout, withTimeout } from '../lib/timeout.ts';
import { type OrderLinesTable, type SeenProduct, seenMark } from '../state/orderLines.ts';
import type { StoredUserKey } from '../storeIds/keyring.ts';
import type { CollectedItem } from './collect.ts';

const consumableKinds = new Set(['consumable', 'unmanagedconsumable']);
const width = 16;
/** Rows that cannot be written in this time are left to the next query: those that were are marked, so each query gets further. */
const rowsMs = 4000;
const marksMs = 1000;

/** The stored key that a query asked with, and what is remembered for its account. */
export type RememberedAccount = Pick<StoredUserKey, 'account' | 'seen'>;

/**
 * Stores which user a query showed a product for; never fails the query (http-api.md 2.2). Costs no request for what is marked as
 * stored.
 */
export type Remember = (
  call: CallContext,
  userId: string,
  accounts: RememberedAccount[],
  found: CollectedItem[],
) => Promise<void>;

interface NewRow {
  mark: string;
  seen: SeenProduct;
}

export function createRemember(table: OrderLinesTable): Remember {
  return async (call, userId, accounts, found) => {
    const tasks = accounts
      .map(({ account, seen }) => ({ account, seen, rows: newRows(userId, account, seen.marks(), found) }))
      .filter(({ rows }) => rows.length > 0);
    if (tasks.length === 0) return;
    const allRows = tasks.flatMap(({ rows }) => rows);
    const stored = await storeRows(call, table, allRows);
    // Rows first, marks last: a mark must never stand for a row that is not there.
    await inParallel(tasks, width, ({ rows, ...account }) =>
      addMarks(
        call,
        account,
        rows.filter((row) => stored.has(row)).map(({ mark }) => mark),
      ),
    );
  };
}

/** What was found for an account and is not marked: each row once, in whatever spelling it was found. */
function newRows(userId: string, account: string, marks: ReadonlySet<string>, found: CollectedItem[]): NewRow[] {
  const rows = found
    .filter((one) => one.account === account)
    .flatMap((one) => seenIn(userId, account, one))
    .map((seen): [string, SeenProduct] => [seenMark(seen), seen]);
  return [...new Map(rows)].filter(([mark]) => !marks.has(mark)).map(([mark, seen]) => ({ mark, seen }));
}

/** Writes rows within the time, and answers with those that are stored. A failure is logged. */
async function storeRows(call: CallContext, table: OrderLinesTable, rows: NewRow[]): Promise<ReadonlySet<NewRow>> {
  const stored = new Set<NewRow>();
  try {
    await withAbortTimeout(rowsMs, 'remembering', (signal) =>
      inParallel(rows, width, async (row) => {
        signal.throwIfAborted();
        await table.remember(row.seen);
        stored.add(row);
      }),
    );
  } catch (fault) {
    call.log('error', 'entitlements.notRemembered', { products: rows.length - stored.size, ...faultFields(fault) });
  }
  return stored;
}

/** Without its marks a row is only written again by the next query. A failure is logged. */
async function addMarks(call: CallContext, { account, seen }: RememberedAccount, marks: string[]): Promise<void> {
  if (marks.length === 0) return;
  const fields = { account, products: marks.length };
  try {
    const result = await withTimeout(marksMs, 'marking', seen.add(marks));
    if (result === 'conflict') call.log('info', 'entitlements.notMarked', { ...fields, reason: result });
  } catch (fault) {
    call.log('warn', 'entitlements.notMarked', { ...fields, ...faultFields(fault) });
  }
}

/** The rows of one item: by its order, by its recurrence, or none for consumables. */
export function seenIn(userId: string, account: string, { item }: CollectedItem): SeenProduct[] {
  const { productId, transactionId: orderId, recurrenceId, kind } = item;
  if (consumableKinds.has(kind.toLowerCase())) return [];
  const seen = { userId, account, productId };
  return [
    ...(orderId !== null ? [{ ...seen, cause: { orderId } }] : []),
    ...(recurrenceId !== null ? [{ ...seen, cause: { recurrenceId } }] : []),
  ];
}
