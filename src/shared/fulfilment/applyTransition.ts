import { isDeepStrictEqual } from 'node:util';
import type { FulfilmentRecord, FulfilmentsTable, StoredFulfilment } from '../state/fulfilments.ts';
import { updateWithRetry } from '../state/updateWithRetry.ts';
import { type RecordEvent, transition } from './machine.ts';

export const recordUpdate = { rounds: 8, contended: 'Others keep changing this record.' };

/**
 * Applies an event to a record and writes it; starts again if another writer has changed the record. Null: the event no longer applies.
 * @throws Problem unavailable
 */
export function applyTransition<Request, Result>(
  table: Pick<FulfilmentsTable<Request, Result>, 'get' | 'write'>,
  stored: StoredFulfilment<Request, Result>,
  event: RecordEvent<Result>,
): Promise<StoredFulfilment<Request, Result> | null> {
  let written: FulfilmentRecord<Request, Result> | undefined;
  return updateWithRetry<StoredFulfilment<Request, Result> | undefined, StoredFulfilment<Request, Result> | null>(
    stored,
    () => table.get(stored.userId, stored.id),
    async (current) => {
      if (!current) return null;
      const after = transition<Request, Result>(current, event);
      if (!after) return null;
      written = after;
      return table.write(after, current);
    },
    {
      ...recordUpdate,
      resultAfterConflict: (current) => (current && written && isSameRecord(current, written) ? current : undefined),
    },
  );
}

function isSameRecord(a: object, b: object): boolean {
  return isDeepStrictEqual({ ...a, etag: '' }, { ...b, etag: '' });
}
