import type { InvocationContext } from '@azure/functions';

export type LogLevel = 'info' | 'warn' | 'error';
export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** Writes one structured line. Fields are counts, codes and ids; never a key, token, secret or body. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

const longestText = 500;
/** Fields that are cut later: their parts are cut already. */
const longerTexts = new Map([
  ['fault', 2000],
  ['stack', 6000],
]);
/** JWTs, SAS signatures, XBL tokens, Authorization values, webhook secrets, client secrets of Entra. No code logs them on purpose: this is a second safeguard. */
const secretShapes = [
  /eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g,
  /\b(sig|client_secret|client_assertion|code)=[^&\s"]+/gi,
  /\bXBL3\.0 x=[^\s"]+/g,
  /\bBearer\s+[\w.~+/=-]+/gi,
  /\bwhsec_[\w+/=-]+/g,
  /[\w.~-]{3}\dQ~[\w.~-]*/g,
];

/** Cuts a text to a loggable length and blanks out whatever looks like a secret. */
export function scrub(text: string, longest = longestText): string {
  const blanked = secretShapes.reduce((rest, shape) => rest.replace(shape, '[redacted]'), text);
  return blanked.length > longest ? `${blanked.slice(0, longest)}...` : blanked;
}

/**
 * Whether a text of a caller can be a JWT, key or signature: what `scrub` blanks out, or a long run of base64, base64url or hex.
 * UUIDs, trace ids (`00-<32 hex>-<16 hex>-01`), 32 hex digits and words with hyphens are none.
 */
export function looksLikeSecret(text: string): boolean {
  if (scrub(text) !== text) return true;
  return (text.match(/[\w+/=~-]{32,}/g) ?? []).some(isRandomRun);
}

function isRandomRun(run: string): boolean {
  if (new Set(run).size < 12) return false;
  const words = run.split(/[-_]/);
  const isMixed = /[a-z]/.test(run) && /[A-Z]/.test(run);
  return words.some((word) => word.length > 32 || (isMixed && !/^(?:[A-Z]?[a-z]*|[A-Z]*)\d*$/.test(word)));
}

/** A log that writes each line as one JSON text, with the correlation id. */
export function structuredLog(write: (level: LogLevel, line: string) => void, correlationId: string): Log {
  return (level, event, fields = {}) => {
    const safe = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === 'string' ? scrub(value, longerTexts.get(name)) : value,
      ]),
    );
    write(level, JSON.stringify({ event, correlationId, ...safe }));
  };
}

/**
 * The host's log of one invocation. Azure's host drops what comes after the answer, and keeps what is written to the console: after
 * `end` the lines go there.
 */
export function invocationLog(context: InvocationContext): { write(level: LogLevel, line: string): void; end(): void } {
  let hasEnded = false;
  return {
    write(level, line) {
      if (hasEnded) console[level](line);
      else context[level](line);
    },
    end() {
      hasEnded = true;
    },
  };
}

const shownFaults = 12;
const shownFaultLength = 300;
const shownFrames = 10;

/** A fault in a log: names and messages, scrubbed. The innermost cause comes first, so that a cut never takes it. */
export function faultFields(fault: unknown): LogFields {
  return { fault: causesOf(fault).map(describe).join(' -> ') };
}

/** Where a fault and its causes were thrown, the innermost cause first. Without the messages, which `faultFields` has. */
export function stackFields(fault: unknown): LogFields {
  const stacks = causesOf(fault).flatMap((one) => {
    const frames = one instanceof Error ? (one.stack?.match(/^\s+at .*$/gm) ?? []) : [];
    return frames.slice(0, shownFrames).map((frame) => frame.trim());
  });
  return stacks.length === 0 ? {} : { stack: stacks.join('\n') };
}

/** A fault and what caused it, the innermost first. Those that an `AggregateError` holds are causes of it. */
function causesOf(fault: unknown): unknown[] {
  const found = new Set<unknown>();
  const visit = (one: unknown): void => {
    if (one === undefined || found.has(one) || found.size >= shownFaults) return;
    found.add(one);
    if (!(one instanceof Error)) return;
    visit(one.cause);
    if ('errors' in one && Array.isArray(one.errors)) one.errors.forEach(visit);
  };
  visit(fault);
  return [...found].reverse();
}

function describe(fault: unknown): string {
  if (!(fault instanceof Error)) return typeof fault;
  const code = 'code' in fault && typeof fault.code === 'string' ? fault.code : '';
  return scrub(`${fault.name}: ${fault.message || code}`, shownFaultLength);
}
