import * as z from 'zod';
import { storeObject } from './answer.ts';
import { storeUnavailable } from './errors.ts';

/** One page of a list of the Store. An absent or null list is an empty one. */
export interface StorePage<Item> {
  items?: Item[] | null | undefined;
  continuationToken?: string | null | undefined;
}

/** A page whose token cannot be read is an error, and so is an error body with the status of a success: both would end the list too early. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return storeObject({
    items: z.array(item).nullable(),
    continuationToken: z.string().nullable(),
    code: z.unknown(),
    innererror: z.unknown(),
  }).refine(({ items, code, innererror }) => items !== null || (code === null && innererror === null), 'an error body');
}

/**
 * Reads a list to its last page. The follow-up of a page is the same request with the page's token.
 * @throws Problem store_unavailable for a list that does not end: a token that repeats, or more than `pageLimit` pages
 */
export async function readAllPages<Item>(
  pageLimit: number,
  readPage: (continuationToken: string | undefined) => Promise<{ value: StorePage<Item> }>,
): Promise<Item[]> {
  const items: Item[] = [];
  const seenTokens = new Set<string>();
  let token: string | undefined;
  for (let pages = 1; pages <= pageLimit; pages += 1) {
    const { value: page } = await readPage(token);
    items.push(...(page.items ?? []));
    token = page.continuationToken || undefined;
    if (token === undefined) return items;
    if (seenTokens.has(token)) break;
    seenTokens.add(token);
  }
  throw storeUnavailable({ cause: new Error('the pages of the Store do not end') });
}
