import * as z from 'zod';
import { account, pathUserId, storeIdKey, time, userId } from './fields.ts';
import type { HttpContract, Operation } from './route.ts';

export const keyInfo = z
  .object({
    issuedAt: time,
    expiresAt: time,
    renewAfter: time,
    state: z.enum(['fresh', 'due', 'expired', 'unrenewable']),
  })
  .meta({ id: 'KeyInfo' });
export type KeyInfo = z.infer<typeof keyInfo>;

const path = z.object({ userId: pathUserId });

const publisherUserId = z
  .string()
  .min(1)
  .max(512)
  .refine((text) => !text.includes('\u0000') && !/\p{Surrogate}/u.test(text), 'must be text')
  .meta({ description: 'The publisherUserId that the game client made the keys with; default: the user id.' });

const putBody = z
  .strictObject({
    account: account.default('default'),
    publisherUserId: publisherUserId.optional(),
    collectionsId: storeIdKey.optional(),
    purchaseId: storeIdKey.optional(),
    delegationToken: z.string().min(1).max(16_384).optional(),
  })
  .superRefine((body, context) => {
    const keys = body.collectionsId !== undefined || body.purchaseId !== undefined;
    if (keys === (body.delegationToken !== undefined)) {
      context.addIssue({
        code: 'custom',
        message: 'give collectionsId, purchaseId or both, or a delegationToken alone',
        input: body,
      });
    }
    if (body.delegationToken !== undefined && body.publisherUserId !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['publisherUserId'],
        message: 'goes with keys, not with a delegationToken',
        input: body,
      });
    }
  })
  .meta({ id: 'StoreIdsRegistration' });
export type StoreIdsRegistration = z.output<typeof putBody>;

const keysOfAccount = { collections: keyInfo.optional(), purchase: keyInfo.optional() };
const registered = z.object({ userId, account, ...keysOfAccount }).meta({ id: 'RegisteredStoreIds' });
const listed = z
  .object({ userId, accounts: z.array(z.object({ account, ...keysOfAccount })) })
  .meta({ id: 'StoreIdsOfUser' });
export type RegisteredStoreIds = z.infer<typeof registered>;
export type StoreIdsOfUser = z.infer<typeof listed>;

export const getStoreIds = {
  method: 'GET',
  summary: 'What keys of a user are registered; never a key',
  path,
  answers: { 200: listed },
  problems: ['invalid_request', 'unavailable'],
} as const satisfies Operation;

export const putStoreIds = {
  method: 'PUT',
  summary: 'Registers the User Store ID keys of one account, all or nothing',
  path,
  body: putBody,
  answers: { 200: registered },
  problems: [
    'invalid_request',
    'payload_too_large',
    'invalid_store_id',
    'wrong_client',
    'user_mismatch',
    'store_id_expired',
    'xbox_rejected',
    'store_throttled',
    'store_unauthorized',
    'store_unavailable',
    'unavailable',
  ],
} as const satisfies Operation;

export const deleteStoreIds = {
  method: 'DELETE',
  summary: 'Forgets every key of a user',
  path,
  answers: { 204: null },
  problems: ['invalid_request', 'unavailable'],
} as const satisfies Operation;

export const storeIdsContract = {
  name: 'userStoreIds',
  route: 'users/{userId}/store-ids',
  authLevel: 'function',
  operations: [getStoreIds, putStoreIds, deleteStoreIds],
} as const satisfies HttpContract;
