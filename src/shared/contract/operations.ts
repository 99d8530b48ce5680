import * as z from 'zod';
import * as examples from './examples.ts';
import { time } from './fields.ts';
import type { HttpContract, Operation } from './route.ts';

const ticket = z.object({ token: z.string(), expiresAt: time }).meta({ id: 'ServiceTicket' });
const tickets = z.object({ collections: ticket, purchase: ticket }).meta({ id: 'ServiceTickets' });
export type ServiceTickets = z.infer<typeof tickets>;

export const getServiceTickets = {
  method: 'GET',
  tag: 'Operations',
  summary: 'The two tokens with which a game client makes User Store ID keys',
  description:
    'Hand `collections.token` and `purchase.token` to the game client of a signed-in player. It makes the two keys of the player ' +
    'with them, which are then registered (`putUserStoreIds`). Do not store the tokens: they expire within about an hour.',
  examples: {
    answers: {
      200: {
        collections: { token: 'the token for the collections key', expiresAt: examples.later },
        purchase: { token: 'the token for the purchase key', expiresAt: examples.later },
      },
    },
  },
  answers: { 200: tickets },
  problems: ['invalid_request', 'store_unauthorized', 'unavailable'],
} as const satisfies Operation;

export const serviceTicketsContract = {
  name: 'serviceTickets',
  route: 'service-tickets',
  authLevel: 'function',
  operations: [getServiceTickets],
} as const satisfies HttpContract;

const health = z
  .object({
    status: z.enum(['ok', 'failing']),
    checks: z.array(z.object({ name: z.enum(['tables', 'keyVault', 'identity']), ok: z.boolean() })),
  })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof health>;

export const getHealth = {
  method: 'GET',
  tag: 'Operations',
  summary: 'Whether what this service needs can be reached',
  description: 'Looks at the tables, Key Vault and the identity of the app itself, afresh at most every 30 seconds.',
  examples: {
    answers: {
      200: { status: 'ok', checks: [{ name: 'tables', ok: true }] },
      503: { status: 'failing', checks: [{ name: 'tables', ok: false }] },
    },
  },
  answers: { 200: health, 503: health },
  problems: ['invalid_request'],
} as const satisfies Operation;

export const healthContract = {
  name: 'health',
  route: 'health',
  authLevel: 'anonymous',
  // All requests share one look in 30 s. Under load too, 503 says only that something fails.
  takesNoPlace: true,
  operations: [getHealth],
} as const satisfies HttpContract;

export const getOpenapi = {
  method: 'GET',
  tag: 'Operations',
  summary: 'This document',
  description: 'OpenAPI 3.1 of all routes, also of those that this deployment does not have.',
  examples: { answers: { 200: { openapi: '3.1.0' } } },
  answers: { 200: z.record(z.string(), z.unknown()).meta({ id: 'OpenApiDocument' }) },
  problems: ['invalid_request'],
} as const satisfies Operation;

export const openapiContract = {
  name: 'openapi',
  route: 'openapi.json',
  authLevel: 'anonymous',
  operations: [getOpenapi],
} as const satisfies HttpContract;
