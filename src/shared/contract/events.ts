import * as z from 'zod';
import { event } from './eventTypes.ts';
import * as examples from './examples.ts';
import { wholeNumber } from './fields.ts';
import type { HttpContract, Operation } from './route.ts';

const feed = z.object({ events: z.array(event), more: z.boolean() }).meta({ id: 'EventFeed' });

const eventId = '001795415700000-5d41402abc4b2a76b9719d911017c592';

export const getEvents = {
  method: 'GET',
  tag: 'Events',
  summary: 'Events that are not acknowledged, the oldest first; waits up to `wait` seconds for the first',
  description:
    'The feed always begins with the oldest event that is not acknowledged. Act on an event, then acknowledge it: until then it ' +
    'comes again. An event can come more than once; its id is the same each time.',
  examples: {
    query: { limit: 100, wait: 20 },
    answers: {
      200: {
        events: [
          {
            specversion: '1.0',
            id: eventId,
            source: '/microsoft-store-functions',
            type: 'consume.completed',
            time: examples.at,
            subject: examples.userId,
            data: examples.consumeCompleted,
          },
        ],
        more: false,
      },
    },
  },
  query: z.strictObject({ limit: wholeNumber(1, 500).default(100), wait: wholeNumber(0, 20).default(0) }),
  answers: { 200: feed },
  problems: ['invalid_request', 'unavailable'],
} as const satisfies Operation;

export const eventsContract = {
  name: 'events',
  route: 'events',
  authLevel: 'function',
  operations: [getEvents],
} as const satisfies HttpContract;

export const postEventsAck = {
  method: 'POST',
  tag: 'Events',
  summary: 'Acknowledges events: they do not come again',
  description: 'Ids that are not known, or acknowledged already, change nothing. `acknowledged` counts the others.',
  examples: { body: { ids: [eventId] }, answers: { 200: { acknowledged: 1 } } },
  body: z.strictObject({ ids: z.array(z.string()).min(1).max(500) }).meta({ id: 'EventsAck' }),
  answers: { 200: z.object({ acknowledged: z.number().int() }).meta({ id: 'EventsAcknowledged' }) },
  problems: ['invalid_request', 'length_required', 'payload_too_large', 'unavailable'],
} as const satisfies Operation;

export const eventsAckContract = {
  name: 'eventsAck',
  route: 'events/ack',
  authLevel: 'function',
  operations: [postEventsAck],
} as const satisfies HttpContract;
