import * as z from 'zod';
import * as examples from './examples.ts';
import { account, accountOrAll, productId, sandbox, skuId, storeIdKey, time, userId, xToken } from './fields.ts';
import type { HttpContract, Operation } from './route.ts';

const productSku = z
  .strictObject({ productId, skuId: skuId.optional() })
  .meta({ id: 'ProductSku', description: 'A product, or one SKU of it.' });

const product = z.union([productId.transform((id) => ({ productId: id })), productSku], {
  error: 'must be a product id, or an object with productId and perhaps skuId',
});

const body = z
  .strictObject({
    userId: userId.optional(),
    collectionsId: storeIdKey.optional(),
    xToken: xToken.optional(),
    account: accountOrAll.optional(),
    products: z.array(product).min(1).max(1000).optional(),
    validity: z.enum(['All', 'Valid', 'Invalid']).default('Valid'),
    excludeDuplicates: z.boolean().default(true),
    sandbox: sandbox.optional(),
    api: z.enum(['v9', 'v8']).default('v9'),
    v8: z
      .strictObject({
        market: z
          .string()
          .regex(/^[A-Za-z-]{2,16}$/, 'must be a market or neutral')
          .default('neutral'),
        entitlementFilters: z
          .array(z.string().regex(/^[\x20-\x7e]{1,64}$/))
          .min(1)
          .max(32)
          .optional(),
        expandSatisfyingItems: z.boolean().default(true),
      })
      .optional(),
  })
  .superRefine((query, context) => {
    const given = [query.userId, query.collectionsId, query.xToken].filter((who) => who !== undefined).length;
    if (given !== 1) {
      context.addIssue({
        code: 'custom',
        message: 'give exactly one of userId, collectionsId and xToken',
        input: query,
      });
    }
    if (query.account !== undefined && query.userId === undefined) {
      context.addIssue({ code: 'custom', path: ['account'], message: 'goes with userId only', input: query.account });
    }
    if (query.products === undefined && query.api !== 'v8') {
      context.addIssue({
        code: 'custom',
        path: ['products'],
        message: 'is missing: only api v8 takes a query without products',
      });
    }
    if (query.v8 !== undefined && query.api !== 'v8') {
      context.addIssue({ code: 'custom', path: ['v8'], message: 'goes with api v8 only', input: query.v8 });
    }
  })
  .meta({ id: 'EntitlementsQuery' });
export type EntitlementsQuery = z.output<typeof body>;

export const entitlement = z
  .object({
    account: account.optional(),
    id: z.string().nullable(),
    productId: z.string(),
    skuId: z.string().nullable(),
    kind: z
      .string()
      .describe('Application, Game, Durable, Consumable, UnmanagedConsumable, Pass or what the Store adds'),
    status: z.string().describe('Active, Revoked, Expired, Banned, Suspended or what the Store adds'),
    quantity: z.number().int(),
    acquiredAt: time.nullable(),
    startsAt: time.nullable(),
    endsAt: time.nullable(),
    modifiedAt: time.nullable(),
    acquisition: z.string().nullable(),
    satisfiedBy: z.array(z.string()),
    recurrenceId: z.string().nullable(),
    orderId: z.string().nullable(),
    trial: z.object({
      isTrial: z.boolean(),
      inTrialPeriod: z.boolean(),
      remainingSeconds: z.number().int().nullable(),
    }),
    legacyProductId: z.string().optional(),
    devOfferId: z.string().optional(),
    inAppOfferToken: z.string().optional(),
    tags: z.unknown().optional().describe('As the Store sends it'),
    productFamily: z.string().optional(),
    purchasedCountry: z.string().optional(),
    sharingSource: z.string().optional(),
  })
  .meta({ id: 'Entitlement' });
export type Entitlement = z.infer<typeof entitlement>;

const answer = z
  .object({ userId: userId.optional(), items: z.array(entitlement), queriedAt: time })
  .meta({ id: 'Entitlements' });
export type Entitlements = z.infer<typeof answer>;

/** What every route that reads with a user's key can refuse with. */
export const readProblems = [
  'invalid_request',
  'length_required',
  'payload_too_large',
  'unknown_user',
  'invalid_store_id',
  'wrong_client',
  'store_rejected',
  'store_id_expired',
  'store_throttled',
  'store_unauthorized',
  'store_unavailable',
  'unavailable',
] as const;

const entitlementExample = {
  account: 'default',
  id: '0d8f6a',
  productId: '9NSWORD',
  skuId: '0010',
  kind: 'Durable',
  status: 'Active',
  quantity: 1,
  acquiredAt: examples.at,
  startsAt: examples.at,
  endsAt: null,
  modifiedAt: examples.at,
  acquisition: 'Single',
  satisfiedBy: [],
  recurrenceId: null,
  orderId: 'c3b1e6a2-5c14-4d4e-8b0c-2f6f2f0c9d11',
  trial: { isTrial: false, inTrialPeriod: false, remainingSeconds: null },
};

export const queryEntitlements = {
  method: 'POST',
  tag: 'Entitlements',
  summary: 'What a player owns: whole or an error, never a part',
  description:
    'Asks the Store at each call. Name the player by exactly one of `userId` (a registered user), `collectionsId` and `xToken`. ' +
    'All pages are followed, up to 1000 products are asked for, and duplicates are resolved.',
  examples: {
    body: { userId: examples.userId, products: ['9NSWORD', { productId: '9NSHIELD', skuId: '0010' }] },
    answers: { 200: { userId: examples.userId, items: [entitlementExample], queriedAt: examples.later } },
  },
  body,
  answers: { 200: answer },
  problems: [...readProblems, 'x_token_expired', 'xbox_rejected'],
} as const satisfies Operation;

export const entitlementsContract = {
  name: 'entitlements',
  route: 'entitlements/query',
  authLevel: 'function',
  operations: [queryEntitlements],
} as const satisfies HttpContract;
