import { createHash } from 'node:crypto';
import type { Acceptances } from '../identity/acceptances.ts';
import type { KeyCipher, KeyOwner } from '../identity/cipher.ts';
import { faultFields, type Log } from '../lib/log.ts';
import type { StoredStoreId, StoreIdsTable } from '../state/storeIds.ts';
import { updateWithRetry } from '../state/updateWithRetry.ts';
import { afterProvenRefusal } from './renewalPolicy.ts';

/** The Store refused to renew a stored key. */
export interface KeyRefusal {
  owner: KeyOwner;
  keyId: string;
  /** The service token that the renewal was asked with. */
  token: string;
  /** Epoch ms. */
  at: number;
}

export interface RefusalParts {
  table: StoreIdsTable;
  cipher: KeyCipher;
  acceptances: Acceptances;
}

/** So many refusals wait for their proof; of more the oldest are forgotten, which only delays the end of their keys. */
const waitingLimit = 1000;
/** So many are written after one acceptance; the rest after the next. */
const writtenAtOnce = 50;
const update = { rounds: 3, contended: 'A refused renewal could not be recorded.' };

/** Names a key in memory without keeping it. */
export function keyIdOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}

/**
 * Keeps refused renewals until the Store takes the same service token in another call, which proves that the key was at fault; then
 * writes them into the rows (http-api.md 2.11). What is lost with the process is found again at the next refusal.
 */
export function createRefusals(parts: RefusalParts): { add(refusal: KeyRefusal): void } {
  const { acceptances } = parts;
  let waiting: KeyRefusal[] = [];
  let writing = false;

  const writeProven = async (token: string, log: Log): Promise<void> => {
    const isProven = (refusal: KeyRefusal) => refusal.token === token && acceptances.ofToken(token, refusal.at + 1);
    const proven = waiting.filter(isProven).slice(0, writtenAtOnce);
    waiting = waiting.filter((refusal) => !proven.includes(refusal));
    for (const refusal of proven) {
      await recordRefusal(parts, refusal, log).catch((fault: unknown) => {
        const { userId, account, kind } = refusal.owner;
        log('warn', 'storeId.refusalNotRecorded', { userId, account, kind, ...faultFields(fault) });
      });
    }
  };

  acceptances.onNote((token, log) => {
    if (writing || waiting.length === 0) return;
    writing = true;
    void writeProven(token, log).finally(() => {
      writing = false;
    });
  });

  return {
    add(refusal) {
      waiting = [...waiting, refusal].slice(-waitingLimit);
    },
  };
}

/** Writes a proven refusal into the row of its key, if it still has this key. @throws Problem */
async function recordRefusal({ table, cipher }: RefusalParts, refusal: KeyRefusal, log: Log): Promise<void> {
  const { owner, keyId, at } = refusal;
  const read = () => table.one(owner);
  await updateWithRetry<StoredStoreId | undefined, 'done'>(
    await read(),
    read,
    async (row) => {
      if (!row || keyIdOf(await cipher.decrypt(row, row, log)) !== keyId) return 'done';
      const history = afterProvenRefusal(row, at);
      if (history.refusedAt === row.refusedAt && history.unrenewable === row.unrenewable) return 'done';
      if ((await table.put([{ ...row, ...history }])) === 'conflict') return 'conflict';
      const { userId, account, kind } = owner;
      if (history.unrenewable && !row.unrenewable) log('warn', 'storeId.unrenewable', { userId, account, kind });
      return 'done';
    },
    update,
  );
}
