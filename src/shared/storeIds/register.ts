import { Problem } from '../contract/problems.ts';
import type { KeyInfo, RegisteredStoreIds, StoreIdsOfUser, StoreIdsRegistration } from '../contract/storeIds.ts';
import type { KeyCipher } from '../identity/cipher.ts';
import { decodeStoreId, type KeyKind, keyState, renewAfter, type StoreIdClaims } from '../identity/storeId.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import type { StoredStoreId, StoreIdRow, StoreIdsTable } from '../state/storeIds.ts';
import { type Renewals, storeIdExpired } from './renew.ts';

export interface StoreIds {
  /** Checks, renews what has expired, and stores all or nothing. @throws Problem */
  register(call: Call, userId: string, body: StoreIdsRegistration): Promise<RegisteredStoreIds>;
  list(userId: string): Promise<StoreIdsOfUser>;
  forget(userId: string): Promise<void>;
}

export interface StoreIdsParts {
  clientId: string;
  clock: Clock;
  cipher: KeyCipher;
  table: StoreIdsTable;
  renewals: Renewals;
  /** A user has new keys: what waited for them can go on. Never fails. */
  keyIsBack: (call: Call, userId: string, kinds: KeyKind[]) => Promise<void>;
}

interface Candidate {
  kind: KeyKind;
  key: string;
  claims: StoreIdClaims;
}

const writeRounds = 12;
const longestPauseMs = 150;

export function storeIds({ clientId, clock, cipher, table, renewals, keyIsBack }: StoreIdsParts): StoreIds {
  const living = async (call: Call, userId: string, account: string, candidate: Candidate): Promise<Candidate> => {
    if (clock.now() < candidate.claims.expiresAt) return candidate;
    const renewal = await renewals.ask(call, { userId, account, kind: candidate.kind }, candidate.key);
    if (renewal.outcome === 'dead') throw storeIdExpired(candidate.kind);
    if (renewal.outcome === 'later') throw renewal.problem;
    return { ...candidate, key: renewal.key, claims: renewal.claims };
  };

  const rowsOf = async (userId: string, account: string): Promise<StoredStoreId[]> =>
    (await table.ofUser(userId)).filter((row) => row.account === account);

  return {
    async register(call, userId, { account, collectionsId, purchaseId, delegationToken }) {
      if (delegationToken !== undefined) throw noPartnerCertificate();
      const given: [KeyKind, string | undefined][] = [
        ['collections', collectionsId],
        ['purchase', purchaseId],
      ];
      const decoded = given.flatMap(([kind, key]) =>
        key === undefined
          ? []
          : [{ kind, key, claims: decodeStoreId(key, { kind, clientId, userId, now: clock.now() }) }],
      );
      let stored = await rowsOf(userId, account);
      const newer = decoded.filter(({ kind, claims }) => replaces(claims, ofKind(stored, kind)));
      const candidates = await Promise.all(newer.map((one) => living(call, userId, account, one)));
      const sealed = await Promise.all(
        candidates.map(async ({ kind, key, claims }): Promise<StoreIdRow> => {
          const owner = { userId, account, kind };
          return { ...owner, ...(await cipher.seal(key, owner, call.log)), ...claims, unrenewable: false };
        }),
      );
      for (let round = 0; round < writeRounds; round += 1) {
        const wins = sealed.filter((row) => replaces(row, ofKind(stored, row.kind)));
        const writes = wins.map((row) => ({ ...row, ...etagOf(ofKind(stored, row.kind)) }));
        if (writes.length === 0 || (await table.put(writes)) !== 'conflict') {
          await keyIsBack(
            call,
            userId,
            wins.map(({ kind }) => kind),
          );
          const kept = stored.filter((row) => !wins.some(({ kind }) => kind === row.kind));
          return { userId, account, ...infoByKind([...kept, ...wins], clock.now()) };
        }
        await clock.sleep(Math.random() * longestPauseMs);
        stored = await rowsOf(userId, account);
      }
      throw new Problem('unavailable', 'The keys of this user are being changed by others.', { retryAfterSeconds: 1 });
    },

    async list(userId) {
      const rows = await table.ofUser(userId);
      const accounts = [...new Set(rows.map(({ account }) => account))].sort();
      return {
        userId,
        accounts: accounts.map((account) => ({
          account,
          ...infoByKind(
            rows.filter((row) => row.account === account),
            clock.now(),
          ),
        })),
      };
    },

    forget: (userId) => table.deleteUser(userId),
  };
}

/** Whether a key takes the place of the stored one: never an older one of a newer, unless that can no longer be renewed. */
export function replaces(
  candidate: StoreIdClaims,
  stored: (StoreIdClaims & { unrenewable: boolean }) | undefined,
): boolean {
  return stored === undefined || stored.unrenewable || candidate.issuedAt >= stored.issuedAt;
}

function ofKind(stored: StoredStoreId[], kind: KeyKind): StoredStoreId | undefined {
  return stored.find((row) => row.kind === kind);
}

function etagOf(row: StoredStoreId | undefined): { etag?: string } {
  return row ? { etag: row.etag } : {};
}

function infoByKind(rows: StoreIdRow[], now: number): Partial<Record<KeyKind, KeyInfo>> {
  return Object.fromEntries(
    rows
      .sort((a, b) => a.kind.localeCompare(b.kind))
      .map((row) => [
        row.kind,
        {
          issuedAt: new Date(row.issuedAt).toISOString(),
          expiresAt: new Date(row.expiresAt).toISOString(),
          renewAfter: new Date(renewAfter(row)).toISOString(),
          state: keyState(row, now),
        },
      ]),
  );
}

function noPartnerCertificate(): Problem {
  return new Problem(
    'xbox_rejected',
    'This service makes no User Store IDs itself: it has no Business Partner certificate. Register keys that the game client made.',
  );
}
