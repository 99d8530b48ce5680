import type * as z from 'zod';
import type { ProblemCode } from './problems.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** One operation of the public contract: what it takes, what it answers. The boundary validates with it, OpenAPI is made from it. */
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
