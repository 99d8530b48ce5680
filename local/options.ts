/** The options of `npm start` and `npm run demo`. Pure. */
import { parseArgs } from 'node:util';
import { type Ports, portsFrom } from './ports.ts';

export interface StartOptions {
  help: boolean;
  ports: Ports;
  /** A debugger attaches to the functions host here. */
  inspectPort?: number;
}

/** An option that is not understood: the message says which one and where the options are listed. */
export class OptionError extends Error {}

const defaultPort = 7071;
const defaultInspectPort = 9229;
const highestPort = 65_535;
/** The parts after the functions take one port each. */
const portsAfterFirst = 4;

export const startHelp = `npm start [-- OPTION...]

Runs the functions on this machine, with Azurite and emulators of Entra, Key Vault and the Microsoft Store, until Ctrl-C.
The state is in .local/ and stays there.

  --port N          the functions at port N (default ${defaultPort}), the emulators at the four ports after it:
                    N+1 Entra, N+2 Key Vault, N+3 and N+4 the Microsoft Store (collections, purchase)
  --inspect[=PORT]  lets a debugger attach to the functions host at 127.0.0.1:PORT (default ${defaultInspectPort})
  --help            shows this text

The two dashes before the options are for npm: npm start -- --port 8071`;

export const demoHelp = `npm run demo

Runs the functions and all emulators on free ports and makes real requests to them, each one checked. It takes no options
but --help. Exit code 0 means that every answer was right.`;

/** @throws OptionError for an option or a value that is not understood */
export function parseStartOptions(args: string[]): StartOptions {
  const given = readOptions(args, 'npm start', ['help', 'port', 'inspect']);
  const options: StartOptions = {
    help: given.has('help'),
    ports: portsFrom(defaultPort),
  };
  if (given.has('port')) options.ports = portsFrom(portOf('--port', given.get('port'), highestPort - portsAfterFirst));
  if (given.has('inspect'))
    options.inspectPort = portOf('--inspect', given.get('inspect') ?? String(defaultInspectPort), highestPort);
  const { inspectPort, ports } = options;
  if (inspectPort !== undefined && Object.values(ports).includes(inspectPort))
    throw new OptionError(
      `The debugger's port ${inspectPort} is also a port of the stack. Choose another one with --inspect=PORT. ${seeHelp('npm start')}`,
    );
  return options;
}

/** @throws OptionError for any option but `--help` */
export function parseDemoOptions(args: string[]): { help: boolean } {
  return { help: readOptions(args, 'npm run demo', ['help']).has('help') };
}

/** The options that are given, with their values; of one that is given twice the last. */
function readOptions(args: string[], command: string, known: string[]): Map<string, string | undefined> {
  const { tokens } = parseArgs({
    args,
    // The messages below say more than those of strict mode.
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      port: { type: 'string' },
    },
  });
  const given = new Map<string, string | undefined>();
  for (const token of tokens) {
    if (token.kind === 'positional') throw new OptionError(`Unexpected argument ${token.value}. ${seeHelp(command)}`);
    if (token.kind !== 'option') continue;
    if (!known.includes(token.name)) throw new OptionError(`Unknown option ${token.rawName}. ${seeHelp(command)}`);
    given.set(token.name, token.value);
  }
  return given;
}

function portOf(option: string, value: string | undefined, highest: number): number {
  const port = /^\d{1,5}$/.test(value ?? '') ? Number(value) : 0;
  if (port >= 1 && port <= highest) return port;
  const given = value === undefined ? 'nothing' : `"${value}"`;
  throw new OptionError(
    `${option} takes a port number from 1 to ${highest}, and got ${given}. ${seeHelp('npm start')}`,
  );
}

function seeHelp(command: string): string {
  return `See ${command} -- --help.`;
}
