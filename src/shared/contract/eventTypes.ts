import * as z from 'zod';
import { consumeCompleted, consumeRejected } from './consume.ts';
import { time, userId } from './fields.ts';
import { grantCompleted, grantRejected } from './grants.ts';

/** A CloudEvent 1.0 of one type (http-api.md 2.10). */
function cloudEvent<const Type extends string, Data extends z.ZodType>(type: Type, data: Data, id: string) {
  return z
    .object({
      specversion: z.literal('1.0'),
      id: z.string(),
      source: z.string(),
      type: z.literal(type),
      time,
      subject: userId.optional(),
      data,
    })
    .meta({ id });
}

/**
 * Every event of the feed, distinguished by its type. It has no id: NSwag writes code that does not compile for a list of references
 * to a union.
 */
export const event = z
  .discriminatedUnion('type', [
    cloudEvent('consume.completed', consumeCompleted, 'ConsumeCompletedEvent'),
    cloudEvent('consume.rejected', consumeRejected, 'ConsumeRejectedEvent'),
    cloudEvent('grant.completed', grantCompleted, 'GrantCompletedEvent'),
    cloudEvent('grant.rejected', grantRejected, 'GrantRejectedEvent'),
  ])
  .meta({ description: 'A CloudEvent 1.0.' });
export type Event = z.infer<typeof event>;

type InputOf<Type extends Event> = Type extends Event ? Pick<Type, 'type' | 'data'> : never;

/** What an event is made of. The same `cause` is always the same event; `at` (epoch ms) is stored and does not change. */
export type EventInput = InputOf<Event> & {
  cause: string[];
  at: number;
  /** The user concerned. */
  subject?: string;
};
