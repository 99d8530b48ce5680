import * as z from 'zod';
import * as examples from './examples.ts';
import { account, time, userId, wholeNumber } from './fields.ts';
import { pendingReason } from './pendingReason.ts';
import type { HttpContract, Operation } from './route.ts';

const kind = z.enum(['consume', 'grant']).meta({ id: 'PendingKind' });
export type PendingKind = z.infer<typeof kind>;

/** Where a list goes on: after an entry of one of its parts. */
export interface PendingPosition {
  kind: PendingKind;
  shard: number;
  /** Of the entry. */
  key: string;
}

export function cursorOf({ kind, shard, key }: PendingPosition): string {
  return Buffer.from(`${kind}.${shard}.${key}`).toString('base64url');
}

const position = /^(consume|grant)\.(\d{1,2})\.(due\.attempt\.[0-9a-f.-]{1,150})$/;

/** OpenAPI shows the text that is sent, not what it is parsed to. */
const cursor = z
  .string()
  .min(1)
  .max(400)
  .transform((text, context): PendingPosition => {
    const [, kind, shard, key] = position.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? [];
    if (key !== undefined) return { kind: kind as PendingKind, shard: Number(shard), key };
    context.addIssue({ code: 'custom', message: 'is not a cursor of this list', input: text });
    return z.NEVER;
  })
  .meta({ type: 'string', minLength: 1, maxLength: 400, description: 'Of the page before.' });

const item = z
  .object({
    kind,
    userId,
    account,
    id: z.string().describe('The tracking id of a consume, the order id of a grant.'),
    productId: z.string(),
    since: time,
    attempts: z.int32().describe('How often the Store was asked, or may have been.'),
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

export const getPending = {
  method: 'GET',
  tag: 'Operations',
  summary: 'Consumes and grants that are not settled',
  description:
    'For support and alerts: what waits, for how long, and why. Within each page the one that is due longest comes first. The ' +
    'recovery timer goes on by itself; nothing needs to be asked again.',
  examples: {
    query: { kind: 'consume', limit: 50 },
    answers: {
      200: {
        items: [
          {
            kind: 'consume',
            userId: examples.userId,
            account: 'default',
            id: examples.trackingId,
            productId: '9NCOINS',
            since: examples.at,
            attempts: 1,
            lastAttemptAt: examples.at,
            nextAttemptAt: examples.later,
            reason: 'store_unavailable',
          },
        ],
        cursor: null,
      },
    },
  },
  query: z.strictObject({
    kind: kind.optional(),
    limit: wholeNumber(1, 100).default(50),
    cursor: cursor.optional(),
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
