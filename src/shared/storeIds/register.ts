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
      const keys = await newKeys(parts, call, { userId, account, publisherUserId }, candidates, stored);
      const { unchanged, written } = await writeRows(parts, call, { userId, account }, keys, stored);
      // A key that can no longer be renewed is no news for those who wait.
      const kinds = written.filter(({ unrenewable }) => !unrenewable).map(({ kind }) => kind);
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

/** A key that is to be stored. */
interface NewKey {
  key: string;
  row: StoreIdRow;
}

/** Those keys of a request that replace stored ones, renewed if they have expired, and encrypted. @throws Problem */
async function newKeys(
  parts: StoreIdsParts,
  call: CallContext,
  user: KeyUser,
  candidates: Candidate[],
  stored: StoredStoreId[],
): Promise<NewKey[]> {
  const { cipher } = parts;
  const newer = candidates.filter(({ kind, claims }) => replaces(claims, ofKind(stored, kind)));
  const renewed = await Promise.all(newer.map((one) => renewIfExpired(parts, call, user, one)));
  return Promise.all(
    renewed.map(async ({ kind, key, claims }) => {
      const owner = { ...user, kind };
      const encrypted = await cipher.encrypt(key, owner, call.log);
      return { key, row: { ...owner, ...encrypted, ...claims, unrenewable: false } };
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
  parts: StoreIdsParts,
  call: CallContext,
  { userId, account }: { userId: string; account: string },
  keys: NewKey[],
  stored: StoredStoreId[],
): Promise<{ unchanged: StoredStoreId[]; written: StoreIdRow[] }> {
  const { clock, table } = parts;
  return updateWithRetry(
    stored,
    () => rowsOfAccount(table, userId, account),
    async (current) => {
      const newer = keys.filter(({ row }) => replaces(row, ofKind(current, row.kind)));
      const written = await Promise.all(
        newer.map((one) => successorOf(parts, call, one, ofKind(current, one.row.kind))),
      );
      const unchanged = current.filter((row) => !written.some(({ kind }) => kind === row.kind));
      if (written.length === 0) return { unchanged, written };
      const conflict = (await table.put(written)) === 'conflict';
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

/**
 * A row as the successor of the stored one. What is remembered for the account stays, and for the same key also how often the Store
 * has refused it: a game may register a key at each start.
 */
async function successorOf(
  { cipher }: StoreIdsParts,
  call: CallContext,
  { key, row }: NewKey,
  replaced: StoredStoreId | undefined,
): Promise<StoreIdRow & { etag?: string }> {
  if (!replaced) return row;
  const { etag, seen, unrenewable, refusedAt, issuedAt } = replaced;
  const next = { ...row, etag, seen };
  if (issuedAt !== row.issuedAt) return next;
  // A stored key that cannot be read is replaced: that is how it is mended.
  const storedKey = await cipher.decrypt(replaced, replaced, call.log).catch(undefinedOfProblem);
  return storedKey === key ? { ...next, unrenewable, refusedAt } : next;
}

/** @throws a fault that is no problem */
function undefinedOfProblem(fault: unknown): undefined {
  if (!(fault instanceof Problem)) throw fault;
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
