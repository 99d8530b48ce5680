import { expect, test } from 'vitest';
import { createEntra } from '../../../src/shared/identity/entra.ts';
import { createServiceTickets } from '../../../src/shared/operations/tickets.ts';
import { testCall, testClock } from '../../support/call.ts';

const minute = 60_000;

test('a ticket is valid for at least five minutes, unless Entra does not answer', async () => {
  const clock = testClock();
  const state = { minted: 0, down: false };
  const entra = createEntra(async () => {
    if (state.down) throw new Error('down');
    state.minted += 1;
    return { token: `t${state.minted}`, expiresOnTimestamp: clock.now() + 60 * minute };
  }, clock);
  const tickets = createServiceTickets(entra, clock);
  const tokens = async () => Object.values(await tickets(testCall())).map(({ token }) => token);
  expect(await tokens()).toEqual(['t1', 't2']);
  clock.advance(54 * minute);
  expect(await tokens()).toEqual(['t1', 't2']);
  clock.advance(2 * minute);
  expect(await tokens()).toEqual(['t3', 't4']);
  clock.advance(57 * minute);
  state.down = true;
  expect(await tokens()).toEqual(['t3', 't4']);
});
