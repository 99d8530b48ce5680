/** A property holds 32,768 UTF-16 units at most, an entity 1 MiB: Azurite accepts more, Azure does not. */
const partLength = 32_000;
const partLimit = 15;

/** A text in as many columns as it needs: name0, name1, ... @throws Error beyond 480,000 units */
export function splitText(name: string, text: string): Record<string, string> {
  if (text.length > partLength * partLimit) throw new Error(`${name} is too long for one row`);
  const count = Math.max(1, Math.ceil(text.length / partLength));
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      return [`${name}${index}`, text.slice(index * partLength, (index + 1) * partLength)];
    }),
  );
}

export function joinText(name: string, row: Record<string, unknown>): string {
  let text = '';
  for (let index = 0; typeof row[`${name}${index}`] === 'string'; index += 1) text += row[`${name}${index}`];
  return text;
}
