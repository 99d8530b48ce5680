/** What the control API takes. Unknown members are refused, so that a spelling mistake is found. */
import { z } from 'zod';
import { edit } from './edit.ts';
import { faultOperations } from './faults.ts';
import { kinds, orderStates, sources, tiers } from './types.ts';

const name = z.string().min(1);
const time = z.iso.datetime({ offset: true });
const sandbox = name.default('RETAIL');
const count = z.int().min(0);

export const keysInput = z.strictObject({
  user: name,
  publisherUserId: z.string().optional(),
  clientId: name.optional(),
  kinds: z.array(z.enum(['collections', 'purchase'])).default(['collections', 'purchase']),
  issuedAt: time.optional(),
  lifetimeDays: z.number().default(30),
  refreshUri: z.string().optional(),
  omitUserId: z.boolean().default(false),
});
export type KeysInput = z.input<typeof keysInput>;

export const revokeInput = z
  .strictObject({ key: name.optional(), user: name.optional() })
  .refine(({ key, user }) => (key === undefined) !== (user === undefined), 'Say either key or user.');

export const xTokenInput = z.strictObject({
  user: name,
  sandbox,
  relyingParty: name.optional(),
  expiresAt: time.optional(),
});
export type XTokenInput = z.input<typeof xTokenInput>;

export const productInput = z.strictObject({
  kind: z.enum(kinds),
  price: z.number().min(0).default(0.99),
  skuId: z.string().default('0010'),
  availabilityId: name.optional(),
  unitsPerPurchase: z.int().min(1).default(1),
  bundle: z.array(name).default([]),
  configured: z.boolean().default(true),
  legacyProductId: name.optional(),
  gamePassTiers: z.array(z.enum(tiers)).default([]),
});
export type ProductInput = z.input<typeof productInput>;

export const purchaseInput = z.strictObject({
  user: name,
  productId: name,
  quantity: z.int().min(1).default(1),
  sandbox,
  acquiredAt: time.optional(),
});
export type PurchaseInput = z.input<typeof purchaseInput>;

export const itemInput = z.looseObject({
  user: name,
  sandbox,
  source: z.enum(sources).default('direct'),
  productId: name,
  id: name.optional(),
  skuId: z.string().optional(),
});
export type ItemInput = z.input<typeof itemInput>;

export const gamePassInput = z.strictObject({ tiers: z.array(z.enum(tiers)), startDate: time.optional() });

export const faultInput = z.strictObject({
  operation: z.enum(faultOperations),
  times: z.int().min(1).nullable().default(1),
  skip: count.default(0),
  status: z.int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.unknown().optional(),
  contentType: z.string().optional(),
  latencyMs: count.default(0),
  answerLatencyMs: count.default(0),
  dropResponse: z.boolean().default(false),
  dropRequest: z.boolean().default(false),
  actThenStatus: z.boolean().default(false),
  edit: z.array(edit).optional(),
  endlessBody: z.boolean().default(false),
  truncateBody: z.boolean().default(false),
  hugeBytes: count.optional(),
});
export type FaultInput = z.input<typeof faultInput>;

export const settingsInput = z.strictObject({
  maxPageSize: z.int().min(1).nullable().optional(),
  rateLimit: z
    .strictObject({ operations: z.int().min(1), seconds: z.number().positive() })
    .nullable()
    .optional(),
  renewExpired: z.boolean().optional(),
  badKeyStyle: z
    .enum(['AuthenticationTokenInvalid', 'AuthenticationFailure', 'InternalAadAuthenticationError'])
    .optional(),
  renewedKeyMember: z.enum(['key', 'Key']).optional(),
  duplicatesAcrossPages: z.boolean().optional(),
  gamePassAuthorized: z.boolean().optional(),
  showEmptyBalances: z.boolean().optional(),
  v8KindMember: z.enum(['productKind', 'productType', 'both']).optional(),
  grantOrderState: z.enum(orderStates).optional(),
  xTokenSandboxes: z.array(name).nullable().optional(),
  nextConsumeDelayMs: count.optional(),
});
