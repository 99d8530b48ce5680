/** Documented answers with members dropped, nulled, recased or retyped at random. */
import fc from 'fast-check';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Path = (string | number)[];

interface Oddity {
  path: Path;
  how: 'drop' | 'null' | 'recase' | 'retype';
  pick: number;
}

function pathsOf(value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Array.isArray(value) ? value.map((one, index) => [index, one] as const) : Object.entries(value);
  return inner.flatMap(([name, one]) => [[...path, name], ...pathsOf(one, [...path, name])]);
}

/** Values of other types; the text of a number or boolean is the same value in another form. */
function otherTypes(value: Json | undefined): Json[] {
  const others: Json[] = [7, true, [], {}, [null], { x: 1 }];
  const same: Json[] = typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : [];
  return [
    ...same,
    ...others.filter((one) => typeof one !== typeof value || Array.isArray(one) !== Array.isArray(value)),
  ];
}

const recasings: ((name: string) => string)[] = [
  (name) => name.toUpperCase(),
  (name) => name.toLowerCase(),
  (name) => `${name[0]?.toUpperCase()}${name.slice(1)}`,
];

/** Changes one member; nothing if an earlier change has removed it. */
function apply(body: Json, { path, how, pick }: Oddity): void {
  const names = [...path];
  const name = names.pop() ?? '';
  const parent = names.reduce<unknown>((one, each) => (one as Record<string, unknown> | null)?.[each], body);
  if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, name)) return;
  const members = parent as Record<string | number, Json>;
  const value = members[name];
  if (how === 'null') members[name] = null;
  else if (how === 'retype') members[name] = otherTypes(value)[pick % otherTypes(value).length] ?? null;
  else if (Array.isArray(parent)) return;
  else {
    delete members[name];
    if (how === 'recase' && value !== undefined)
      members[recasings[pick % recasings.length]?.(String(name)) ?? name] = value;
  }
}

/**
 * The answer with one to three oddities. What is in `optional` (member names) is never dropped or nulled: the Store's documents
 * give that a meaning.
 */
export function oddly(documented: object, optional: string[]): fc.Arbitrary<Json> {
  const oddity = fc.record({
    path: fc.constantFrom(...pathsOf(documented as Json)),
    how: fc.constantFrom('drop', 'null', 'recase', 'retype'),
    pick: fc.nat(100),
  });
  // No member twice: a list that becomes a number and then a list is an empty one.
  const oddities = fc.uniqueArray(oddity, { minLength: 1, maxLength: 3, selector: ({ path }) => path.join('/') });
  return oddities.map((changes) => {
    const body = structuredClone(documented) as Json;
    for (const one of changes) {
      const hasMeaning = optional.includes(String(one.path.at(-1))) && (one.how === 'drop' || one.how === 'null');
      if (!hasMeaning) apply(body, one as Oddity);
    }
    return body;
  });
}
