import { ZodError } from 'zod';
import type { Call } from '../call.ts';
import { sendAsUser } from '../identity/authorize.ts';
import type { Entra } from '../identity/entra.ts';
import { Problem } from '../problem.ts';
import type { OrderLinesTable } from '../state/orderLines.ts';
import { readProblem, storeUnavailable } from '../store/errors.ts';
import { type OrdersPage, ordersPageOf, type PurchaseApi } from '../store/purchase.ts';
import { StoreSilence } from '../store/transport.ts';
import type { Keyring } from '../storeIds/keyring.ts';
import type { ConsumedLine, ConsumeRecord } from './record.ts';

export interface MatchParts {
  entra: Entra;
  keyring: Keyring;
  purchase: PurchaseApi;
  lines: OrderLinesTable;
}

export interface PurchasedLine {
  orderId: string;
  lineItemId: string;
  quantity: number;
  purchasedAt: string;
}

/** Ends a list that never ends: 90 days of purchases are far from filling so many pages. */
const pageBound = 200;
/** What no other try can change: the user has no key for it, or only the game client can make a new one. */
const hopeless = new Set(['unknown_user', 'store_id_expired']);

/**
 * The order line of a developer-managed consume whose ids were lost, since its replay answers none (store-api.md 2.4): the oldest
 * purchased one that no record claims. Empty if there is none, or none can ever be asked for.
 * @throws Problem when the orders cannot be read for now
 */
export async function matchByOrders(call: Call, parts: MatchParts, record: ConsumeRecord): Promise<ConsumedLine[]> {
  try {
    const candidates = await purchasedLines(call, parts, record);
    for (const { orderId, lineItemId, quantity } of candidates) {
      const claims = await parts.lines.claims(orderId, lineItemId, record.request.productId);
      const others = claims.filter(({ userId, trackingId }) => userId !== record.userId || trackingId !== record.id);
      const claimed = others.reduce((sum, claim) => sum + claim.quantity, 0);
      if (claimed < quantity) return [{ orderId, lineItemId, quantity: 1, matchedBy: 'orders' }];
    }
    call.log('warn', 'consume.noOrderLine', { trackingId: record.id, candidates: candidates.length });
  } catch (fault) {
    if (!(fault instanceof Problem && hopeless.has(fault.code))) throw fault;
    call.log('warn', 'consume.noOrderLine', { trackingId: record.id, code: fault.code });
  }
  return [];
}

async function purchasedLines(call: Call, parts: MatchParts, record: ConsumeRecord): Promise<PurchasedLine[]> {
  const { account, productId, sandbox } = record.request;
  const [held] = await parts.keyring.held(call, record.userId, account, 'purchase');
  if (!held) return [];
  const pages: OrdersPage[] = [];
  let token: string | undefined;
  do {
    const answer = await sendAsUser(call, parts.entra, held, (authorization) =>
      parts.purchase.orders(call, authorization, { states: ['Purchased'], sandbox }, token),
    ).catch((fault: unknown) => {
      throw fault instanceof StoreSilence ? storeUnavailable({ cause: fault }) : fault;
    });
    if (answer.status !== 200) throw readProblem(answer);
    const page = readPage(() => ordersPageOf(answer));
    pages.push(page);
    token = page.continuationToken || undefined;
    if (pages.length > pageBound) throw storeUnavailable({ cause: new Error('the pages of the Store do not end') });
  } while (token !== undefined);
  return linesOf(pages, productId);
}

function readPage(read: () => OrdersPage): OrdersPage {
  try {
    return read();
  } catch (fault) {
    throw fault instanceof ZodError ? storeUnavailable({ cause: new Error('an answer is not as documented') }) : fault;
  }
}

/** The purchased lines of one product, the oldest first. Pure. */
export function linesOf(pages: OrdersPage[], productId: string): PurchasedLine[] {
  return pages
    .flatMap(({ items }) => items)
    .flatMap(({ orderId, orderPurchasedDate, orderLineItems }) =>
      orderLineItems
        .filter((line) => line.productId === productId && line.lineItemState === 'Purchased')
        .map(({ lineItemId, quantity }) => ({
          ...{ orderId, lineItemId, quantity: quantity ?? 1 },
          purchasedAt: orderPurchasedDate ?? '',
        })),
    )
    .sort((a, b) => (a.purchasedAt < b.purchasedAt ? -1 : a.purchasedAt > b.purchasedAt ? 1 : 0));
}
