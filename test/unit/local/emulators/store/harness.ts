/** One emulated Store for a test file, reset before each test, and requests to it over TLS. */
import { Agent, request } from 'undici';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type RunningStore, startStore } from '../../../../../local/emulators/store/server.ts';
import { createLocalTls } from '../../../../../local/tls.ts';

const audience = 'https://onestore.microsoft.com';
const appid = '00000000-0000-0000-0000-00000000000a';
export const trackingId = '3b241101-e2bb-4255-8caf-4136c566a962';
const start = Date.parse('2026-11-22T06:35:00.000Z');
let now = start;
export let store: RunningStore;
export let agent: Agent;

// Instead of Entra's tokens: JSON in base64 that starts with `appid`.
export const bearer = (over: object = {}): string =>
  Buffer.from(JSON.stringify({ appid, aud: audience, exp: now / 1000 + 3600, ...over })).toString('base64url');
const verifyBearer = (token: string) => {
  const text = Buffer.from(token, 'base64url').toString();
  return text.startsWith('{"appid"') ? JSON.parse(text) : undefined;
};

/** Moves the clock of the emulator. */
export function advanceClock(ms: number): void {
  now += ms;
}

/** Starts the Store for this file. Its clock stays at `start`, unless a test moves it. */
export function useStore(): void {
  beforeAll(async () => {
    const tls = await createLocalTls();
    store = await startStore({ tls, verifyBearer, now: () => now, publisherClientId: appid });
    agent = new Agent({ connect: { ca: tls.cert } });
  });
  afterAll(async () => {
    await agent.destroy();
    await store.close();
  });
  beforeEach(() => {
    now = start;
    store.control.reset();
  });
}

export async function post(
  url: string,
  body: unknown,
  authorization: string | null = `Bearer ${bearer()}`,
  method = 'POST',
) {
  const headers = { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) };
  const sent = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await request(url, { method, headers, body: sent, dispatcher: agent } as Parameters<
    typeof request
  >[1]);
  const text = await answer.body.text();
  return { status: answer.statusCode, headers: answer.headers, text, body: text === '' ? {} : JSON.parse(text) };
}

export const keys = (over: object = {}) =>
  store.control.createKeys({ user: 'u', ...over }) as { collectionsId: string; purchaseId: string };
export const b2b = (identityValue = keys().collectionsId) => ({
  identityType: 'b2b' as const,
  identityValue,
  localTicketReference: 'ref',
});
export const query = (productIds: string[], more: object = {}, key?: string, authorization?: string | null) =>
  post(
    `${store.collectionsUrl}/v9.0/collections/publisherQuery`,
    { beneficiaries: [b2b(key)], productSkuIds: productIds.map((productId) => ({ productId })), ...more },
    authorization,
  );
export const consume = (more: object = {}, authorization?: string) =>
  post(
    `${store.collectionsUrl}/v8.0/collections/consume`,
    { beneficiary: b2b(), productId: 'COINS', trackingId, removeQuantity: 1, includeOrderIds: true, ...more },
    authorization,
  );
export const grant = (more: object = {}) =>
  post(`${store.purchaseUrl}/v7.0/purchases/grant`, {
    b2bKey: keys().purchaseId,
    productId: 'FREE',
    skuId: '0010',
    availabilityId: 'FREE-A1',
    orderId: trackingId,
    language: 'en-us',
    market: 'us',
    ...more,
  });
export const renew = (key: string, host = store.collectionsUrl, serviceTicket = bearer()) =>
  post(`${host}/v6.0/b2b/keys/renew`, { serviceTicket, key }, null);
export const inner = (answer: { body: { innererror?: { code: string } } }) => answer.body.innererror?.code;
