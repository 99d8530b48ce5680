import type * as z from 'zod';

const typeNames: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  undefined: 'absent',
};

type Issue = z.core.$ZodRawIssue;

/** What is wrong with a member, for the caller. A message that a schema gives itself goes before this one. */
export function plainMessage(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${typeNames[issue.expected] ?? 'of another type'}`;
    case 'invalid_value':
      return issue.input === undefined ? 'is missing' : `must be ${oneOf(issue.values.map(String))}`;
    case 'too_small':
      return limit(issue.origin, Number(issue.minimum), 'at least');
    case 'too_big':
      return limit(issue.origin, Number(issue.maximum), 'at most');
    case 'invalid_union':
      return unionMessage(issue);
    default:
      return 'does not have the form that is asked for';
  }
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`;
}

/** Limits of this API are inclusive. */
function limit(origin: string, bound: number, side: 'at least' | 'at most'): string {
  if (origin === 'string') return counted(bound, side, 'character');
  if (origin === 'array') return counted(bound, side, bound === 1 ? 'entry' : 'entries');
  return `must be ${side} ${bound}`;
}

function counted(bound: number, side: 'at least' | 'at most', noun: string): string {
  if (side === 'at least' && bound === 1) return 'must not be empty';
  return `must have ${side} ${bound} ${noun === 'character' && bound !== 1 ? 'characters' : noun}`;
}

/** What each of the alternatives asks for. */
function unionMessage(issue: Issue & { code: 'invalid_union' }): string {
  if (issue.input === undefined) return 'is missing';
  const messages = new Set(issue.errors.flatMap(([first]) => (first === undefined ? [] : [first.message])));
  return [...messages].join(', or ') || 'has none of the forms that are asked for';
}
