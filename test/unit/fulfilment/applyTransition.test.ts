import { expect, test } from 'vitest';
import { applyTransition } from '../../../src/shared/fulfilment/applyTransition.ts';
import { createRecord, transition } from '../../../src/shared/fulfilment/machine.ts';
import type { FulfilmentRecord, StoredFulfilment } from '../../../src/shared/state/fulfilments.ts';

type Stored = StoredFulfilment<string, string>;

/** A table of one record. `beforeWrite` is what another writer does. A lost answer becomes a conflict, since the SDK repeats the write. */
function tableOf(
  record: FulfilmentRecord<string, string>,
  beforeWrite: (stored: Stored) => Stored,
  loseAnswer = false,
) {
  let stored: Stored = { ...record, etag: 'v1' };
  let writes = 0;
  return {
    stored: () => stored,
    writes: () => writes,
    get: async () => ({ ...stored }),
    async write(after: FulfilmentRecord<string, string>, before?: Stored): Promise<Stored | 'conflict'> {
      writes += 1;
      if (writes === 1) stored = beforeWrite(stored);
      if (before?.etag !== stored.etag) return 'conflict';
      stored = { ...after, etag: `v${writes + 1}` };
      return loseAnswer && writes === 1 ? 'conflict' : stored;
    },
  };
}

const record = createRecord<string, string>('u', 'id', 'request', { creator: 'creator', requestIdentity: false }, 0);
const complete = { type: 'complete', now: 1, result: 'r', known: null, byCreator: true } as const;

test('one\u2019s own write is recognised when its answer was lost: it is not written again', async () => {
  const table = tableOf(record, (stored) => stored, true);
  expect(await applyTransition(table, table.stored(), complete)).toMatchObject({ state: 'completed', result: 'r' });
  expect(table.writes()).toBe(1);
});

test('after a conflict the event is applied to what the other writer wrote, or not at all if it no longer applies', async () => {
  const reported = transition<string, string>(record, { type: 'reportPending' }) ?? record;
  const changed = tableOf(record, () => ({ ...reported, etag: 'other' }));
  expect(await applyTransition(changed, changed.stored(), complete)).toMatchObject({ eventPending: true });
  const settled = transition(record, { ...complete, result: 'first' }) ?? record;
  const late = tableOf(record, () => ({ ...settled, etag: 'other' }));
  expect(await applyTransition(late, late.stored(), complete)).toBeNull();
  expect(late.stored().result).toBe('first');
});
