import type { HttpRequest } from '@azure/functions';
import * as z from 'zod';
import type { Operation } from '../contract/route.ts';
import { invalidRequest, type WrongField } from './fieldErrors.ts';

/**
 * Query parameters by name. `code` in any case is the host's, which compares names without case.
 * @throws Problem invalid_request for repeated parameters, and for any where the operation takes none
 */
export function readQuery(request: HttpRequest, operation: Operation): Record<string, string> {
  const query: Record<string, string> = Object.create(null);
  const wrong: WrongField[] = [];
  const known = operation.query instanceof z.ZodObject ? operation.query.shape : {};
  for (const [name, value] of new URLSearchParams(queryText(request))) {
    if (name.toLowerCase() === 'code') continue;
    if (operation.query === undefined) wrong.push({ steps: ['query'], unknown: name, message: 'is not known here' });
    else if (name in query && Object.hasOwn(known, name))
      wrong.push({ steps: ['query', name], message: 'is repeated' });
    query[name] = value;
  }
  if (wrong.length > 0) throw invalidRequest(wrong);
  return query;
}

/**
 * The query as it was sent. `request.query` does not decide: the host joins repeated parameters and those whose names differ by
 * case, and the programming model drops `__proto__`. The URL's path is decoded: each `?` of a route parameter is in it, before the
 * one that begins the query.
 */
function queryText({ url, params }: HttpRequest): string {
  let inPath = Object.values(params).reduce((sum, value) => sum + value.split('?').length - 1, 0);
  let mark = url.indexOf('?');
  for (; inPath > 0 && mark >= 0; inPath -= 1) mark = url.indexOf('?', mark + 1);
  return mark < 0 ? '' : url.slice(mark + 1);
}
