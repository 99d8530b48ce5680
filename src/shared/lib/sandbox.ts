/** The sandbox of what is sold to everyone. */
export const retail = 'RETAIL';

/** A sandbox id as it is used everywhere: `retail` in any case is `RETAIL` (http-api.md 3). */
export function sandboxId(text: string): string {
  return text.toUpperCase() === retail ? retail : text;
}
