/** A function that makes its value at the first call, and returns it from then on. A failure is not remembered. */
export function once<Args extends unknown[], Value>(make: (...args: Args) => Value): (...args: Args) => Value {
  let made: { value: Value } | undefined;
  return (...args) => {
    made ??= { value: make(...args) };
    return made.value;
  };
}

/** The same for a promise: callers at the same time share it, and a rejected one is not kept. */
export function onceAsync<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make().catch((fault: unknown) => {
      made = undefined;
      throw fault;
    });
    return made;
  };
}
