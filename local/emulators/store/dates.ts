/** `9999-12-31...` is what the Store sends for "no end" (store-api.md 2.1). */
export const noEnd = '9999-12-31T23:59:59.9999999+00:00';

/** A Store date: seven fractional digits and an offset. The last four are not zero, so that a test finds a reader that rounds. */
export function storeDate(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '5331+00:00');
}
