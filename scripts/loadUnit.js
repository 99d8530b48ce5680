// Loads one function app without any settings; prints the names that it registers and how long that took, as JSON.
import { Module } from 'node:module';
import { pathToFileURL } from 'node:url';

const names = [];
const core = {
  setProgrammingModel() {},
  registerFunction: ({ name }) => names.push(name),
  registerHook: () => ({ dispose() {} }),
  log() {},
};
Module.prototype.require = new Proxy(Module.prototype.require, {
  apply: (target, self, [id]) => (id === '@azure/functions-core' ? core : Reflect.apply(target, self, [id])),
});
const startedAt = performance.now();
try {
  await import(pathToFileURL(process.argv[2]).href);
} catch (fault) {
  // The stack of a bundle quotes lines of some hundred thousand characters.
  console.error(fault instanceof Error ? fault.message : fault);
  process.exit(1);
}
console.log(JSON.stringify({ names: names.sort(), ms: performance.now() - startedAt }));
process.exit(0);
