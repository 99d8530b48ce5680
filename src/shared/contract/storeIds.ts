import * as z from 'zod';
import * as examples from './examples.ts';
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

const keyExample = {
  issuedAt: '2026-11-22T06:35:00.000Z',
  expiresAt: '2026-12-22T06:35:00.000Z',
  renewAfter: '2026-12-06T06:35:00.000Z',
  state: 'fresh',
};

export const getStoreIds = {
  method: 'GET',
  tag: 'Store IDs',
  summary: 'What keys of a user are registered; never a key',
  description: 'Lists the accounts of a user and the age of their keys. Of a user that is not known the list is empty.',
  examples: {
    path: { userId: examples.userId },
    answers: {
      200: { userId: examples.userId, accounts: [{ account: 'default', collections: keyExample }] },
    },
  },
  path,
  answers: { 200: listed },
  problems: ['invalid_request', 'unavailable'],
} as const satisfies Operation;

export const putStoreIds = {
  method: 'PUT',
  tag: 'Store IDs',
  summary: 'Registers the User Store ID keys of one account, all or nothing',
  description:
    'Keeps the keys that the game client made, encrypted, and renews them when they are due. A key that was made before the stored ' +
    'one does not replace it. Consumes and grants that wait for the key are made due.',
  examples: {
    path: { userId: examples.userId },
    body: { collectionsId: examples.key, purchaseId: examples.key },
    answers: {
      200: { userId: examples.userId, account: 'default', collections: keyExample, purchase: keyExample },
    },
  },
  path,
  body: putBody,
  answers: { 200: registered },
  problems: [
    'invalid_request',
    'length_required',
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
  tag: 'Store IDs',
  summary: 'Forgets every key of a user',
  description: 'Deletes the keys of all accounts of the user. What was consumed or granted stays on record.',
  examples: { path: { userId: examples.userId }, answers: {} },
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
