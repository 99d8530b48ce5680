import { Problem } from '../contract/problems.ts';
import type { KeyInfo, RegisteredStoreIds, StoreIdsOfUser, StoreIdsRegistration } from '../contract/storeIds.ts';
import type { OnKeysRegistered } from '../fulfilment/keysRegistered.ts';
import type { KeyCipher } from '../identity/cipher.ts';
import { decodeStoreId, type KeyKind, keyState, renewAfter, type StoreIdClaims } from '../identity/storeId.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import type { StoredStoreId, StoreIdRow, StoreIdsTable } from '../state/storeIds.ts';
import { updateWithRetry } from '../state/updateWithRetry.ts';
import type { Renewals } from './renew.ts';
import type { RenewalOwner } from './successor.ts';

export interface StoreIds {
  /** Checks, renews what has expired, and stores all or nothing. @throws Problem */
  register(call: CallContext, userId: string, body: StoreIdsRegistration): Promise<RegisteredStoreIds>;
  list(userId: string): Promise<StoreIdsOfUser>;
  remove(userId: string): Promise<void>;
}

export interface StoreIdsParts {
  clientId: string;
  clock: Clock;
  cipher: KeyCipher;
  table: StoreIdsTable;
  renewals: Renewals;
  onKeysRegistered: OnKeysRegistered;
}

/** A key of the request, with what it claims. */
interface Candidate {
  kind: KeyKind;
  key: string;
  claims: StoreIdClaims;
}

/** One account of a user. `publisherUserId`: what its keys may name as their user, if that is not the user id. */
type KeyUser = Omit<RenewalOwner, 'kind'>;

const writeRounds = 12;
const longestPauseMs = 150;

export function createStoreIds(parts: StoreIdsParts): StoreIds {
  const { clock, table, onKeysRegistered } = parts;
  return {
    async register(call, userId, body) {
      if (body.delegationToken !== undefined) throw noPartnerCertificate();
      const { account } = body;
      const candidates = decodeKeys(parts, userId, body);
      const stored = await rowsOfAccount(table, userId, account);
      const publisherUserId = body.publisherUserId === userId ? undefined : body.publisherUserId;
      const rows = await newRows(parts, call, { userId, account, publisherUserId }, candidates, stored);
      const { unchanged, written } = await writeRows(parts, userId, account, rows, stored);
      const kinds = written.map(({ kind }) => kind);
      if (kinds.length > 0) await onKeysRegistered(call, userId, account, kinds);
      return { userId, account, ...infoByKind([...unchanged, ...written], clock.now()) };
    },

    async list(userId) {
      const rows = await table.ofUser(userId);
      const now = clock.now();
      const accounts = [...new Set(rows.map(({ account }) => account))].sort();
      return {
        userId,
        accounts: accounts.map((account) => {
          const ofAccount = rows.filter((row) => row.account === account);
          return { account, ...infoByKind(ofAccount, now) };
        }),
      };
    },

    remove: (userId) => table.deleteUser(userId),
  };
}

/** @throws Problem invalid_store_id, wrong_client, user_mismatch */
function decodeKeys(
  { clientId, clock }: StoreIdsParts,
  userId: string,
  { collectionsId, purchaseId, publisherUserId = userId }: StoreIdsRegistration,
): Candidate[] {
  const keys = { collections: collectionsId, purchase: purchaseId };
  return (['collections', 'purchase'] as const).flatMap((kind): Candidate[] => {
    const key = keys[kind];
    if (key === undefined) return [];
    return [{ kind, key, claims: decodeStoreId(key, { kind, clientId, publisherUserId, now: clock.now() }) }];
  });
}

/** Those keys of a request that replace stored ones, renewed if they have expired, and encrypted. @throws Problem */
async function newRows(
  parts: StoreIdsParts,
  call: CallContext,
  user: KeyUser,
  candidates: Candidate[],
  stored: StoredStoreId[],
): Promise<StoreIdRow[]> {
  const { cipher } = parts;
  const newer = candidates.filter(({ kind, claims }) => replaces(claims, ofKind(stored, kind)));
  const renewed = await Promise.all(newer.map((one) => renewIfExpired(parts, call, user, one)));
  return Promise.all(
    renewed.map(async ({ kind, key, claims }) => {
      const owner = { ...user, kind };
      return { ...owner, ...(await cipher.encrypt(key, owner, call.log)), ...claims, unrenewable: false };
    }),
  );
}

async function renewIfExpired(
  { clock, renewals }: StoreIdsParts,
  call: CallContext,
  user: KeyUser,
  candidate: Candidate,
): Promise<Candidate> {
  if (clock.now() < candidate.claims.expiresAt) return candidate;
  const renewal = await renewals.ask(call, { ...user, kind: candidate.kind }, candidate.key);
  if (renewal.outcome !== 'renewed') throw renewal.problem;
  return { ...candidate, key: renewal.key, claims: renewal.claims };
}

/** Writes the rows that replace what is stored, all or none. @throws Problem unavailable */
function writeRows(
  { clock, table }: StoreIdsParts,
  userId: string,
  account: string,
  rows: StoreIdRow[],
  stored: StoredStoreId[],
): Promise<{ unchanged: StoredStoreId[]; written: StoreIdRow[] }> {
  return updateWithRetry(
    stored,
    () => rowsOfAccount(table, userId, account),
    async (current) => {
      const written = rows.filter((row) => replaces(row, ofKind(current, row.kind)));
      const unchanged = current.filter((row) => !written.some(({ kind }) => kind === row.kind));
      if (written.length === 0) return { unchanged, written };
      const conflict = (await table.put(written.map((row) => successorOf(row, current)))) === 'conflict';
      return conflict ? 'conflict' : { unchanged, written };
    },
    {
      rounds: writeRounds,
      contended: 'The keys of this user are being changed by others.',
      pause: { clock, longestMs: longestPauseMs },
    },
  );
}

async function rowsOfAccount(table: StoreIdsTable, userId: string, account: string): Promise<StoredStoreId[]> {
  return (await table.ofUser(userId)).filter((row) => row.account === account);
}

/** Whether a key replaces the stored one. An older key never replaces a newer one, unless the newer can no longer be renewed. */
export function replaces(
  candidate: StoreIdClaims,
  stored: (StoreIdClaims & { unrenewable: boolean }) | undefined,
): boolean {
  return stored === undefined || stored.unrenewable || candidate.issuedAt >= stored.issuedAt;
}

function ofKind(rows: StoredStoreId[], kind: KeyKind): StoredStoreId | undefined {
  return rows.find((row) => row.kind === kind);
}

/** A row as the successor of the stored one. What is remembered for the account stays: a game may register a key at each start. */
function successorOf(row: StoreIdRow, stored: StoredStoreId[]): StoreIdRow & { etag?: string } {
  const replaced = ofKind(stored, row.kind);
  return replaced ? { ...row, etag: replaced.etag, seen: replaced.seen } : row;
}

function infoByKind(rows: StoreIdRow[], now: number): Partial<Record<KeyKind, KeyInfo>> {
  const sorted = [...rows].sort((a, b) => a.kind.localeCompare(b.kind));
  return Object.fromEntries(sorted.map((row) => [row.kind, keyInfo(row, now)]));
}

function keyInfo(row: StoreIdRow, now: number): KeyInfo {
  return {
    issuedAt: new Date(row.issuedAt).toISOString(),
    expiresAt: new Date(row.expiresAt).toISOString(),
    renewAfter: new Date(renewAfter(row)).toISOString(),
    state: keyState(row, now),
  };
}

function noPartnerCertificate(): Problem {
  return new Problem(
    'xbox_rejected',
    'This service makes no User Store IDs itself: it has no Business Partner certificate. Register keys that the game client made.',
  );
}
