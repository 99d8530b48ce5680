/** What every operation shares: its input, the checks of members, the rate limit. */
import type { VerifyBearer } from './auth.ts';
import { invalidParameter, type Reply, StoreError } from './errors.ts';
import type { User } from './types.ts';
import type { World } from './world.ts';

export interface Call {
  world: World;
  verify: VerifyBearer;
  authorization: string | undefined;
  body: Record<string, unknown>;
}

/** Acts without `await`, so that requests cannot interleave. Refuses by throwing a `StoreError`. */
export type Operation = (call: Call) => Reply;

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function requireString(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value !== 'string' || value === '') throw invalidParameter([name], `The ${name} is missing.`);
  return value;
}

/** A GUID, in lower case. */
export function requireGuid(body: Record<string, unknown>, name: string): string {
  const value = requireString(body, name);
  if (!guid.test(value)) throw invalidParameter([name], `The ${name} is not a GUID.`);
  return value.toLowerCase();
}

export function sandboxOf(body: Record<string, unknown>): string {
  const { sbx } = body;
  if (sbx === undefined || sbx === null || sbx === '') return 'RETAIL';
  if (typeof sbx !== 'string') throw invalidParameter(['sbx'], 'The sandbox is not a string.');
  return sbx;
}

/** Counts this operation of the user, or answers 429 (store-api.md 6). */
export function countForRateLimit(world: World, user: User): void {
  const limit = world.settings.rateLimit;
  if (!limit) return;
  const now = world.now();
  const since = now - limit.seconds * 1000;
  const recent = (world.activity.get(user.handle) ?? []).filter((at) => at > since);
  world.activity.set(user.handle, recent);
  if (recent.length < limit.operations) {
    recent.push(now);
    return;
  }
  const retryAfter = Math.max(1, Math.ceil(((recent[0] ?? now) - since) / 1000));
  throw new StoreError(429, 'TooManyRequests', rateLimitText(limit.operations, limit.seconds), {
    headers: { 'retry-after': String(retryAfter) },
  });
}

export function rateLimitText(operations: number, seconds: number): string {
  return `The rate limit of ${operations} operations in ${seconds} seconds has been exceeded for aspect {user;publisher}.`;
}
