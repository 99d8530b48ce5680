import { Problem } from '../contract/problems.ts';
import type { Clock } from '../lib/clock.ts';

export interface UpdateOptions<Current = never, Result = never> {
  rounds: number;
  /** The problem's detail if every round ends with a conflict. */
  contended: string;
  /** A random pause of up to this long between rounds, for writers that start together. */
  pause?: { clock: Clock; longestMs: number };
  /**
   * The result, if what is stored after a conflict needs no further write. The SDK repeats a write whose answer was lost, so the
   * conflict can be with one's own write.
   */
  resultAfterConflict?: (current: Current) => Result | Promise<Result | 'conflict'> | undefined;
}

/**
 * Optimistic writing: `write` starts from what was read and returns `conflict` if another writer changed it meanwhile; then it starts
 * again from what `read` returns.
 * @throws Problem unavailable after the last round
 */
export async function updateWithRetry<Current, Result>(
  start: Current,
  read: () => Promise<Current>,
  write: (current: Current) => Promise<Result | 'conflict'>,
  { rounds, contended, pause, resultAfterConflict }: UpdateOptions<Current, Result>,
): Promise<Result> {
  let current = start;
  for (let round = 1; round <= rounds; round += 1) {
    const result = await write(current);
    if (result !== 'conflict') return result;
    if (pause) await pause.clock.sleep(Math.random() * pause.longestMs);
    current = await read();
    const settled = await resultAfterConflict?.(current);
    if (settled !== undefined && settled !== 'conflict') return settled;
  }
  throw new Problem('unavailable', contended, { retryAfterSeconds: 1 });
}
