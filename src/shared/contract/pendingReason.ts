import * as z from 'zod';

/** What keeps a consume or grant pending (http-api.md 2.4). */
export const pendingReason = z
  .enum([
    'store_throttled',
    'store_unauthorized',
    'store_unavailable',
    'store_id_expired',
    'x_token_required',
    'unavailable',
    'in_progress',
  ])
  .meta({
    id: 'PendingReason',
    description:
      'What keeps it pending. `store_id_expired`: the game client must make a new key. `x_token_required`: repeat the request with an X-token.',
  });
export type PendingReason = z.infer<typeof pendingReason>;

/** Whether only the player can end it: by a new key, or by a request with an X-token. */
export function waitsForPlayer(reason: PendingReason | null): boolean {
  return reason === 'store_id_expired' || reason === 'x_token_required';
}
