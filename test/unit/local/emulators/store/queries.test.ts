import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { advanceClock, b2b, bearer, consume, inner, keys, post, query, renew, store, useStore } from './harness.ts';

useStore();

describe('identities', () => {
  it('refuses bad service tokens and bad keys with the documented bodies', async () => {
    expect(await query(['P'], {}, undefined, null)).toMatchObject({ status: 401, body: { code: 'Unauthorized' } });
    expect(inner(await query(['P'], {}, undefined, `Bearer ${bearer({ aud: 'https://x' })}`))).toBe(
      'PartnerAadTicketRequired',
    );
    expect(inner(await query(['P'], {}, undefined, `Bearer ${bearer({ exp: 1 })}`))).toBe('AuthenticationTokenInvalid');
    const [head, body] = keys().collectionsId.split('.');
    const hmac = createHmac('sha256', 'x').update(`${head}.${body}`).digest('base64url');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.x`;
    const expired = keys({ issuedAt: '2026-10-01T00:00:00Z' }).collectionsId;
    for (const bad of ['x', `${head}.${body}.${hmac}`, none, keys().purchaseId, expired])
      expect(await query(['P'], {}, bad)).toMatchObject({
        status: 401,
        body: { data: [], details: [], innererror: { code: 'AuthenticationTokenInvalid' }, source: 'CollectionsFD' },
      });
    expect(inner(await query(['P'], {}, keys({ clientId: 'other' }).collectionsId))).toBe('InconsistentClientId');
    store.control.putSettings({ badKeyStyle: 'AuthenticationFailure' });
    const failure = (await query(['P'], {}, `${head}.${body}.${hmac}`)).body.innererror;
    expect(failure).toMatchObject({
      code: 'AuthenticationFailure',
      data: [expect.stringContaining('B2B key : IDX10511')],
    });
  });

  it('renews only on the host of the kind; a bad ticket and a bad key have the same code', async () => {
    const { collectionsId, purchaseId } = keys({ issuedAt: '2026-10-01T00:00:00Z', publisherUserId: 'player' });
    const renewed = await renew(collectionsId);
    expect(renewed.status).toBe(200);
    expect((await query([], { productSkuIds: [{ productId: 'P' }] }, renewed.body.key)).status).toBe(200);
    const claims = JSON.parse(Buffer.from(renewed.body.key.split('.')[1], 'base64url').toString());
    expect(claims.exp - claims.iat).toBe(30 * 24 * 3600);
    expect(claims['http://schemas.microsoft.com/marketplace/2015/08/claims/key/userId']).toBe('player');
    expect(inner(await renew(purchaseId))).toBe('AuthenticationTokenInvalid');
    expect((await renew(purchaseId, store.purchaseUrl)).status).toBe(200);
    expect(inner(await renew(collectionsId, store.collectionsUrl, 'nonsense'))).toBe('AuthenticationTokenInvalid');
    expect(inner(await renew(keys({ clientId: 'other' }).collectionsId))).toBe('InconsistentClientId');
    store.control.putSettings({ renewExpired: false });
    expect(inner(await renew(collectionsId))).toBe('AuthenticationTokenInvalid');
    store.control.revokeKeys({ key: renewed.body.key });
    expect(inner(await renew(renewed.body.key))).toBe('AuthenticationTokenInvalid');
    store.control.revokeKeys({ user: 'u' });
    expect((await renew(keys().collectionsId)).status).toBe(200);
    store.control.putSettings({ renewedKeyMember: 'Key' });
    expect((await renew(keys().collectionsId)).body).toEqual({ Key: expect.any(String) });
  });

  it('accepts X-tokens for collections, which determine user and sandbox', async () => {
    store.control.putProduct('DEV', { kind: 'UnmanagedConsumable' });
    store.control.purchase({ user: 'u', productId: 'DEV', sandbox: 'XDKS.1' });
    const { userHash, token } = store.control.createXToken({ user: 'u', sandbox: 'XDKS.1' });
    const x = `XBL3.0 x=${userHash};${token}`;
    const body = { productId: 'DEV', removeQuantity: undefined };
    expect((await consume({ ...body, sbx: 'XDKS.1' })).status).toBe(400);
    expect((await consume(body, x)).status).toBe(400);
    expect(await consume({ ...body, beneficiary: undefined }, x)).toMatchObject({
      status: 200,
      body: { newQuantity: 0 },
    });
    advanceClock(9 * 3600 * 1000);
    const late = await consume({ ...body, beneficiary: undefined }, x);
    expect(late.status).toBe(401);
    expect(late.headers['www-authenticate']).toContain('token_expired');
    store.control.putSettings({ xTokenSandboxes: ['RETAIL'] });
    const other = store.control.createXToken({ user: 'u', sandbox: 'XDKS.1' });
    expect((await consume(body, `XBL3.0 x=${other.userHash};${other.token}`)).status).toBe(403);
  });

  it('limits the rate of a user', async () => {
    store.control.putSettings({ rateLimit: { operations: 2, seconds: 10 } });
    await query(['P']);
    advanceClock(4000);
    await query(['P']);
    const limited = await query(['P']);
    expect(limited).toMatchObject({ status: 429, headers: { 'retry-after': '6' } });
    expect(limited.text).toContain('The rate limit of 2 operations in 10 seconds has been exceeded for aspect');
    expect((await query(['P'], {}, keys({ user: 'v' }).collectionsId)).status).toBe(200);
    advanceClock(6000);
    expect((await query(['P'])).status).toBe(200);
  });
});

describe('queries', () => {
  it('lists what is owned in the sandbox in pages, and nothing else', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `P${index}`);
    for (const productId of ids) {
      store.control.putProduct(productId, { kind: 'Durable', configured: productId !== 'P19' });
      store.control.purchase({ user: 'u', productId });
    }
    store.control.putSettings({ maxPageSize: 7 });
    const seen: string[] = [];
    for (let token: string | undefined, first = true; first || token; first = false) {
      const { status, body } = await query([...ids, 'UNKNOWN'], token ? { continuationToken: token } : {});
      expect(status).toBe(200);
      seen.push(...body.items.map((item: { productId: string }) => item.productId));
      token = body.continuationToken;
      if (token) expect((await query(['P1'], { continuationToken: token })).status).toBe(400);
    }
    expect(seen).toEqual(ids.slice(0, 19));
    expect((await query(ids, { sbx: 'XDKS.1' })).body.items).toEqual([]);
    expect((await query(Array.from({ length: 101 }, String))).status).toBe(400);
    expect((await query(ids, { maxPageSize: 201 })).status).toBe(400);
    const [item] = (await query(['P0'])).body.items;
    expect(item).toMatchObject({ acquiredDate: '2026-11-22T06:35:00.0005331+00:00', quantity: 1, status: 'Active' });
    expect(item.endDate).toBe('9999-12-31T23:59:59.9999999+00:00');
  });

  it('shows duplicates across pages if it is set to, and filters by validity', async () => {
    store.control.putProduct('P', { kind: 'Game' });
    store.control.addItem({ user: 'u', productId: 'P', status: 'Revoked' });
    store.control.addItem({ user: 'u', productId: 'P', status: 'Active' });
    const statuses = async (more: object) =>
      (await query(['P'], more)).body.items.map((item: { status: string }) => item.status);
    expect(await statuses({})).toEqual(['Revoked', 'Active']);
    expect(await statuses({ excludeDuplicates: true, maxPageSize: 1 })).toEqual(['Active']);
    expect(await statuses({ validityType: 'Invalid' })).toEqual(['Revoked']);
    store.control.putSettings({ duplicatesAcrossPages: true });
    expect(await statuses({ excludeDuplicates: true, maxPageSize: 1 })).toEqual(['Revoked']);
    expect(await statuses({ excludeDuplicates: true })).toEqual(['Active']);
  });

  it('expands Game Pass tiers and bundles', async () => {
    store.control.putProduct('GAME', { kind: 'Game', gamePassTiers: ['PC'] });
    store.control.putProduct('COINS', { kind: 'Consumable', unitsPerPurchase: 100 });
    store.control.putProduct('PACK', { kind: 'Durable', bundle: ['COINS', 'GAME'], legacyProductId: 'old' });
    store.control.putGamePass('u', { tiers: ['Ultimate'] });
    const tiers = await query(['CFQ7TTC0KHS0', 'CFQ7TTC0KGQ8', 'CFQ7TTC10QFD']);
    expect(tiers.body.items.map((item: { productId: string }) => item.productId)).toEqual([
      'CFQ7TTC0KHS0',
      'CFQ7TTC0KGQ8',
    ]);
    expect((await query(['GAME'])).body.items).toMatchObject([
      { acquisitionType: 'Recurring', satisfiedByProductIds: ['CFQ7TTC0KGQ8'] },
    ]);
    const { orderId, lines } = store.control.purchase({ user: 'u', productId: 'PACK' });
    expect(new Set(lines.map((line) => line.lineItemId)).size).toBe(1);
    const owned = await query(['GAME', 'COINS'], { excludeDuplicates: true });
    expect(owned.body.items).toMatchObject([
      { productId: 'COINS', quantity: 100, transactionId: orderId },
      { productId: 'GAME', satisfiedByProductIds: ['PACK'] },
    ]);
    const preview = await post(`${store.collectionsUrl}/v8.0/collections/b2bLicensePreview`, {
      beneficiaries: [b2b()],
      market: 'neutral',
      entitlementFilters: ['*:Durable'],
    });
    expect(preview.body.items).toMatchObject([
      { legacyProductId: 'old', localTicketReference: 'ref', recurrenceData: {} },
    ]);
  });
});
