import type { Problem } from '../contract/problems.ts';
import type { KeyCipher } from '../identity/cipher.ts';
import { decodeStoreId, type KeyKind, renewAfter } from '../identity/storeId.ts';
import type { CallContext } from '../lib/callContext.ts';
import type { Clock } from '../lib/clock.ts';
import { inParallel } from '../lib/inParallel.ts';
import { faultFields } from '../lib/log.ts';
import { withTimeout } from '../lib/timeout.ts';
import { marksIn, withMarks } from '../state/seenMarks.ts';
import type { StoredStoreId, StoreIdsTable } from '../state/storeIds.ts';
import { NoOtherKeyError, type UserKey } from '../store/authorize.ts';
import { storeIdExpired } from '../store/errors.ts';
import { type Renewals, unknownUser } from './renew.ts';
import { mayRenew } from './renewalPolicy.ts';

/** What is remembered for an account, as of when its key was read (architecture.md 4). */
export interface SeenOfAccount {
  marks(): ReadonlySet<string>;
  /** Adds marks of rows that are stored. `conflict`: the key's row has changed since, and keeps its marks. @throws Problem unavailable */
  add(marks: string[]): Promise<'added' | 'full' | 'conflict'>;
}

export interface StoredUserKey extends UserKey {
  account: string;
  seen: SeenOfAccount;
}

/** User Store ID keys that can be sent: due and expired ones are renewed first. */
export interface Keyring {
  /** @throws Problem unknown_user, store_id_expired, unavailable, or why an expired key could not be renewed */
  forUser(call: CallContext, userId: string, account: string, kind: KeyKind): Promise<StoredUserKey>;
  /** One key for each account that has one of this kind. @throws Problem as `forUser` */
  forAllAccounts(call: CallContext, userId: string, kind: KeyKind): Promise<StoredUserKey[]>;
  /** A key that came with the request: checked, never stored or renewed. @throws Problem invalid_store_id, wrong_client, store_id_expired */
  fromRequest(key: string, kind: KeyKind): UserKey;
}

export interface KeyringParts {
  clientId: string;
  clock: Clock;
  cipher: KeyCipher;
  table: StoreIdsTable;
  renewals: Renewals;
}

const accountsAtOnce = 4;
/** How long a request waits for the renewal of a key that has not expired yet. */
const earlyRenewalMs = 5000;
/** How long a request waits for the re-encryption of a key, once after a rotation. */
const reencryptionMs = 500;

export function createKeyring(parts: KeyringParts): Keyring {
  const { clientId, clock, table } = parts;
  return {
    async forUser(call, userId, account, kind) {
      const row = await table.one({ userId, account, kind });
      if (!row) throw unknownUser(kind);
      return createUserKey(parts, call, row);
    },
    async forAllAccounts(call, userId, kind) {
      const rows = (await table.ofUser(userId)).filter((row) => row.kind === kind);
      if (rows.length === 0) throw unknownUser(kind);
      return inParallel(rows, accountsAtOnce, (row) => createUserKey(parts, call, row));
    },
    fromRequest(key, kind) {
      const now = clock.now();
      if (decodeStoreId(key, { kind, clientId, now }).expiresAt <= now) throw ended(kind);
      return {
        current: () => key,
        replace: () => Promise.reject(new NoOtherKeyError(ended(kind), false)),
      };
    },
  };
}

async function createUserKey(parts: KeyringParts, call: CallContext, row: StoredStoreId): Promise<StoredUserKey> {
  let key = await resolveKey(parts, call, row);
  return {
    account: row.account,
    current: () => key,
    async replace(replaceCall, refused) {
      key = await replaceKey(parts, replaceCall, row, refused);
    },
    seen: seenOf(parts.table, row),
  };
}

function seenOf(table: StoreIdsTable, row: StoredStoreId): SeenOfAccount {
  return {
    marks: () => marksIn(row.seen),
    async add(marks) {
      const seen = withMarks(row.seen, marks);
      if (!seen) return 'full';
      // With the ETag of the row: a newer key that came meanwhile stays.
      return (await table.put([{ ...row, seen }])) === 'conflict' ? 'conflict' : 'added';
    },
  };
}

/** The key of a row, renewed if that is due. @throws Problem for an expired key without successor */
async function resolveKey(parts: KeyringParts, call: CallContext, row: StoredStoreId): Promise<string> {
  const { cipher, clock, renewals } = parts;
  const now = clock.now();
  const expired = now >= row.expiresAt;
  if ((expired || row.unrenewable || now > renewAfter(row)) && mayRenew(row, now)) {
    const deadline = expired ? call.deadline : Math.min(call.deadline, now + earlyRenewalMs);
    const renewal = await renewals.renewStored({ ...call, deadline }, row);
    if (renewal.outcome === 'renewed') return renewal.key;
    if (expired) throw renewal.problem;
    const { userId, account, kind } = row;
    call.log('warn', 'storeId.notRenewed', { userId, account, kind, code: renewal.problem.code });
  } else if (expired) {
    throw ended(row.kind);
  }
  const key = await cipher.decrypt(row, row, call.log);
  await withTimeout(reencryptionMs, 're-encryption', reencrypt(parts, call, row, key)).catch((fault: unknown) =>
    logNotReencrypted(call, row, fault),
  );
  return key;
}

/** After a rotation, encrypts a key with the new secret: the old one is no longer needed once every row has been read. Never fails. */
async function reencrypt(
  { cipher, table }: KeyringParts,
  call: CallContext,
  row: StoredStoreId,
  key: string,
): Promise<void> {
  try {
    if (await cipher.isCurrent(row, call.log)) return;
    // With the ETag of the row: a newer key that came meanwhile stays.
    await table.put([{ ...row, ...(await cipher.encrypt(key, row, call.log)) }]);
  } catch (fault) {
    logNotReencrypted(call, row, fault);
  }
}

function logNotReencrypted(call: CallContext, { userId, account, kind }: StoredStoreId, fault: unknown): void {
  call.log('warn', 'storeId.notReencrypted', { userId, account, kind, ...faultFields(fault) });
}

/**
 * The successor of a key that the Store refused: the stored key, if it has changed, or a renewed one.
 * @throws NoOtherKeyError; Problem if it cannot be known now
 */
async function replaceKey(
  { clock, cipher, table, renewals }: KeyringParts,
  call: CallContext,
  row: StoredStoreId,
  refused: string,
): Promise<string> {
  const current = await table.one(row);
  if (!current) throw unknownUser(row.kind);
  const stored = await cipher.decrypt(current, current, call.log);
  if (stored !== refused) return stored;
  if (!mayRenew(current, clock.now())) throw new NoOtherKeyError(ended(row.kind), true);
  const renewal = await renewals.renewStored(call, current);
  if (renewal.outcome === 'refused') throw new NoOtherKeyError(renewal.problem, renewal.named);
  if (renewal.outcome === 'later') throw renewal.problem;
  return renewal.key;
}

function ended(kind: KeyKind): Problem {
  return storeIdExpired(`${kind} key`);
}
