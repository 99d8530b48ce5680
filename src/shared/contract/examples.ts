/** What the examples of several operations share. Nothing in them is, or looks like, a secret. */

export const userId = 'player-1';
export const trackingId = '3f0b3c1e-7a45-4a1e-9a39-5b0f6c1d2e11';
export const orderId = '5b6f7d8a-0c3e-4d57-8a9b-1c2d3e4f5a44';
export const at = '2026-11-22T06:35:00.000Z';
export const later = '2026-11-22T06:36:00.000Z';
export const key = 'the key that the game client made';

const consume = { trackingId, userId, account: 'default', productId: '9NCOINS', managedBy: 'store', quantity: 30 };

export const consumeCompleted = {
  state: 'completed',
  ...consume,
  newQuantity: 70,
  orders: [
    {
      orderId: 'c3b1e6a2-5c14-4d4e-8b0c-2f6f2f0c9d11',
      lineItemId: 'b6f7d8a0-0c3e-4d57-8a9b-1c2d3e4f5a6b',
      quantity: 30,
    },
  ],
  replayed: false,
  completedAt: at,
};

export const consumePending = { state: 'pending', ...consume, since: at, reason: 'store_unavailable' };

const grant = { orderId, userId, account: 'default', productId: '9NGIFT', skuId: '0010' };

export const grantCompleted = {
  state: 'completed',
  ...grant,
  orderState: 'Purchased',
  lineItems: [{ lineItemId: 'b6f7d8a0-0c3e-4d57-8a9b-1c2d3e4f5a6b', productId: '9NGIFT', skuId: '0010', quantity: 1 }],
  replayed: false,
  completedAt: at,
};

export const grantPending = {
  state: 'pending',
  ...grant,
  availabilityId: '9NGIFTAVAIL1',
  since: at,
  reason: 'store_unavailable',
};
