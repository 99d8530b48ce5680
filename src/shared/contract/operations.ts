import * as z from 'zod';
import { time } from './fields.ts';
import type { HttpContract, Operation } from './route.ts';

const ticket = z.object({ token: z.string(), expiresAt: time }).meta({ id: 'ServiceTicket' });
const tickets = z.object({ collections: ticket, purchase: ticket }).meta({ id: 'ServiceTickets' });
export type ServiceTickets = z.infer<typeof tickets>;

export const getServiceTickets = {
  method: 'GET',
  summary: 'The two tokens with which a game client makes User Store ID keys',
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
  summary: 'Whether what this service needs can be reached',
  answers: { 200: health, 503: health },
  problems: ['invalid_request'],
} as const satisfies Operation;

export const healthContract = {
  name: 'health',
  route: 'health',
  authLevel: 'anonymous',
  operations: [getHealth],
} as const satisfies HttpContract;

export const getOpenapi = {
  method: 'GET',
  summary: 'This document',
  answers: { 200: z.record(z.string(), z.unknown()).meta({ id: 'OpenApiDocument' }) },
  problems: ['invalid_request'],
} as const satisfies Operation;

export const openapiContract = {
  name: 'openapi',
  route: 'openapi.json',
  authLevel: 'anonymous',
  operations: [getOpenapi],
} as const satisfies HttpContract;
