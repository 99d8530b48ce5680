/** A function that makes its value at the first call, and returns it from then on. A failure is not remembered. */
export function once<Args extends unknown[], Value>(make: (...args: Args) => Value): (...args: Args) => Value {
  let made: { value: Value } | undefined;
  return (...args) => {
    made ??= { value: make(...args) };
    return made.value;
  };
}
