import * as z from 'zod';

/**
 * Parsers for what the Store sends. A member that something depends on is required; any other one that is missing, null or unreadable
 * becomes its default, so that one odd member hides nothing else (http-api.md 2.2).
 */

/** An object of the Store. Its members are found in any capitalisation (store-api.md 3.1); null if absent. Others are dropped. */
export function storeObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const names = Object.keys(shape);
  const canonical = new Map(names.map((name) => [name.toLowerCase(), name]));
  return z.preprocess((input) => withNames(input, names, canonical), z.object(shape));
}

function withNames(input: unknown, names: string[], canonical: ReadonlyMap<string, string>): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  const found: Record<string, unknown> = Object.fromEntries(names.map((name) => [name, null]));
  for (const [given, value] of Object.entries(input)) {
    const name = canonical.get(given.toLowerCase());
    // The documented capitalisation counts, if a member is there twice.
    if (name !== undefined && (name === given || found[name] === null)) found[name] = value;
  }
  return found;
}

/** What the answer is of no use without. */
export const requiredText = z.string().min(1);

/** Null for an absent or empty text, and for anything else. */
export const optionalText = z.unknown().transform(textOf);

/** As `true`, or as the text of it; false for anything else. */
export const flag = z.unknown().transform((value) => value === true || textOf(value)?.toLowerCase() === 'true');

/** A whole number, or the text of one; null for anything else. */
export const optionalCount = z.unknown().transform(countOf);

/** The texts of a list; what else is in it is left out. Empty for anything else. */
export const texts = z
  .unknown()
  .transform((value) => (Array.isArray(value) ? value.filter((one): one is string => textOf(one) !== null) : []));

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

const wholeNumber = /^\s*[+-]?\d{1,15}(\.0*)?\s*$/;

export function countOf(value: unknown): number | null {
  const count = typeof value === 'string' && wholeNumber.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) ? count : null;
}

/** The documented spelling of a value that the Store may capitalise differently; other values as they are. */
export function spelledAs(known: readonly string[], value: string): string {
  return known.find((one) => sameId(one, value)) ?? value;
}

/** Whether two product, SKU or availability ids, or two codes, are the same: they are compared without case (http-api.md 1). */
export function sameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
