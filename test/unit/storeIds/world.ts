/** The keys of users, a Store that renews them or refuses, and time. */
import { randomBytes } from 'node:crypto';
import { createKeyCipher } from '../../../src/shared/identity/cipher.ts';
import { createEntra } from '../../../src/shared/identity/entra.ts';
import type { StoredStoreId, StoreIdRow, StoreIdsTable } from '../../../src/shared/state/storeIds.ts';
import { createKeysApi } from '../../../src/shared/store/keys.ts';
import type { StoreResponse } from '../../../src/shared/store/response.ts';
import { createKeyring } from '../../../src/shared/storeIds/keyring.ts';
import { createRenewals } from '../../../src/shared/storeIds/renew.ts';
import { testCall, testClock } from '../../support/call.ts';
import { answer, refusal } from '../../support/storeAnswer.ts';
import { vault } from '../identity/vault.ts';

const clientId = 'client';
const prefix = 'http://schemas.microsoft.com/marketplace/2015/08/claims/key/';
export const day = 24 * 3600_000;
export const minute = 60_000;
export const owner = { userId: 'u', account: 'default', kind: 'collections' } as const;

/** A key that claims these times (epoch ms). */
export function keyOf(issuedAt: number, claims: { expiresAt?: number; user?: string } = {}): string {
  const { expiresAt = issuedAt + 30 * day, user = 'u' } = claims;
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = {
    aud: 'https://collections.mp.microsoft.com/v6.0/keys',
    iat: issuedAt / 1000,
    exp: expiresAt / 1000,
    [`${prefix}clientId`]: clientId,
    [`${prefix}userId`]: user,
    nonce: randomBytes(4).toString('hex'),
  };
  return `${encode({ alg: 'RS256' })}.${encode(body)}.c2ln`;
}

/** A table of one row, which counts its writes. */
export function tableInMemory() {
  let row: StoredStoreId | undefined;
  let writes = 0;
  const put = async ([next]: (StoreIdRow & { etag?: string })[]) => {
    if (!next || next.etag !== row?.etag) return 'conflict' as const;
    writes += 1;
    row = { ...next, etag: String(writes) };
    return { etag: row.etag };
  };
  const table: StoreIdsTable = {
    one: async () => row && { ...row },
    ofUser: async () => (row ? [{ ...row }] : []),
    put,
    deleteUser: async () => {
      row = undefined;
    },
  };
  return { table, row: () => row, writes: () => writes };
}

export const refused = (code: string, data: string[] = []): StoreResponse =>
  answer(401, { ...refusal('Unauthorized'), innererror: { code, data } });

/** @param given the table of the keys; default one in memory */
export function world(given?: StoreIdsTable) {
  const clock = testClock();
  const kept = vault(clock);
  kept.put('k', randomBytes(32).toString('base64'));
  const cipher = createKeyCipher(kept.secrets, 'k');
  const memory = tableInMemory();
  const table = given ?? memory.table;
  const asked: { key: string; token: string }[] = [];
  const state = {
    answer: (_key: string): StoreResponse | Promise<StoreResponse> =>
      answer(200, { key: keyOf(Math.floor(clock.now() / 1000) * 1000) }),
    minted: 0,
  };
  const entra = createEntra(async () => {
    state.minted += 1;
    return { token: `token ${state.minted}`, expiresOnTimestamp: clock.now() + 60 * minute };
  }, clock);
  const keys = createKeysApi(
    async (_call, { body }) => {
      const { key, serviceTicket } = body as { key: string; serviceTicket: string };
      asked.push({ key, token: serviceTicket });
      return state.answer(key);
    },
    { collections: 'https://c.example', purchase: 'https://p.example' },
  );
  const parts = { clientId, clock, entra, cipher, keys, table };
  const renewals = createRenewals(parts);
  const keyring = createKeyring({ clientId, clock, cipher, table, renewals });
  const callNow = () => testCall({ deadline: clock.now() + 45_000 });
  const { log } = testCall();
  const store = async (key: string, over: Partial<StoreIdRow> = {}): Promise<void> => {
    const { iat, exp } = JSON.parse(Buffer.from(key.split('.')[1] ?? '', 'base64url').toString());
    const claims = { issuedAt: iat * 1000, expiresAt: exp * 1000, unrenewable: false };
    const before = await table.one(owner);
    const row = { ...owner, ...claims, ...(await cipher.encrypt(key, owner, log)), ...over };
    await table.put([before ? { ...row, etag: before.etag } : row]);
  };
  /** The Store takes the newest service token in another call. */
  const otherCall = async (): Promise<void> => {
    clock.advance(1000);
    entra.acceptances.note((await entra.token('service', log)).token, log);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  };
  const stored = async () => {
    const row = await table.one(owner);
    return row && { row, key: await cipher.decrypt(row, row, log) };
  };
  return {
    ...kept,
    ...memory,
    table,
    clock,
    cipher,
    entra,
    asked,
    state,
    renewals,
    keyring,
    callNow,
    store,
    stored,
    otherCall,
    log,
  };
}
