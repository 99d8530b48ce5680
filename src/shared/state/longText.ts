import { createHash } from 'node:crypto';
import { inParallel } from '../lib/inParallel.ts';
import type { Row, Table } from './tables.ts';

/** A property holds 32,768 UTF-16 units at most, an entity 1 MiB: Azurite accepts more, Azure does not. */
const partLength = 32_000;
const partLimit = 15;
const rowLength = partLength * partLimit;
const rowsAtOnce = 4;

/** Where a text belongs: its own rows, if it needs any, are in the same partition. */
export interface TextOwner {
  partitionKey: string;
  rowKey: string;
}

export interface LongTexts {
  /**
   * The columns of a text: name0, name1, ... A text that does not fit one row is written to rows of its own first; then the columns only
   * refer to them. The same text of the same owner has the same rows. They stay when the owner no longer refers to them.
   */
  write(owner: TextOwner, name: string, text: string): Promise<Record<string, string>>;
  /** @throws Problem unavailable; Error if rows of the text are missing */
  read(row: Row, name: string): Promise<string>;
}

export function createLongTexts(table: Pick<Table, 'get' | 'upsert'>): LongTexts {
  return {
    async write({ partitionKey, rowKey }, name, text) {
      if (text.length <= rowLength) return columnsOf(name, text);
      const parts = cut(text, rowLength);
      const version = createHash('sha256').update(text).digest('hex').slice(0, 32);
      await inParallel(parts, rowsAtOnce, (part, index) =>
        table.upsert({ partitionKey, rowKey: textRowKey(rowKey, version, index), ...columnsOf('part', part) }),
      );
      return { [`${name}Version`]: version, [`${name}Rows`]: String(parts.length) };
    },
    async read(row, name) {
      const version = row[`${name}Version`];
      if (typeof version !== 'string') return textOf(name, row);
      const indexes = Array.from({ length: Number(row[`${name}Rows`]) }, (_, index) => index);
      const parts = await inParallel(indexes, rowsAtOnce, async (index) => {
        const part = await table.get(row.partitionKey, textRowKey(row.rowKey, version, index));
        if (!part) throw new Error(`a row of ${name} is missing`);
        return textOf('part', part);
      });
      return parts.join('');
    },
  };
}

function textRowKey(ownerKey: string, version: string, index: number): string {
  return `text.${ownerKey}.${version}.${String(index).padStart(4, '0')}`;
}

function columnsOf(name: string, text: string): Record<string, string> {
  return Object.fromEntries(cut(text, partLength).map((part, index) => [`${name}${index}`, part]));
}

function textOf(name: string, row: Record<string, unknown>): string {
  let text = '';
  for (let index = 0; typeof row[`${name}${index}`] === 'string'; index += 1) text += row[`${name}${index}`];
  return text;
}

/** Parts of at most `length` units; at least one. None ends within a surrogate pair, which could not be encoded. */
export function cut(text: string, length: number): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length || parts.length === 0; ) {
    let end = Math.min(start + length, text.length);
    if (end < text.length && /[\uD800-\uDBFF]/.test(text.charAt(end - 1))) end -= 1;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}
