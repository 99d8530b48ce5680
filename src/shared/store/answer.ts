import * as z from 'zod';
import { isSameId } from '../lib/ids.ts';

/**
 * Parsers for what the Store sends. A member that something depends on is required; any other one that is missing, null or unreadable
 * becomes its default, so that one odd member hides nothing else (http-api.md 2.2).
 */

/**
 * Reads the named members of an object, in any capitalisation (store-api.md 3.1): null for one that is absent. What is no object is
 * returned as undefined; other members are dropped.
 */
export function memberReader<Name extends string>(names: readonly Name[]) {
  const canonical = new Map<string, string>(names.map((name) => [name.toLowerCase(), name]));
  const exact = new Set<string>(names);
  const absent = Object.fromEntries(names.map((name) => [name, null])) as Record<Name, unknown>;
  return (input: unknown): Record<Name, unknown> | undefined => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) return undefined;
    const found: Record<string, unknown> = { ...absent };
    for (const [given, value] of Object.entries(input)) {
      if (value === null) continue;
      // The documented capitalisation counts, if a member is there twice.
      const isExact = exact.has(given);
      const name = isExact ? given : canonical.get(given.toLowerCase());
      if (name !== undefined && (isExact || found[name] === null)) found[name] = value;
    }
    return found as Record<Name, unknown>;
  };
}

/** An object of the Store, with its members as `memberReader` reads them. */
export function storeObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const read = memberReader(Object.keys(shape));
  return z.preprocess((input) => read(input) ?? input, z.object(shape));
}

/** What the answer is of no use without. */
export const requiredText = z.string().min(1);

/** Null for an absent or empty text, and for anything else. */
export const optionalText = z.unknown().transform(textOf);

/** A whole number, or the text of one; null for anything else. */
export const optionalCount = z.unknown().transform(countOf);

/** Absent or null is an empty list, as the Store may send it; an entry that cannot be read makes the answer an error. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .nullable()
    .transform((list) => list ?? []);
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** True for `true` or the text of it. */
export function flagOf(value: unknown): boolean {
  return value === true || textOf(value)?.toLowerCase() === 'true';
}

/** The texts of a list; what else is in it is left out. Empty for anything else. */
export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => textOf(one) !== null) : [];
}

const wholeNumber = /^\s*[+-]?\d{1,15}(\.0*)?\s*$/;

export function countOf(value: unknown): number | null {
  const count = typeof value === 'string' && wholeNumber.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) ? count : null;
}

/** The documented spelling of a value that the Store may capitalise differently; other values as they are. */
export function spelledAs(known: readonly string[], value: string): string {
  return known.find((one) => isSameId(one, value)) ?? value;
}
