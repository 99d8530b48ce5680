import type { ConsumeBody, ConsumeView } from '../contract/consume.ts';
import type { FulfilmentRecord } from '../fulfilment/machine.ts';

/** What is asked of the Store, the same to the letter in every attempt. */
export interface ConsumeOrder {
  account: string;
  productId: string;
  quantity: number;
  managedBy: 'store' | 'developer';
  sandbox: string;
  /** It was first asked with an X-token, which is not kept. */
  byXToken?: true;
}

/** A part of a purchase that was consumed. `matchedBy`: found by orders/query, since the Store's own answer was lost. */
export interface ConsumedLine {
  orderId: string;
  lineItemId: string;
  quantity: number;
  matchedBy?: 'orders';
}

export interface ConsumeResult {
  newQuantity: number;
  orders: ConsumedLine[];
}

export type ConsumeRecord = FulfilmentRecord<ConsumeOrder, ConsumeResult>;

export function orderOf(body: ConsumeBody, sandbox: string): ConsumeOrder {
  const { account, productId, quantity, managedBy, xToken } = body;
  return { account, productId, quantity, managedBy, sandbox, ...(xToken && { byXToken: true }) };
}

/** Whether a repeat asks for the same (http-api.md 2.4). The sandbox is the deployment's, not the caller's. */
export function sameOrder(a: ConsumeOrder, b: ConsumeOrder): boolean {
  return (
    a.account === b.account && a.productId === b.productId && a.quantity === b.quantity && a.managedBy === b.managedBy
  );
}

/** The record as callers see it. */
export function consumeView(record: ConsumeRecord, replayed: boolean): ConsumeView {
  const { userId, id, request, result, rejection, createdAt, settledAt } = record;
  const { account, productId, managedBy, quantity } = request;
  const about = { trackingId: id, userId, account, productId, managedBy, quantity };
  const at = new Date(settledAt ?? createdAt).toISOString();
  if (record.state === 'completed' && result) {
    return { state: 'completed', ...about, ...result, replayed, completedAt: at };
  }
  if (record.state === 'rejected' && rejection) {
    return { state: 'rejected', ...about, ...rejection, rejectedAt: at };
  }
  return { state: 'pending', ...about, since: at };
}
