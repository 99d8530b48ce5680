import type * as z from 'zod';
import type { ProblemCode } from './problems.ts';

/** `routePrefix` of host.json. */
export const routePrefix = 'api';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** The groups of operations in the OpenAPI document, in its order. */
export const tags = {
  'Store IDs': 'The keys with which the Store lets this service act for a player.',
  Entitlements: 'What a player owns, and the Game Pass tiers that a player has.',
  Consumables: 'Consumes of consumables, each done once for a tracking id.',
  Grants: 'Grants of free products, each done once for an order id.',
  Events: 'What the game backend must act on.',
  Operations: 'This service itself.',
} as const satisfies Record<string, string>;

/** One request and the body of each answer that has one. A test holds them against the schemas. */
export interface Examples {
  path?: Record<string, string>;
  query?: Record<string, string | number>;
  body?: unknown;
  /** By status. */
  answers: Record<number, unknown>;
}

/** One operation of the public contract: its input and its answers. The boundary validates with it, OpenAPI is made from it. */
export interface Operation {
  method: Method;
  tag: keyof typeof tags;
  summary: string;
  /** In Markdown. */
  description: string;
  examples: Examples;
  path?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** The documented answers by status; `null` has no body. */
  answers: Record<number, z.ZodType | null>;
  problems: ProblemCode[];
}

/** One function with an HTTP trigger (http-api.md 2): its name, its route below the prefix and its operations. */
export interface HttpContract {
  name: string;
  /** Azure's route template; parameters in braces. */
  route: string;
  authLevel: 'function' | 'anonymous';
  /** Requests cost too little to be counted against the places of a function (architecture.md 3.14). */
  takesNoPlace?: true;
  operations: readonly Operation[];
}

/** The path of a route with its parameters filled in, as a caller asks for it. */
export function pathOf(contract: HttpContract, parameters: Record<string, string>): string {
  const filled = contract.route.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''));
  return `/${routePrefix}/${filled}`;
}
