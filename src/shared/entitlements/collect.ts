import { ZodError } from 'zod';
import { Problem } from '../contract/problems.ts';
import type { Entra } from '../identity/entra.ts';
import type { Call } from '../lib/callContext.ts';
import { chunksOf } from '../lib/chunks.ts';
import { inParallel } from '../lib/inParallel.ts';
import { type HeldKey, sendAsUser } from '../store/authorize.ts';
import {
  type CollectionsApi,
  type EntitlementsRequest,
  pageOf,
  type StoreAuthorization,
  type StoreItem,
  type StorePage,
} from '../store/collections.ts';
import { readProblem, storeUnavailable } from '../store/errors.ts';
import { type StoreAnswer, StoreSilence } from '../store/transport.ts';

/** The Store takes at most so many products in one request (store-api.md 2.1). */
const chunkSize = 100;
/** Requests at a time, for one query. */
const width = 4;
/** Ends a list that never ends; 100 products are far from filling so many pages. */
const pageBound = 1000;

/** On whose behalf: a stored or raw key, or an X-token. */
export type Asker = HeldKey | { xToken: Extract<StoreAuthorization, { xToken: unknown }>['xToken'] };

export interface Collected {
  item: StoreItem;
  account: string | undefined;
}

/**
 * Everything that the Store lists for these askers, every chunk and page: whole or an error (invariant 7).
 * @throws Problem store_throttled, store_rejected, store_unauthorized, store_unavailable, store_id_expired, x_token_expired, xbox_rejected
 */
export async function collectItems(
  call: Call,
  parts: { entra: Entra; collections: CollectionsApi },
  askers: Asker[],
  request: EntitlementsRequest,
): Promise<Collected[]> {
  const tasks = askers.flatMap((asker) =>
    chunksOf(request.products, chunkSize).map((products) => ({ asker, request: { ...request, products } })),
  );
  const found = await inParallel(tasks, width, (task) => allPages(call, parts, task.asker, task.request));
  return found.flat();
}

async function allPages(
  call: Call,
  { entra, collections }: { entra: Entra; collections: CollectionsApi },
  asker: Asker,
  request: EntitlementsRequest,
): Promise<Collected[]> {
  const account = 'xToken' in asker ? undefined : asker.account;
  const found: Collected[] = [];
  const seenTokens = new Set<string>();
  let token: string | undefined;
  do {
    const send = (authorization: StoreAuthorization) => collections.entitlements(call, authorization, request, token);
    const page = await pageFor(call, () =>
      'xToken' in asker ? send(asker).then(refusedXToken) : sendAsUser(call, entra, asker, send),
    );
    found.push(...page.items.map((item) => ({ item, account })));
    token = page.continuationToken || undefined;
    if (token !== undefined && (seenTokens.has(token) || seenTokens.size >= pageBound)) {
      throw storeUnavailable({ cause: new Error('the pages of the Store do not end') });
    }
    if (token !== undefined) seenTokens.add(token);
  } while (token !== undefined);
  return found;
}

async function pageFor(call: Call, ask: () => Promise<StoreAnswer>): Promise<StorePage> {
  try {
    const answer = await ask();
    if (answer.status !== 200) throw readProblem(answer);
    return pageOf(answer);
  } catch (fault) {
    if (fault instanceof StoreSilence) throw storeUnavailable({ cause: fault });
    if (!(fault instanceof ZodError)) throw fault;
    const fields = fault.issues.slice(0, 5).map(({ path, message }) => `${path.join('.')}: ${message}`);
    call.log('error', 'store.unexpectedAnswer', { fields: fields.join('; ') });
    throw storeUnavailable({ cause: new Error('an answer of the Store is not as documented') });
  }
}

/** The refusals of an X-token (store-api.md 1.4); anything else is returned. */
function refusedXToken(answer: StoreAnswer): StoreAnswer {
  const store = answer.statement;
  if (answer.status === 401) {
    throw new Problem('x_token_expired', 'The X-token has expired; get a new one from the player\u2019s client.', {
      store,
    });
  }
  if (answer.status === 403) {
    throw new Problem(
      'xbox_rejected',
      'The X-token is for another sandbox or relying party (http://licensing.xboxlive.com).',
      {
        store,
      },
    );
  }
  return answer;
}
