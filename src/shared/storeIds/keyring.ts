import type { KeyCipher } from '../identity/cipher.ts';
import { decodeStoreId, type KeyKind, keyState } from '../identity/storeId.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import { inParallel } from '../lib/inParallel.ts';
import { faultFields } from '../lib/log.ts';
import type { StoredStoreId, StoreIdsTable } from '../state/storeIds.ts';
import type { HeldKey } from '../store/authorize.ts';
import { type Renewals, storeIdExpired, unknownUser } from './renew.ts';

export interface Keyring {
  /**
   * The keys of one account, or of all (`*`), fit to be sent: due and expired ones are renewed first.
   * @throws Problem unknown_user, store_id_expired, unavailable, or what kept an expired key from being renewed
   */
  held(call: Call, userId: string, account: string, kind: KeyKind): Promise<HeldKey[]>;
  /** A key that the caller sent: checked, never stored or renewed. @throws Problem invalid_store_id, wrong_client, store_id_expired */
  raw(key: string, kind: KeyKind): HeldKey;
}

export interface KeyringParts {
  clientId: string;
  clock: Clock;
  cipher: KeyCipher;
  table: StoreIdsTable;
  renewals: Renewals;
}

const accountsAtOnce = 4;
/** What the renewal of a key that still serves may take of the request that met it. */
const earlyRenewalMs = 5000;

export function keyring({ clientId, clock, cipher, table, renewals }: KeyringParts): Keyring {
  const usable = async (call: Call, row: StoredStoreId): Promise<string> => {
    const now = clock.now();
    const expired = now >= row.expiresAt;
    const state = keyState(row, now);
    if (state === 'unrenewable' && expired) throw storeIdExpired(row.kind);
    if (state === 'due' || state === 'expired') {
      const deadline = expired ? call.deadline : Math.min(call.deadline, now + earlyRenewalMs);
      const renewal = await renewals.renewStored({ ...call, deadline }, row);
      if (renewal.outcome === 'renewed') return renewal.key;
      if (expired) throw renewal.outcome === 'dead' ? storeIdExpired(row.kind) : renewal.problem;
      const code = renewal.outcome === 'later' ? renewal.problem.code : 'store_id_expired';
      call.log('warn', 'storeId.notRenewed', { kind: row.kind, code });
    }
    const key = await cipher.open(row, row, call.log);
    void sealAnew(call, row, key);
    return key;
  };

  /** After a rotation of the encryption secret: the old version is no longer needed once every row has been touched. Never fails. */
  const sealAnew = async (call: Call, row: StoredStoreId, key: string): Promise<void> => {
    try {
      if (await cipher.isCurrent(row, call.log)) return;
      await table.put([{ ...row, ...(await cipher.seal(key, row, call.log)) }]);
    } catch (fault) {
      call.log('warn', 'storeId.notSealedAnew', { kind: row.kind, ...faultFields(fault) });
    }
  };

  const hold = async (call: Call, row: StoredStoreId): Promise<HeldKey> => {
    let key = await usable(call, row);
    return {
      account: row.account,
      current: () => key,
      async replace(replaceCall, refused) {
        const now = await table.one(row);
        if (!now) throw unknownUser(row.kind);
        const stored = await cipher.open(now, now, replaceCall.log);
        if (stored !== refused) {
          key = stored;
          return;
        }
        const renewal = now.unrenewable ? ({ outcome: 'dead' } as const) : await renewals.renewStored(replaceCall, now);
        if (renewal.outcome === 'dead') throw storeIdExpired(row.kind);
        if (renewal.outcome === 'later') throw renewal.problem;
        key = renewal.key;
      },
    };
  };

  return {
    async held(call, userId, account, kind) {
      const rows =
        account === '*'
          ? (await table.ofUser(userId)).filter((row) => row.kind === kind)
          : [await table.one({ userId, account, kind })].filter((row) => row !== undefined);
      if (rows.length === 0) throw unknownUser(kind);
      return inParallel(rows, accountsAtOnce, (row) => hold(call, row));
    },
    raw(key, kind) {
      const now = clock.now();
      if (decodeStoreId(key, { kind, clientId, now }).expiresAt <= now) throw storeIdExpired(kind);
      return {
        current: () => key,
        replace: () => Promise.reject(storeIdExpired(kind)),
      };
    },
  };
}
