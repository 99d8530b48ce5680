import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

/** So many tokens of the service are known at a time; the oldest are forgotten. */
const tokensKept = 8;

type Listener = (token: string, log: Log) => void;

/**
 * When the Store last took which service token. It shows whether a refusal can be the token's fault (http-api.md 2.11). In the memory
 * of this process alone.
 */
export interface Acceptances {
  /** The Store has just taken this token in a call. */
  note(token: string, log: Log): void;
  /** Whether the Store has taken this token at `since` (epoch ms) or later. */
  ofToken(token: string, since: number): boolean;
  /** Whether the Store has taken any service token at `since` (epoch ms) or later. */
  ofAny(since: number): boolean;
  /** Is called at each acceptance, and must not take time. */
  onNote(listener: Listener): void;
}

export function createAcceptances(clock: Clock): Acceptances {
  const takenAt = new Map<string, number>();
  const listeners: Listener[] = [];
  return {
    note(token, log) {
      takenAt.delete(token);
      takenAt.set(token, clock.now());
      const oldest = takenAt.keys().next().value;
      if (takenAt.size > tokensKept && oldest !== undefined) takenAt.delete(oldest);
      for (const listener of listeners) listener(token, log);
    },
    ofToken: (token, since) => (takenAt.get(token) ?? Number.NEGATIVE_INFINITY) >= since,
    ofAny: (since) => [...takenAt.values()].some((at) => at >= since),
    onNote: (listener) => {
      listeners.push(listener);
    },
  };
}
