/** The requests to the emulator, without secrets: keys and tokens are replaced by a short fingerprint. */
import type { IncomingHttpHeaders } from 'node:http';
import { fingerprint } from './keys.ts';

export interface RecordedRequest {
  operation: string;
  host: 'collections' | 'purchase';
  method: string;
  path: string;
  headerNames: string[];
  /** Values of headers that say nothing secret; of Authorization and Signature the fingerprint. */
  headers: Record<string, string>;
  body: unknown;
  /** Status answered; null = the connection was destroyed instead. */
  status: number | null;
  /** Whether the operation was carried out (an injected fault may prevent it). */
  acted: boolean;
  /** The fault that was applied. */
  faultId?: string;
  /** Arrival, ISO 8601, and ms until the answer was written. */
  at: string;
  durationMs: number;
}

const safeHeaders = new Set([
  'accept',
  'content-length',
  'content-type',
  'ms-correlationid',
  'ms-cv',
  'ms-requestid',
  'user-agent',
  'x-correlation-id',
]);
const secretMembers = new Set(['identityValue', 'b2bKey', 'key', 'serviceTicket']);
const secretText = /^[\w-]+\.[\w-]+\.[\w-]*$|^[\w+/=.-]{200,}$/;
const limit = 20_000;

export function safeHeaderValues(headers: IncomingHttpHeaders): Record<string, string> {
  const safe: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const text = String(value);
    if (safeHeaders.has(name)) safe[name] = text;
    else if (name === 'authorization') safe[name] = `${text.split(' ')[0]} ${fingerprint(text.replace(/^\S+ +/, ''))}`;
    else if (name === 'signature') safe[name] = fingerprint(text);
  }
  return safe;
}

export function withoutSecrets(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return secretMembers.has(name) || secretText.test(value) ? fingerprint(value) : value;
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, withoutSecrets(inner, member)]));
}

/** Keeps the newest 20,000. */
export function remember(requests: RecordedRequest[], request: RecordedRequest): void {
  if (requests.length >= limit) requests.splice(0, limit / 10);
  requests.push(request);
}
