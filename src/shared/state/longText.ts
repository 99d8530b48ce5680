/** A property holds 32,768 UTF-16 units at most, an entity 1 MiB: Azurite does not mind, Azure does. */
const part = 32_000;
const parts = 15;

/** A text over as many columns as it takes: name0, name1, ... @throws Error beyond 480,000 units */
export function splitText(name: string, text: string): Record<string, string> {
  if (text.length > part * parts) throw new Error(`${name} is too long for one row`);
  const count = Math.max(1, Math.ceil(text.length / part));
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`${name}${at}`, text.slice(at * part, (at + 1) * part)]),
  );
}

export function joinText(name: string, row: Record<string, unknown>): string {
  let text = '';
  for (let at = 0; typeof row[`${name}${at}`] === 'string'; at += 1) text += row[`${name}${at}`];
  return text;
}
