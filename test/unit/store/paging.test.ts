import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAllPages, type StorePage } from '../../../src/shared/store/paging.ts';

const pageLimit = 20;

/** Pages in turn; the token of each is the number of the next. */
function reading(pages: StorePage<string>[]) {
  const tokens: (string | undefined)[] = [];
  const read = readAllPages(pageLimit, async (token) => {
    tokens.push(token);
    return { value: pages[Number(token ?? 0)] ?? expect.fail(`no page ${token}`) };
  });
  return { read, tokens };
}

test('however the items are spread over pages, all of them come in order', async () => {
  const anyPages = fc.array(fc.oneof(fc.array(fc.string(), { maxLength: 4 }), fc.constantFrom(null, undefined)), {
    minLength: 1,
    maxLength: pageLimit,
  });
  await fc.assert(
    fc.asyncProperty(anyPages, fc.constantFrom('', null, undefined), async (lists, noToken) => {
      const pages = lists.map((items, index) => ({
        items,
        continuationToken: index + 1 < lists.length ? String(index + 1) : noToken,
      }));
      const { read, tokens } = reading(pages);
      expect(await read).toEqual(lists.flatMap((items) => items ?? []));
      expect(tokens).toEqual([undefined, ...Array.from({ length: lists.length - 1 }, (_, index) => String(index + 1))]);
    }),
  );
});

test('a list that does not end is an error: a token that repeats, or a page too many', async () => {
  const circle = reading([
    { items: ['a'], continuationToken: '1' },
    { items: ['b'], continuationToken: '1' },
  ]);
  await expect(circle.read).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(circle.tokens).toHaveLength(2);
  const endless = reading(Array.from({ length: 100 }, (_, index) => ({ continuationToken: String(index + 1) })));
  await expect(endless.read).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(endless.tokens).toHaveLength(pageLimit);
});

test('a page that cannot be read is an error, whatever came before', async () => {
  const read = readAllPages<string>(pageLimit, async (token) => {
    if (token !== undefined) throw new Error('away');
    return { value: { items: ['a'], continuationToken: '1' } };
  });
  await expect(read).rejects.toThrow('away');
});
