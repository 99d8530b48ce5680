import { isDeepStrictEqual } from 'node:util';
import { scrub } from '../../src/shared/lib/log.ts';
import type { Stack } from '../stack.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever the service answered; each step checks what it uses.
export type Json = any;

export interface Answer {
  status: number;
  body: Json;
}

/** What the steps work with. */
export interface Tour {
  stack: Stack;
  signal: AbortSignal;
  player: string;
  /** Sends a request to the functions and prints it. */
  ask(method: string, path: string, body?: object): Promise<Answer>;
}

export interface Step {
  title: string;
  /** Does it and says in words what came back. @throws Error if it is not exactly what was expected */
  perform(): Promise<string>;
}

const longestText = 110;

/** A step whose outcome must be `expected`; `words` are made from it. */
export function step<Outcome>(options: {
  title: string;
  run: () => Promise<Outcome> | Outcome;
  expected: Outcome;
  words: (outcome: Outcome) => string;
}): Step {
  const { title, run, expected, words } = options;
  return {
    title,
    async perform() {
      const outcome = await run();
      if (!isDeepStrictEqual(outcome, expected))
        throw new Error(
          `This step came out as ${JSON.stringify(outcome)}. It should have been ${JSON.stringify(expected)}.`,
        );
      return words(outcome);
    },
  };
}

export function createTour(stack: Stack, signal: AbortSignal): Tour {
  return {
    stack,
    signal,
    player: 'player-1',
    async ask(method, path, body) {
      const sent = body === undefined ? '' : ` ${scrub(JSON.stringify(body))}`;
      console.log(`   ${method} ${path}${sent.length > longestText ? `${sent.slice(0, longestText)}...` : sent}`);
      const response = await fetch(`${stack.functionsUrl}${path}`, {
        method,
        signal,
        headers: { 'x-functions-key': stack.identities.functionKey },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? null : JSON.parse(text) };
    },
  };
}
