import { Problem } from '../contract/problems.ts';
import type { KeyCipher, KeyOwner } from '../identity/cipher.ts';
import type { Entra } from '../identity/entra.ts';
import { decodeStoreId, type KeyKind, keyState, type StoreIdClaims } from '../identity/storeId.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { faultFields } from '../lib/log.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import type { StoredStoreId, StoreIdRow, StoreIdsTable } from '../state/storeIds.ts';
import { updateWithRetry } from '../state/updateWithRetry.ts';
import { authFaultOf, storeUnavailable } from '../store/errors.ts';
import type { KeysApi } from '../store/keys.ts';
import { StoreRefusedError, type StoreResponse } from '../store/response.ts';

export type Renewal =
  | { outcome: 'renewed'; key: string; claims: StoreIdClaims }
  /** The Store says that only the game client can make a new one. */
  | { outcome: 'dead' }
  /** Not now. The problem is the answer to a caller who cannot go on without a new key. */
  | { outcome: 'later'; problem: Problem };

export interface Renewals {
  /** Asks the Store for a successor of a key; nothing is stored. */
  ask(call: CallContext, owner: KeyOwner, key: string): Promise<Renewal>;
  /** Renews a stored key unless that has happened meanwhile; callers at the same time share one renewal. */
  renewStored(call: CallContext, row: StoredStoreId): Promise<Renewal>;
}

export interface RenewalParts {
  clientId: string;
  clock: Clock;
  entra: Entra;
  cipher: KeyCipher;
  keys: KeysApi;
  table: StoreIdsTable;
}

const renewalUpdate = { rounds: 5, contended: 'The renewed key could not be stored.' };

export function createRenewals(parts: RenewalParts): Renewals {
  const running = new SingleFlight<Renewal>();
  return {
    ask: (call, owner, key) => askForSuccessor(parts, call, owner, key),
    renewStored: (call, row) =>
      running.run(JSON.stringify([row.userId, row.account, row.kind]), async () => {
        try {
          return await renewRow(parts, call, row);
        } catch (fault) {
          return later(fault);
        }
      }),
  };
}

async function askForSuccessor(parts: RenewalParts, call: CallContext, owner: KeyOwner, key: string): Promise<Renewal> {
  try {
    return acceptedRenewal(parts, call, owner, await askStore(parts, call, owner.kind, key));
  } catch (fault) {
    return fault instanceof StoreRefusedError && endsKey(fault.response) ? { outcome: 'dead' } : later(fault);
  }
}

/** Asks again with a new service token if the Store refuses the current one. @throws Problem */
async function askStore({ entra, keys }: RenewalParts, call: CallContext, kind: KeyKind, key: string): Promise<string> {
  const { token } = await entra.token('service', call.log);
  try {
    return await keys.renew(call, kind, key, token);
  } catch (fault) {
    if (!(fault instanceof StoreRefusedError && authFaultOf(fault.response) === 'service')) throw fault;
    entra.invalidate('service', token);
    return keys.renew(call, kind, key, (await entra.token('service', call.log)).token);
  }
}

function acceptedRenewal({ clientId, clock }: RenewalParts, call: CallContext, owner: KeyOwner, key: string): Renewal {
  try {
    const claims = decodeStoreId(key, { kind: owner.kind, clientId, userId: owner.userId, now: clock.now() });
    return { outcome: 'renewed', key, claims };
  } catch (cause) {
    call.log('warn', 'renewal.unreadable', { kind: owner.kind, ...faultFields(cause) });
    return { outcome: 'later', problem: storeUnavailable({ cause }) };
  }
}

async function renewRow(parts: RenewalParts, call: CallContext, seen: StoredStoreId): Promise<Renewal> {
  const { cipher, clock, table } = parts;
  const row = await table.one(seen);
  if (!row) return { outcome: 'later', problem: unknownUser(seen.kind) };
  const key = await cipher.decrypt(row, row, call.log);
  if (row.etag !== seen.etag) return renewalByAnother(row, key, clock.now());
  const renewal = await askForSuccessor(parts, call, row, key);
  if (renewal.outcome === 'later') return renewal;
  const successor =
    renewal.outcome === 'dead'
      ? { ...row, unrenewable: true }
      : { ...row, ...(await cipher.encrypt(renewal.key, row, call.log)), ...renewal.claims, unrenewable: false };
  await replaceRow(table, row, successor);
  call.log('info', 'storeId.renewal', { kind: row.kind, outcome: renewal.outcome });
  return renewal;
}

/** A row that another writer has changed meanwhile stays, unless it still has the same key. */
function replaceRow(
  table: StoreIdsTable,
  replaced: StoredStoreId,
  successor: StoreIdRow,
): Promise<'written' | 'superseded'> {
  return updateWithRetry<StoredStoreId | undefined, 'written' | 'superseded'>(
    replaced,
    () => table.one(replaced),
    async (current) => {
      if (!current) return 'superseded';
      return (await table.put([{ ...successor, etag: current.etag }])) === 'conflict' ? 'conflict' : 'written';
    },
    {
      ...renewalUpdate,
      resultAfterConflict: (current) => (current && isSameKey(current, replaced) ? undefined : 'superseded'),
    },
  );
}

function renewalByAnother(row: StoredStoreId, key: string, now: number): Renewal {
  if (row.unrenewable) return { outcome: 'dead' };
  if (keyState(row, now) === 'expired') return { outcome: 'later', problem: storeUnavailable() };
  return { outcome: 'renewed', key, claims: { issuedAt: row.issuedAt, expiresAt: row.expiresAt } };
}

/** Does not compare the ciphertext: it changes with each encryption of the same key. */
function isSameKey(a: StoreIdRow, b: StoreIdRow): boolean {
  return a.issuedAt === b.issuedAt && a.expiresAt === b.expiresAt && a.unrenewable === b.unrenewable;
}

/** `AuthenticationTokenInvalid` at this endpoint is the one code that ends a key (store-api.md 1.3). */
function endsKey(refusal: StoreResponse): boolean {
  return refusal.error.code?.toLowerCase() === 'authenticationtokeninvalid' || authFaultOf(refusal) === 'key';
}

/** @throws a fault that is no problem */
function later(fault: unknown): Renewal {
  if (fault instanceof Problem) return { outcome: 'later', problem: fault };
  throw fault;
}

export function unknownUser(kind: KeyKind): Problem {
  return new Problem('unknown_user', `No ${kind} key is registered for this user and account.`);
}

export function storeIdExpired(kind: KeyKind): Problem {
  return new Problem('store_id_expired', `The ${kind} key has ended; the game client must make a new one.`);
}
