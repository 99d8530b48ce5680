import type * as z from 'zod';
import type { ProblemCode } from './problems.ts';

/** `routePrefix` of host.json. */
export const routePrefix = 'api';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** One operation of the public contract: its input and its answers. The boundary validates with it, OpenAPI is made from it. */
export interface Operation {
  method: Method;
  summary: string;
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
  operations: readonly Operation[];
}

/** The path of a route with its parameters filled in, as a caller asks for it. */
export function pathOf(contract: HttpContract, parameters: Record<string, string>): string {
  const filled = contract.route.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''));
  return `/${routePrefix}/${filled}`;
}
