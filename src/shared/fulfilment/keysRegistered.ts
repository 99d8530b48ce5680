import type { KeyKind } from '../identity/storeId.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { inParallel } from '../lib/inParallel.ts';
import { faultFields } from '../lib/log.ts';
import type { FulfilmentsTable } from '../state/fulfilments.ts';
import { applyTransition } from './applyTransition.ts';

type WaitingTable = FulfilmentsTable<{ account: string }, unknown>;

/** A user has new keys for an account: the pending records that wait for them become due. Never fails. */
export type OnKeysRegistered = (call: CallContext, userId: string, account: string, kinds: KeyKind[]) => Promise<void>;

/** Which records wait for which key. A developer-managed consume may wait for the orders, which are read with the purchase key. */
const waitingFor = { collections: ['consumes'], purchase: ['consumes', 'grants'] } as const;

/** How long a registration may take for this. Records that are not made due by then are attempted at their own time. */
const budgetMs = 30_000;
const recordsAtOnce = 16;

export function createOnKeysRegistered(
  tables: Record<'consumes' | 'grants', WaitingTable>,
  clock: Clock,
): OnKeysRegistered {
  return async (call, userId, account, kinds) => {
    const until = Math.min(call.deadline, clock.now() + budgetMs);
    const waiting = new Set(kinds.flatMap((kind) => [...waitingFor[kind]]));
    await Promise.all([...waiting].map((name) => makeDue(tables[name], clock, call, userId, account, until)));
  };
}

/** Never fails. A record that cannot be written does not stop the others. */
async function makeDue(
  table: WaitingTable,
  clock: Clock,
  call: CallContext,
  userId: string,
  account: string,
  until: number,
): Promise<void> {
  const now = clock.now();
  const logFault = (id: string | null) => (fault: unknown) =>
    call.log('error', 'keysRegistered.notMadeDue', { userId, id, ...faultFields(fault) });
  const records = await table.pendingOfUser(userId).catch(logFault(null));
  await inParallel(records ?? [], recordsAtOnce, async ({ id }) => {
    if (clock.now() < until) await makeRecordDue(table, userId, id, account, now).catch(logFault(id));
  });
}

/** @throws Problem unavailable */
async function makeRecordDue(
  table: WaitingTable,
  userId: string,
  id: string,
  account: string,
  now: number,
): Promise<void> {
  const stored = await table.get(userId, id);
  if (stored?.request.account === account) await applyTransition(table, stored, { type: 'makeDue', now });
}
