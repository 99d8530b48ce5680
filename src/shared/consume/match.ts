import { ZodError } from 'zod';
import { Problem } from '../contract/problems.ts';
import type { Entra } from '../identity/entra.ts';
import type { Call, Clock } from '../lib/callContext.ts';
import { inParallel } from '../lib/inParallel.ts';
import type { FulfilmentsTable } from '../state/fulfilments.ts';
import type { LineClaim, OrderLinesTable } from '../state/orderLines.ts';
import { sendAsUser } from '../store/authorize.ts';
import { isoOf } from '../store/dates.ts';
import { readProblem, storeUnavailable } from '../store/errors.ts';
import { type OrdersPage, ordersPageOf, type PurchaseApi } from '../store/purchase.ts';
import { StoreSilence } from '../store/transport.ts';
import type { Keyring } from '../storeIds/keyring.ts';
import type { ConsumedLine, ConsumeOrder, ConsumeRecord, ConsumeResult } from './record.ts';

export interface MatchParts {
  entra: Entra;
  keyring: Keyring;
  purchase: PurchaseApi;
  lines: OrderLinesTable;
  /** The records of consumes, for those that are not settled. */
  open: Pick<FulfilmentsTable<ConsumeOrder, ConsumeResult>, 'dueOfUser' | 'get'>;
  clock: Clock;
}

export interface PurchasedLine {
  orderId: string;
  lineItemId: string;
  quantity: number;
  purchasedAt: string;
}

/** Ends a list that never ends: 90 days of purchases are far from filling so many pages. */
const pageBound = 200;
const linesAtOnce = 16;

/**
 * The order line of a developer-managed consume whose ids were lost, since its replay answers none (store-api.md 2.4): the oldest
 * purchased one that no record claims. Empty if there is none, or the user has no key to ask for it.
 * @throws Problem when it cannot be told for now: the orders cannot be read, or another consume may yet claim a line
 */
export async function matchByOrders(call: Call, parts: MatchParts, record: ConsumeRecord): Promise<ConsumedLine[]> {
  if (await othersAtWork(parts, record)) {
    throw storeUnavailable({ cause: new Error('another consume of this product may know a line that is not claimed') });
  }
  try {
    const candidates = await purchasedLines(call, parts, record);
    const claimed = await inParallel(candidates, linesAtOnce, ({ orderId, lineItemId }) =>
      parts.lines.claims(orderId, lineItemId, record.request.productId),
    );
    const line = lineToClaim(candidates, claimed, record);
    if (line) return [{ orderId: line.orderId, lineItemId: line.lineItemId, quantity: 1, matchedBy: 'orders' }];
    call.log('warn', 'consume.noOrderLine', { trackingId: record.id, candidates: candidates.length });
  } catch (fault) {
    if (!(fault instanceof Problem && fault.code === 'unknown_user')) throw fault;
    call.log('warn', 'consume.noOrderLine', { trackingId: record.id, code: fault.code });
  }
  return [];
}

/** The line that this very consume claimed in an earlier try, or the first that is not claimed whole. Pure. */
export function lineToClaim(
  candidates: PurchasedLine[],
  claims: LineClaim[][],
  { userId, id }: Pick<ConsumeRecord, 'userId' | 'id'>,
): PurchasedLine | undefined {
  const own = (claim: LineClaim) => claim.userId === userId && claim.trackingId === id;
  return (
    candidates.find((_, at) => claims[at]?.some(own)) ??
    candidates.find(({ quantity }, at) => (claims[at] ?? []).reduce((sum, claim) => sum + claim.quantity, 0) < quantity)
  );
}

/** Whether a consume of the same product is in someone's hands, who may have been told a line and not have claimed it yet. */
async function othersAtWork({ clock, open }: MatchParts, record: ConsumeRecord): Promise<boolean> {
  const places = (await open.dueOfUser(record.userId)).filter(({ id }) => id !== record.id);
  const others = await inParallel(places, linesAtOnce, ({ userId, id }) => open.get(userId, id));
  return others.some(
    (other) =>
      other?.state === 'open' &&
      other.attemptedUntil > clock.now() &&
      other.request.productId === record.request.productId &&
      other.request.account === record.request.account,
  );
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
          purchasedAt: isoOf(orderPurchasedDate) ?? orderPurchasedDate ?? '',
        })),
    )
    .sort((a, b) => (a.purchasedAt < b.purchasedAt ? -1 : a.purchasedAt > b.purchasedAt ? 1 : 0));
}
