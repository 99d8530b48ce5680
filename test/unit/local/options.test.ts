import { expect, test } from 'vitest';
import { OptionError, parseDemoOptions, parseStartOptions } from '../../../local/options.ts';

test('without options the functions are at 7071, the emulators after it, and no debugger attaches', () => {
  expect(parseStartOptions([])).toEqual({
    help: false,
    ports: { functions: 7071, entra: 7072, keyVault: 7073, collections: 7074, purchase: 7075 },
  });
});

test.each([[['--port', '8171']], [['--port=8171']]])('%j moves all ports', (args) => {
  const { ports } = parseStartOptions(args);
  expect(ports).toEqual({ functions: 8171, entra: 8172, keyVault: 8173, collections: 8174, purchase: 8175 });
});

test('the debugger has a default port, or the one that is given', () => {
  expect(parseStartOptions(['--inspect']).inspectPort).toBe(9229);
  expect(parseStartOptions(['--inspect=9333', '--port', '8171'])).toMatchObject({
    inspectPort: 9333,
    ports: { functions: 8171 },
  });
});

test.each([['--help'], ['-h']])('%s asks for help', (option) => {
  expect(parseStartOptions([option]).help).toBe(true);
  expect(parseDemoOptions([option]).help).toBe(true);
});

test.each([
  [['--prot', '8171'], 'Unknown option --prot.'],
  [['-x'], 'Unknown option -x.'],
  [['--no-help'], 'Unknown option --no-help.'],
  [['--__proto__'], 'Unknown option --__proto__.'],
  [['8171'], 'Unexpected argument 8171.'],
  [['--inspect', '9333'], 'Unexpected argument 9333.'],
  [['--', '8171'], 'Unexpected argument 8171.'],
  [['--port'], '--port takes a port number from 1 to 65531, and got nothing.'],
  [['--port', '--help'], '--port takes a port number from 1 to 65531, and got "--help".'],
  [['--port=0'], '--port takes a port number from 1 to 65531, and got "0".'],
  [['--port', '65532'], '--port takes a port number from 1 to 65531, and got "65532".'],
  [['--port', '80 80'], '--port takes a port number from 1 to 65531, and got "80 80".'],
  [['--port', '1e3'], '--port takes a port number from 1 to 65531, and got "1e3".'],
  [['--inspect=0'], '--inspect takes a port number from 1 to 65535, and got "0".'],
  [['--inspect='], '--inspect takes a port number from 1 to 65535, and got "".'],
  [['--inspect=7073'], "The debugger's port 7073 is also a port of the stack."],
  [['--inspect', '--port', '9225'], "The debugger's port 9229 is also a port of the stack."],
])('%j is refused', (args, message) => {
  const parse = () => parseStartOptions(args);
  expect(parse).toThrow(OptionError);
  expect(parse).toThrow(message);
  expect(parse).toThrow('npm start -- --help');
});

test.each([
  [['--port', '1'], 1],
  [['--port', '65531'], 65_531],
])('%j is accepted', (args, port) => {
  expect(parseStartOptions(args).ports.functions).toBe(port);
});

test('the demo takes no options', () => {
  expect(parseDemoOptions([])).toEqual({ help: false });
  expect(() => parseDemoOptions(['--port', '1'])).toThrow('Unknown option --port. See npm run demo -- --help.');
  expect(() => parseDemoOptions(['fast'])).toThrow('Unexpected argument fast. See npm run demo -- --help.');
});
