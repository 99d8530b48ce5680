import type * as z from 'zod';
import { Problem } from '../contract/problems.ts';

/** A member of a request that is wrong. */
export interface WrongField {
  /** Where, from `path`, `query` or `body`. Only names of the schema and indexes. */
  steps: string[];
  /** A name there that the caller chose. It is shown to the caller, and not logged: it can contain anything. */
  unknown?: string;
  message: string;
}

const shownErrors = 20;
const shownLength = 200;

/** The problem of a request with these faults: the first ones are shown, and logged without what the caller chose. */
export function invalidRequest(wrong: readonly WrongField[]): Problem {
  const shown = wrong.slice(0, shownErrors);
  const detail = 'The request does not fit this operation. Correct what `errors` names, and send it again.';
  return new Problem('invalid_request', detail, {
    errors: shown.map(({ steps, unknown, message }) => ({
      path: pointer(unknown === undefined ? steps : [...steps, unknown]),
      message: message.slice(0, shownLength),
    })),
    wrongFields: [
      ...new Set(shown.map(({ steps, unknown }) => pointer(steps) + (unknown === undefined ? '' : '/(unknown)'))),
    ],
  });
}

/** The issues that a schema found in one part of a request. */
export function wrongFields(part: string, error: z.ZodError): WrongField[] {
  return error.issues.flatMap((issue): WrongField[] => {
    const steps = [part, ...issue.path.map(String)];
    if (issue.code !== 'unrecognized_keys') return [{ steps, message: issue.message }];
    return issue.keys.map((unknown) => ({ steps, unknown, message: 'is not known here' }));
  });
}

function pointer(steps: readonly string[]): string {
  return steps.map((step) => `/${step.slice(0, shownLength).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
