/** Marks of rows that are stored, side by side in one column (architecture.md 4). A mark is 8 bytes of a SHA-256, in hex. */

export const markBytes = 8;
/** 32,000 bytes; a column takes 64 KiB. Of more marks the oldest are kept, and the rows of the others are written with each query. */
export const marksLimit = 4000;

/** The marks of a column. One that cannot be read has none: its rows are written again. */
export function marksIn(column: Uint8Array | undefined): Set<string> {
  const bytes = bytesOf(column);
  const marks = new Set<string>();
  for (let start = 0; start < bytes.length; start += markBytes) {
    marks.add(bytes.toString('hex', start, start + markBytes));
  }
  return marks;
}

/** The column with these marks added behind its own, as far as there is room; undefined if none is added. */
export function withMarks(column: Uint8Array | undefined, marks: string[]): Uint8Array | undefined {
  const bytes = bytesOf(column);
  const added = marks.slice(0, Math.max(0, marksLimit - bytes.length / markBytes));
  return added.length === 0 ? undefined : Buffer.concat([bytes, Buffer.from(added.join(''), 'hex')]);
}

function bytesOf(column: Uint8Array = new Uint8Array()): Buffer {
  return column.length % markBytes === 0 ? Buffer.from(column) : Buffer.alloc(0);
}
