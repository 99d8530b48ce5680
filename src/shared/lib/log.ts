import type { InvocationContext } from '@azure/functions';

export type LogLevel = 'info' | 'warn' | 'error';
export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** Writes one structured line. Fields are counts, codes and ids; never a key, token, secret or body. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

const longestText = 500;
/** JWTs, SAS signatures, XBL tokens, Authorization values. No code logs them on purpose: this is a second safeguard. */
const secretShapes = [
  /eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g,
  /\b(sig|client_secret|client_assertion|code)=[^&\s"]+/gi,
  /\bXBL3\.0 x=[^\s"]+/g,
  /\bBearer\s+[\w.~+/=-]+/gi,
  /\bwhsec_[\w+/=-]+/g,
];

/** Cuts a text to a loggable length and blanks out whatever looks like a secret. */
export function scrub(text: string): string {
  const blanked = secretShapes.reduce((rest, shape) => rest.replace(shape, '[redacted]'), text);
  return blanked.length > longestText ? `${blanked.slice(0, longestText)}...` : blanked;
}

/** A log that writes each line as one JSON text, with the correlation id. */
export function structuredLog(write: (level: LogLevel, line: string) => void, correlationId: string): Log {
  return (level, event, fields = {}) => {
    const safe = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? scrub(value) : value]),
    );
    write(level, JSON.stringify({ event, correlationId, ...safe }));
  };
}

/** The host's log of one invocation. */
export function writerOf(context: InvocationContext): (level: LogLevel, line: string) => void {
  return (level, line) => context[level](line);
}

/** A fault in a log: name and message of the fault and of its causes, scrubbed. */
export function faultFields(fault: unknown): LogFields {
  const chain: string[] = [];
  for (let one = fault; one !== undefined && chain.length < 5; one = one instanceof Error ? one.cause : undefined) {
    chain.push(one instanceof Error ? `${one.name}: ${one.message}` : typeof one);
  }
  return { fault: scrub(chain.join(' <- ')) };
}
