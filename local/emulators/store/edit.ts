/** Changes the real answer of an operation into what the Store has been seen to send. */
import { z } from 'zod';

/** A path of member names and indexes, each after a slash (`/items/0/id`); `*` is every entry of a list, an empty path the whole body. */
const path = z.string().regex(/^(\/[^/]+)*$/, 'must be empty or like /items/0/id');

export const edit = z.union([
  z.strictObject({ path, remove: z.literal(true) }),
  z.strictObject({ path, rename: z.string().min(1) }),
  z.strictObject({ path, value: z.json() }),
]);
export type Edit = z.output<typeof edit>;

/** An edit that changes nothing: a spelling mistake of a test. */
export class EditError extends Error {}

/** The body with all edits, in their order. Pure. @throws EditError if one finds nothing to change */
export function edited(body: unknown, edits: Edit[]): unknown {
  return edits.reduce((before, one) => {
    const after = structuredClone(before);
    if (one.path === '') return 'value' in one ? one.value : undefined;
    const names = one.path.slice(1).split('/');
    const name = names.pop() ?? '';
    const changed = parentsOf(after, names).map((parent) => changeIn(parent, name, one));
    if (!changed.includes(true)) throw new EditError(`The answer has nothing at ${one.path}.`);
    return after;
  }, body);
}

type Parent = Record<string, unknown>;

function parentsOf(body: unknown, names: string[]): Parent[] {
  return names.reduce<unknown[]>((found, name) => found.flatMap((one) => inside(one, name)), [body]).filter(isParent);
}

function inside(value: unknown, name: string): unknown[] {
  if (name === '*') return Array.isArray(value) ? value : [];
  return isParent(value) && Object.hasOwn(value, name) ? [value[name]] : [];
}

function isParent(value: unknown): value is Parent {
  return typeof value === 'object' && value !== null;
}

function changeIn(parent: Parent, name: string, one: Edit): boolean {
  const names = name === '*' ? Object.keys(parent) : [name];
  // From the end, so that removing from a list moves none that is still to be removed.
  const changed = names.filter((each) => 'value' in one || Object.hasOwn(parent, each)).reverse();
  for (const each of changed) {
    const value = parent[each];
    if ('value' in one) parent[each] = one.value;
    else if (Array.isArray(parent)) parent.splice(Number(each), 1);
    else delete parent[each];
    if ('rename' in one) parent[one.rename] = value;
  }
  return changed.length > 0;
}
