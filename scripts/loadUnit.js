// Loads one function app without any settings and prints the names that it registers, as JSON.
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
await import(pathToFileURL(process.argv[2]).href);
console.log(JSON.stringify(names.sort()));
process.exit(0);
