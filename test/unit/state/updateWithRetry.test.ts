import { expect, test } from 'vitest';
import { updateWithRetry } from '../../../src/shared/state/updateWithRetry.ts';
import { testClock } from '../../support/call.ts';

/** A counter with a version, which others change between read and write so many times. */
function contendedCounter(conflicts: number) {
  const stored = { value: 0, version: 1 };
  let writes = 0;
  let reads = 0;
  const read = async () => {
    reads += 1;
    return { ...stored };
  };
  const increment = async (current: typeof stored) => {
    writes += 1;
    if (writes <= conflicts) {
      stored.value += 10;
      stored.version += 1;
    }
    if (current.version !== stored.version) return 'conflict';
    stored.value = current.value + 1;
    stored.version += 1;
    return stored.value;
  };
  return { stored, read, increment, counts: () => ({ reads, writes }) };
}

test('after a conflict a write starts again from what others wrote', async () => {
  const { stored, read, increment, counts } = contendedCounter(3);
  expect(await updateWithRetry({ ...stored }, read, increment, { rounds: 4, contended: 'busy' })).toBe(31);
  expect(counts()).toEqual({ reads: 3, writes: 4 });
});

test('after the last round it is unavailable, once it is known that its own write did not succeed', async () => {
  const { stored, read, increment, counts } = contendedCounter(100);
  const update = updateWithRetry({ ...stored }, read, increment, { rounds: 4, contended: 'busy' });
  await expect(update).rejects.toMatchObject({ code: 'unavailable', message: 'busy' });
  expect(counts()).toEqual({ reads: 4, writes: 4 });
});

test('pauses between rounds are random, and as long as the limit at most', async () => {
  const { stored, read, increment } = contendedCounter(3);
  const clock = testClock();
  await updateWithRetry({ ...stored }, read, increment, {
    rounds: 4,
    contended: 'busy',
    pause: { clock, longestMs: 50 },
  });
  expect(clock.slept).toHaveLength(3);
  for (const ms of clock.slept) expect(ms).toBeLessThanOrEqual(50);
});

test('a failure of either goes to the caller at once', async () => {
  const options = { rounds: 4, contended: 'busy' };
  const fail = () => Promise.reject(new Error('away'));
  await expect(updateWithRetry(1, async () => 1, fail, options)).rejects.toThrow('away');
  await expect(updateWithRetry(1, fail, async () => 'conflict' as const, options)).rejects.toThrow('away');
});

test('what is found after a conflict, the last one too, can be the result', async () => {
  for (const rounds of [1, 4]) {
    const { stored, read, increment, counts } = contendedCounter(rounds);
    const result = await updateWithRetry({ ...stored }, read, increment, {
      rounds,
      contended: 'busy',
      resultAfterConflict: ({ value }) => (value === rounds * 10 ? value : undefined),
    });
    expect(result).toBe(rounds * 10);
    expect(counts()).toEqual({ reads: rounds, writes: rounds });
  }
});
