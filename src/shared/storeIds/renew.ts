import { Problem } from '../contract/problems.ts';
import type { KeyCipher } from '../identity/cipher.ts';
import type { KeyKind } from '../identity/storeId.ts';
import type { CallContext } from '../lib/callContext.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import type { StoredStoreId, StoreIdRow, StoreIdsTable } from '../state/storeIds.ts';
import { updateWithRetry } from '../state/updateWithRetry.ts';
import { registration, storeUnavailable } from '../store/errors.ts';
import { createRefusals, type KeyRefusal, keyIdOf } from './refusals.ts';
import {
  createSuccessors,
  later,
  type Renewal,
  type RenewalOwner,
  type SuccessorParts,
  type Successors,
} from './successor.ts';

/** Renewals of keys. One that failed is answered from memory for 30 s (http-api.md 2.11). */
export interface Renewals {
  /** Asks the Store for a successor of a key; nothing is stored. */
  ask(call: CallContext, owner: RenewalOwner, key: string): Promise<Renewal>;
  /** Renews a stored key unless that has happened meanwhile; callers at the same time share one renewal. */
  renewStored(call: CallContext, row: StoredStoreId): Promise<Renewal>;
}

export interface RenewalParts extends SuccessorParts {
  cipher: KeyCipher;
  table: StoreIdsTable;
}

interface RenewalMachine extends RenewalParts {
  successors: Successors;
  refusals: { add(refusal: KeyRefusal): void };
}

const renewalUpdate = { rounds: 5, contended: 'The renewed key could not be stored.' };

export function createRenewals(parts: RenewalParts): Renewals {
  const { table, cipher, entra } = parts;
  const successors = createSuccessors(parts);
  const machine: RenewalMachine = {
    ...parts,
    successors,
    refusals: createRefusals({ table, cipher, acceptances: entra.acceptances }),
  };
  const running = new SingleFlight<Renewal>();
  return {
    ask: (call, owner, key) => successors.ask(call, owner, key),
    renewStored: (call, row) =>
      running.run(JSON.stringify([row.userId, row.account, row.kind]), () =>
        renewRow(machine, call, row).catch((fault: unknown) => later(fault)),
      ),
  };
}

async function renewRow(machine: RenewalMachine, call: CallContext, seen: StoredStoreId): Promise<Renewal> {
  const { cipher, clock, table, successors, refusals } = machine;
  const key = await cipher.decrypt(seen, seen, call.log);
  const failed = successors.failureOf(key);
  if (failed) return failed;
  const row = await table.one(seen);
  if (!row) return { outcome: 'later', problem: unknownUser(seen.kind) };
  // Not by the ETag: the row changes in other ways too.
  const current = row.etag === seen.etag ? key : await cipher.decrypt(row, row, call.log);
  if (current !== key) return renewalByAnother(row, current, clock.now());
  const { userId, account, kind } = row;
  const renewal = await successors.ask(call, row, key, (refusal) =>
    refusals.add({ owner: { userId, account, kind }, keyId: keyIdOf(key), ...refusal }),
  );
  if (renewal.outcome === 'renewed') {
    const encrypted = await cipher.encrypt(renewal.key, row, call.log);
    const history = { unrenewable: false, refusedAt: undefined };
    await changeRow(machine, call, row, key, { ...encrypted, ...renewal.claims, ...history });
  } else if (renewal.outcome === 'refused' && row.unrenewable) {
    // It stays so; from this refusal on it rests for a day again.
    await changeRow(machine, call, row, key, { refusedAt: clock.now() });
  }
  call.log('info', 'storeId.renewal', { userId, account, kind, outcome: renewal.outcome });
  return renewal;
}

/** Changes the row while it has this key. A row that has another key by now stays as it is: a newer key is never overwritten. */
function changeRow(
  { table, cipher }: RenewalMachine,
  call: CallContext,
  row: StoredStoreId,
  key: string,
  change: Partial<StoreIdRow>,
): Promise<'written' | 'superseded'> {
  const read = async (): Promise<StoredStoreId | undefined> => {
    const current = await table.one(row);
    return current && (await cipher.decrypt(current, current, call.log)) === key ? current : undefined;
  };
  return updateWithRetry<StoredStoreId | undefined, 'written' | 'superseded'>(
    row,
    read,
    async (current) => {
      if (!current) return 'superseded';
      return (await table.put([{ ...current, ...change }])) === 'conflict' ? 'conflict' : 'written';
    },
    renewalUpdate,
  );
}

function renewalByAnother(row: StoredStoreId, key: string, now: number): Renewal {
  if (now >= row.expiresAt) return { outcome: 'later', problem: storeUnavailable() };
  return { outcome: 'renewed', key, claims: { issuedAt: row.issuedAt, expiresAt: row.expiresAt } };
}

export function unknownUser(kind: KeyKind): Problem {
  const member = kind === 'collections' ? 'collectionsId' : 'purchaseId';
  return new Problem(
    'unknown_user',
    `No ${kind} key is registered for this user and account. Register the one that the game client made: ${registration} with ${member}.`,
  );
}
