/** A clock of the functions host that a test can move, so that nothing waits for time. */
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Stack } from '../../local/stack.ts';

const preload = pathToFileURL(join(import.meta.dirname, '..', 'faults', 'shiftedClock.js'));

/** Settings of a stack whose clock can be moved. */
export const movableClock = { NODE_OPTIONS: `--import=${preload}`, CLOCK_OFFSET_MS: '0' };

/** Moves the clock of the functions forward; a later start of the host keeps it. Tokens live long enough for it. */
export async function moveClock(stack: Stack, ms: number): Promise<void> {
  const clockOffsetMs = Number(stack.settings.CLOCK_OFFSET_MS) + ms;
  stack.settings.CLOCK_OFFSET_MS = String(clockOffsetMs);
  const { child } = stack.host();
  const moved = once(child, 'message');
  child.send({ clockOffsetMs });
  await moved;
}
