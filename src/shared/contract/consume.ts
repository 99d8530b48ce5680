import * as z from 'zod';
import * as examples from './examples.ts';
import { account, pathUserId, productId, time, userId, uuid, xToken } from './fields.ts';
import { pendingReason } from './pendingReason.ts';
import type { HttpContract, Operation } from './route.ts';

export const managedBy = z
  .enum(['store', 'developer'])
  .meta({ id: 'ManagedBy', description: 'Who keeps the balance: the Store, or the game (UnmanagedConsumable).' });

const body = z
  .strictObject({
    userId,
    account: account.default('default'),
    xToken: xToken.optional(),
    productId,
    trackingId: uuid,
    quantity: z.number().int().min(1).max(1_000_000).default(1),
    managedBy: managedBy.default('store'),
  })
  .superRefine((request, context) => {
    if (request.managedBy === 'developer' && request.quantity !== 1) {
      const message = 'must be 1 or absent for a developer-managed product';
      context.addIssue({ code: 'custom', path: ['quantity'], message, input: request.quantity });
    }
  })
  .meta({ id: 'ConsumeRequest' });
export type ConsumeBody = z.output<typeof body>;

const common = {
  trackingId: z.string(),
  userId,
  account,
  productId: z.string(),
  managedBy,
  quantity: z.number().int(),
};

export const consumeCompleted = z
  .object({
    state: z.literal('completed'),
    ...common,
    newQuantity: z.number().int(),
    orders: z.array(
      z.object({
        orderId: z.string(),
        lineItemId: z.string(),
        quantity: z.number().int(),
        matchedBy: z.literal('orders').optional(),
        restores: z.string().optional(),
      }),
    ),
    replayed: z.boolean(),
    completedAt: time,
  })
  .meta({ id: 'ConsumeCompleted' });
const pending = z
  .object({ state: z.literal('pending'), ...common, since: time, reason: pendingReason })
  .meta({ id: 'ConsumePending' });

export const storeErrorInfo = z
  .object({
    status: z.int32(),
    code: z.string().nullable(),
    message: z.string().nullable(),
    correlationId: z.string().nullable(),
    cv: z.string().nullable(),
  })
  .meta({ id: 'StoreErrorInfo', description: 'What the Store said.' });

export const consumeRejected = z
  .object({
    state: z.literal('rejected'),
    ...common,
    code: z.enum(['insufficient_quantity', 'store_rejected']),
    store: storeErrorInfo.optional(),
    rejectedAt: time,
  })
  .meta({ id: 'ConsumeRejected' });
const record = z
  .discriminatedUnion('state', [consumeCompleted, pending, consumeRejected])
  .meta({ id: 'ConsumeRecord', description: 'What became of a consume.' });
/**
 * What a POST answers with 200 and 202. Kiota parses every 2xx by the schema of the first one: with `ConsumeCompleted` there a pending
 * consume would look like a completed one.
 */
const outcome = z
  .discriminatedUnion('state', [consumeCompleted, pending])
  .meta({ id: 'ConsumeOutcome', description: 'Completed with 200, pending with 202.' });
export type ConsumeCompleted = z.infer<typeof consumeCompleted>;
export type ConsumePending = z.infer<typeof pending>;
export type ConsumeView = z.infer<typeof record>;

/** What a consume or grant can be refused with: nothing else is final. */
export const fulfilmentProblems = [
  'invalid_request',
  'length_required',
  'payload_too_large',
  'unknown_user',
  'tracking_id_reused',
  'store_rejected',
  'store_id_expired',
  'store_unauthorized',
  'unavailable',
] as const;

export const postConsume = {
  method: 'POST',
  tag: 'Consumables',
  summary: 'Consumes once, however often it is asked with the same tracking id',
  description:
    'Consumes units of a product that a player owns. Send a new UUID as `trackingId` with each consume, and the same one again ' +
    'whenever you do not know what became of it: nothing is consumed twice. 202 says that the outcome is not known yet. Then ask ' +
    '`Location`, ask again, or wait for the event. Give the value once for a tracking id.',
  examples: {
    body: {
      userId: examples.userId,
      productId: '9NCOINS',
      trackingId: examples.trackingId,
      quantity: 30,
    },
    answers: { 200: examples.consumeCompleted, 202: examples.consumePending },
  },
  body,
  answers: { 200: outcome, 202: pending },
  problems: [...fulfilmentProblems, 'insufficient_quantity'],
} as const satisfies Operation;

export const consumeContract = {
  name: 'consume',
  route: 'consumables/consume',
  authLevel: 'function',
  operations: [postConsume],
} as const satisfies HttpContract;

export const getConsume = {
  method: 'GET',
  tag: 'Consumables',
  summary: 'The record of a consume',
  description: 'What became of a consume: completed, pending or rejected. Asks the Store nothing.',
  examples: {
    path: { userId: examples.userId, trackingId: examples.trackingId },
    answers: { 200: examples.consumeCompleted },
  },
  path: z.object({ userId: pathUserId, trackingId: uuid }),
  answers: { 200: record },
  problems: ['invalid_request', 'not_found', 'unavailable'],
} as const satisfies Operation;

export const consumeRecordContract = {
  name: 'consumeRecord',
  route: 'consumables/consume/{userId}/{trackingId}',
  authLevel: 'function',
  operations: [getConsume],
} as const satisfies HttpContract;
