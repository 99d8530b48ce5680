import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Reads a log that grows: each call returns what is new since the last. */
export function logReader(path: string): () => string {
  let bytes = 0;
  return () => {
    const file = openSync(path, 'r');
    const fresh = Buffer.alloc(fstatSync(file).size - bytes);
    bytes += readSync(file, fresh, 0, fresh.length, bytes);
    closeSync(file);
    return fresh.toString();
  };
}
