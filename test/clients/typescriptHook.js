export function resolve(specifier, context, next) {
  if (specifier !== 'typescript') return next(specifier, context);
  return { url: new URL('typescriptApi.js', import.meta.url).href, shortCircuit: true };
}
