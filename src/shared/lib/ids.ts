/** Product, SKU and availability ids are compared without case (http-api.md 1). */
export function isSameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
