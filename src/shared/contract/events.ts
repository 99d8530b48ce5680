import * as z from 'zod';
import { event } from './eventTypes.ts';
import type { HttpContract, Operation } from './route.ts';

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,4}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least).max(most));

const feed = z.object({ events: z.array(event), more: z.boolean() }).meta({ id: 'Events' });

export const getEvents = {
  method: 'GET',
  summary: 'Events that are not acknowledged, the oldest first; waits up to `wait` seconds for the first',
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
  summary: 'Acknowledges events: they do not come again',
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
