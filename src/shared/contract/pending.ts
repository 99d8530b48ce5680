import * as z from 'zod';
import { account, time, userId } from './fields.ts';
import { pendingReason } from './pendingReason.ts';
import type { HttpContract, Operation } from './route.ts';

const kind = z.enum(['consume', 'grant']).meta({ id: 'PendingKind' });
export type PendingKind = z.infer<typeof kind>;

const item = z
  .object({
    kind,
    userId,
    account,
    id: z.string().describe('The tracking id of a consume, the order id of a grant.'),
    productId: z.string(),
    since: time,
    attempts: z.number().int().describe('How often the Store was asked, or may have been.'),
    lastAttemptAt: time,
    nextAttemptAt: time,
    reason: pendingReason,
  })
  .meta({ id: 'PendingItem' });
export type PendingItem = z.infer<typeof item>;

const page = z
  .object({ items: z.array(item), cursor: z.string().nullable().describe('Of the next page; null: this is the last.') })
  .meta({ id: 'Pending' });
export type PendingPage = z.infer<typeof page>;

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,3}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least).max(most));

export const getPending = {
  method: 'GET',
  summary: 'Consumes and grants that are not settled',
  query: z.strictObject({
    kind: kind.optional(),
    limit: wholeNumber(1, 100).default(50),
    cursor: z.string().min(1).max(400).optional(),
  }),
  answers: { 200: page },
  problems: ['invalid_request', 'unavailable'],
} as const satisfies Operation;

export const pendingContract = {
  name: 'pending',
  route: 'pending',
  authLevel: 'function',
  operations: [getPending],
} as const satisfies HttpContract;
