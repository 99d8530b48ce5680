import { expect, test } from 'vitest';
import { createPlaces } from '../../../src/shared/http/places.ts';

test('as many as the limit run at a time; the next is refused before its work begins, and taken once one has ended', async () => {
  const places = createPlaces(2);
  const ends: (() => void)[] = [];
  const first = places.run(() => new Promise<void>((resolve) => ends.push(resolve)));
  const second = places.run(() => new Promise<void>((_, reject) => ends.push(() => reject(new Error('x')))));
  const work = async () => expect.fail('is not done');
  const refusal = { code: 'unavailable', status: 503, details: { retryAfterSeconds: expect.any(Number) } };
  await expect(places.run(work)).rejects.toMatchObject(refusal);
  await expect(places.run(work)).rejects.toMatchObject(refusal);
  ends[1]?.();
  await expect(second).rejects.toThrow('x');
  expect(await places.run(async () => 1)).toBe(1);
  ends[0]?.();
  await first;
  expect(await Promise.all([places.run(async () => 1), places.run(async () => 2)])).toEqual([1, 2]);
});
