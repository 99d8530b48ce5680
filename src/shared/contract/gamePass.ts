import * as z from 'zod';
import { readProblems } from './entitlements.ts';
import * as examples from './examples.ts';
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
  tag: 'Entitlements',
  summary: 'The Game Pass tiers that a player has',
  description: 'Asks the Store at each call. `subscribed` says whether the player has any tier but Starter.',
  examples: {
    body: { userId: examples.userId, tiers: ['PC', 'Ultimate'] },
    answers: {
      200: {
        subscribed: true,
        tiers: [{ tier: 'Ultimate', productId: 'CFQ7TTC0KHS0', since: examples.at, recurrenceId: 'mdr:0:1f2e:3d4c' }],
        queriedAt: examples.later,
      },
    },
  },
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
