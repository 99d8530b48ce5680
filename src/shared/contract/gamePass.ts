import * as z from 'zod';
import { readProblems } from './entitlements.ts';
import { account, sandbox, storeIdKey, time, userId } from './fields.ts';
import type { HttpContract, Operation } from './route.ts';

export const tier = z
  .enum(['Console', 'Starter', 'PC', 'Essential', 'Premium', 'Ultimate'])
  .meta({ id: 'GamePassTier' });
export type Tier = z.infer<typeof tier>;

const body = z
  .strictObject({
    userId: userId.optional(),
    collectionsId: storeIdKey.optional(),
    account: account.optional(),
    sandbox: sandbox.optional(),
    tiers: z
      .array(tier)
      .min(1)
      .max(100)
      .default([...tier.options]),
  })
  .superRefine((query, context) => {
    if ((query.userId === undefined) === (query.collectionsId === undefined)) {
      context.addIssue({ code: 'custom', message: 'give exactly one of userId and collectionsId', input: query });
    }
    if (query.account !== undefined && query.userId === undefined) {
      context.addIssue({ code: 'custom', path: ['account'], message: 'goes with userId only', input: query.account });
    }
  })
  .meta({ id: 'GamePassQuery' });
export type GamePassQuery = z.output<typeof body>;

const answer = z
  .object({
    subscribed: z.boolean().describe('Whether the player has any tier but Starter'),
    tiers: z.array(
      z.object({ tier, productId: z.string(), since: time.nullable(), recurrenceId: z.string().nullable() }),
    ),
    queriedAt: time,
  })
  .meta({ id: 'GamePass' });
export type GamePass = z.infer<typeof answer>;

export const queryGamePass = {
  method: 'POST',
  summary: 'The Game Pass tiers that a player has',
  body,
  answers: { 200: answer },
  problems: [...readProblems],
} as const satisfies Operation;

export const gamePassContract = {
  name: 'gamePass',
  route: 'game-pass/query',
  authLevel: 'function',
  operations: [queryGamePass],
} as const satisfies HttpContract;
