import * as z from 'zod';
import { fulfilmentProblems, storeErrorInfo } from './consume.ts';
import * as examples from './examples.ts';
import { account, pathUserId, productId, skuId, time, userId, uuid } from './fields.ts';
import { pendingReason } from './pendingReason.ts';
import type { HttpContract, Operation } from './route.ts';

const body = z
  .strictObject({
    userId,
    account: account.default('default'),
    productId,
    skuId,
    availabilityId: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -'),
    orderId: uuid,
    market: z
      .string()
      .regex(/^[A-Za-z]{2,8}$/, 'must be a market')
      .default('us'),
    language: z
      .string()
      .regex(/^[A-Za-z0-9-]{2,35}$/, 'must be a language')
      .default('en-us'),
    devOfferId: z
      .string()
      .regex(/^[\x21-\x7e]{1,100}$/, 'must be 1 to 100 printable characters')
      .optional(),
  })
  .meta({ id: 'GrantRequest' });
export type GrantBody = z.output<typeof body>;

const common = { orderId: z.string(), userId, account, productId: z.string(), skuId: z.string() };

export const grantCompleted = z
  .object({
    state: z.literal('completed'),
    ...common,
    orderState: z.string(),
    lineItems: z.array(
      z.object({
        lineItemId: z.string(),
        productId: z.string(),
        skuId: z.string().nullable(),
        quantity: z.number().int(),
      }),
    ),
    replayed: z.boolean(),
    completedAt: time,
  })
  .meta({ id: 'GrantCompleted' });
const unsettled = { ...common, availabilityId: z.string() };
const pending = z
  .object({ state: z.literal('pending'), ...unsettled, since: time, reason: pendingReason })
  .meta({ id: 'GrantPending' });
export const grantRejected = z
  .object({
    state: z.literal('rejected'),
    ...unsettled,
    code: z.enum(['insufficient_quantity', 'store_rejected']),
    store: storeErrorInfo.optional(),
    rejectedAt: time,
  })
  .meta({ id: 'GrantRejected' });
const record = z
  .discriminatedUnion('state', [grantCompleted, pending, grantRejected])
  .meta({ id: 'GrantRecord', description: 'What became of a grant.' });
/** What a POST answers with 200, 201 and 202; as the outcome of a consume. */
const outcome = z
  .discriminatedUnion('state', [grantCompleted, pending])
  .meta({ id: 'GrantOutcome', description: 'Completed with 200 and 201, pending with 202.' });
export type GrantCompleted = z.infer<typeof grantCompleted>;
export type GrantPending = z.infer<typeof pending>;
export type GrantView = z.infer<typeof record>;

export const postGrant = {
  method: 'POST',
  tag: 'Grants',
  summary: 'Grants a free product once, however often it is asked with the same order id',
  description:
    'Orders a free product for a player. Send a new UUID as `orderId` with each grant, and the same one again whenever you do not ' +
    'know what became of it: it is granted once. 201 the first time, 200 when it is asked again. 202 says that the outcome is not ' +
    'known yet. Then ask `Location`, ask again, or wait for the event.',
  examples: {
    body: {
      userId: examples.userId,
      productId: '9NGIFT',
      skuId: '0010',
      availabilityId: '9NGIFTAVAIL1',
      orderId: examples.orderId,
    },
    answers: {
      200: { ...examples.grantCompleted, replayed: true },
      201: examples.grantCompleted,
      202: examples.grantPending,
    },
  },
  body,
  answers: { 200: outcome, 201: outcome, 202: pending },
  problems: [...fulfilmentProblems],
} as const satisfies Operation;

export const grantContract = {
  name: 'grant',
  route: 'grants',
  authLevel: 'function',
  operations: [postGrant],
} as const satisfies HttpContract;

export const getGrant = {
  method: 'GET',
  tag: 'Grants',
  summary: 'The record of a grant',
  description: 'What became of a grant: completed, pending or rejected. Asks the Store nothing.',
  examples: {
    path: { userId: examples.userId, orderId: examples.orderId },
    answers: { 200: examples.grantCompleted },
  },
  path: z.object({ userId: pathUserId, orderId: uuid }),
  answers: { 200: record },
  problems: ['invalid_request', 'not_found', 'unavailable'],
} as const satisfies Operation;

export const grantRecordContract = {
  name: 'grantRecord',
  route: 'grants/{userId}/{orderId}',
  authLevel: 'function',
  operations: [getGrant],
} as const satisfies HttpContract;
