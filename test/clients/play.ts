/** What a game backend does with a generated client, and what it sees. */

export interface Setting {
  /** With the path of the API. */
  baseUrl: string;
  functionKey: string;
  userId: string;
  keys: { collectionsId: string; purchaseId: string };
  /** The next answers to consumes get lost. */
  loseAnswers(): void;
}

export interface Seen {
  keyState: string | undefined;
  owned: { productId: string; endsAt: Date | null; remainingSeconds: number | null }[];
  tiers: { tier: string; since: Date | null }[];
  /** The balance after the consume of the fewest members. */
  balance: number;
  pending: { status: number; state: string; location: string | null; retryAfter: string | null };
  /** State of the record, read by the path that `Location` names. */
  record: string;
  /** The consume's quantity, or the grant's product. */
  events: (number | string)[];
  acknowledged: number;
  granted: { status: number; lines: number };
  problem: { code: string; wrong: string[] };
}

export type Play = (setting: Setting) => Promise<Seen>;

export const ids = {
  first: '3f0b3c1e-7a45-4a1e-9a39-5b0f6c1d2e11',
  second: '8d0c8f0a-6a0b-4f6b-9a55-0f1d2b7c3a22',
  gift: '5b6f7d8a-0c3e-4d57-8a9b-1c2d3e4f5a44',
};

/** A time of an answer; `null` is no time. */
export const dateOf = (text: string | null): Date | null => (text === null ? null : new Date(text));

/** What was answered, or the test fails. */
export function expected<Data>({ data, error }: { data?: Data | undefined; error?: unknown }): Data {
  if (data === undefined) throw new Error(`Refused: ${JSON.stringify(error)}`);
  return data;
}
