import { Problem } from '../contract/problems.ts';
import type { KeyCipher, KeyOwner } from '../identity/cipher.ts';
import type { Entra } from '../identity/entra.ts';
import { decodeStoreId, type KeyKind, keyState, type StoreIdClaims } from '../identity/storeId.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import { faultFields } from '../lib/log.ts';
import { SingleFlight } from '../lib/singleFlight.ts';
import type { StoredStoreId, StoreIdRow, StoreIdsTable } from '../state/storeIds.ts';
import { authFaultOf, readProblem, storeUnavailable } from '../store/errors.ts';
import type { KeysApi } from '../store/keys.ts';
import { type StoreAnswer, StoreSilence } from '../store/transport.ts';

export type Renewal =
  | { outcome: 'renewed'; key: string; claims: StoreIdClaims }
  /** The Store says that only the game client can make a new one. */
  | { outcome: 'dead' }
  /** Not now; the problem is for a caller whose old key no longer serves. */
  | { outcome: 'later'; problem: Problem };

export interface Renewals {
  /** Asks the Store for a successor of a key; nothing is stored. */
  ask(call: Call, owner: KeyOwner, key: string): Promise<Renewal>;
  /** Renews the stored key of an owner unless that has happened meanwhile; at once asked for twice, it is done once. */
  renewStored(call: Call, row: StoredStoreId): Promise<Renewal>;
}

export interface RenewalParts {
  clientId: string;
  clock: Clock;
  entra: Entra;
  cipher: KeyCipher;
  keys: KeysApi;
  table: StoreIdsTable;
}

const writeRounds = 5;

export function renewals(parts: RenewalParts): Renewals {
  const { clientId, clock, entra, cipher, keys, table } = parts;
  const flights = new SingleFlight<Renewal>();

  const ask = async (call: Call, owner: KeyOwner, key: string): Promise<Renewal> => {
    try {
      let ticket = await entra.token('service', call.log);
      let answer = await keys.renew(call, owner.kind, key, ticket.token);
      if ('refusal' in answer && authFaultOf(answer.refusal) === 'service') {
        entra.invalidate('service', ticket.token);
        ticket = await entra.token('service', call.log);
        answer = await keys.renew(call, owner.kind, key, ticket.token);
      }
      return 'key' in answer ? accepted(answer.key, owner, call) : refusedRenewal(answer.refusal);
    } catch (fault) {
      return { outcome: 'later', problem: problemOf(fault) };
    }
  };

  const accepted = (key: string, owner: KeyOwner, call: Call): Renewal => {
    try {
      const claims = decodeStoreId(key, { kind: owner.kind, clientId, userId: owner.userId, now: clock.now() });
      return { outcome: 'renewed', key, claims };
    } catch (cause) {
      call.log('warn', 'renewal.unreadable', { kind: owner.kind, ...faultFields(cause) });
      return { outcome: 'later', problem: storeUnavailable({ cause }) };
    }
  };

  const renewRow = async (call: Call, seen: StoredStoreId): Promise<Renewal> => {
    const row = await table.one(seen);
    if (!row) return { outcome: 'later', problem: unknownUser(seen.kind) };
    const key = await cipher.open(row, row, call.log);
    if (row.etag !== seen.etag) return renewedElsewhere(row, key, clock.now());
    const renewal = await ask(call, row, key);
    if (renewal.outcome === 'later') return renewal;
    const successor =
      renewal.outcome === 'dead'
        ? { ...row, unrenewable: true }
        : { ...row, ...(await cipher.seal(renewal.key, row, call.log)), ...renewal.claims, unrenewable: false };
    await store(successor, row);
    call.log('info', 'storeId.renewal', { kind: row.kind, outcome: renewal.outcome });
    return renewal;
  };

  /** A row that another writer changed meanwhile stays, unless it is still the same key. */
  const store = async (successor: StoreIdRow, replaced: StoredStoreId): Promise<void> => {
    let etag = replaced.etag;
    for (let round = 0; round < writeRounds; round += 1) {
      if ((await table.put([{ ...successor, etag }])) !== 'conflict') return;
      const now = await table.one(replaced);
      if (!now || !sameKey(now, replaced)) return;
      etag = now.etag;
    }
    throw new Problem('unavailable', 'The renewed key could not be stored.', { retryAfterSeconds: 1 });
  };

  return {
    ask,
    renewStored: (call, row) =>
      flights.run(JSON.stringify([row.userId, row.account, row.kind]), async () => {
        try {
          return await renewRow(call, row);
        } catch (fault) {
          return { outcome: 'later', problem: problemOf(fault) };
        }
      }),
  };
}

function renewedElsewhere(row: StoredStoreId, key: string, now: number): Renewal {
  if (row.unrenewable) return { outcome: 'dead' };
  if (keyState(row, now) === 'expired') return { outcome: 'later', problem: storeUnavailable() };
  return { outcome: 'renewed', key, claims: { issuedAt: row.issuedAt, expiresAt: row.expiresAt } };
}

/** Not by what it is sealed to: after a rotation of the secret that is another each time. */
function sameKey(a: StoreIdRow, b: StoreIdRow): boolean {
  return a.issuedAt === b.issuedAt && a.expiresAt === b.expiresAt && a.unrenewable === b.unrenewable;
}

/** `AuthenticationTokenInvalid` at this endpoint is the one word that ends a key (store-api.md 1.3). */
function refusedRenewal(refusal: StoreAnswer): Renewal {
  const dead = refusal.statement.code?.toLowerCase() === 'authenticationtokeninvalid' || authFaultOf(refusal) === 'key';
  return dead ? { outcome: 'dead' } : { outcome: 'later', problem: readProblem(refusal) };
}

function problemOf(fault: unknown): Problem {
  if (fault instanceof Problem) return fault;
  if (fault instanceof StoreSilence) return storeUnavailable({ cause: fault });
  throw fault;
}

export function unknownUser(kind: KeyKind): Problem {
  return new Problem('unknown_user', `No ${kind} key is registered for this user and account.`);
}

export function storeIdExpired(kind: KeyKind): Problem {
  return new Problem('store_id_expired', `The ${kind} key has ended; the game client must make a new one.`);
}
