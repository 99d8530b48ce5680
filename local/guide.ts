/** What `npm start` prints once everything runs. Pure. */
import type { FunctionInfo } from './host/host.ts';
import { pasteRequests, type Shell, timerRequest } from './pasteRequests.ts';

export interface GuideFacts {
  functionsUrl: string;
  functionKey: string;
  functions: FunctionInfo[];
  collectionsUrl: string;
  purchaseUrl: string;
  entraUrl: string;
  keyVaultUrl: string;
  tablesUrl: string;
  inspectPort?: number | undefined;
  shell: Shell;
}

/** The last line of the guide: `.vscode/tasks.json` waits for it. */
export const lastLine = 'Ctrl-C ends all of it.';

export function guide(facts: GuideFacts): string {
  const { functionsUrl, collectionsUrl, shell } = facts;
  return [
    '',
    ...addresses(facts),
    '',
    'Routes (with the header x-functions-key; health and openapi.json need none):',
    '',
    ...routeLines(facts),
    '',
    ...timerLines(facts),
    `Three requests to paste into another terminal (${shell === 'bash' ? 'bash' : 'PowerShell 7'}), in this folder:`,
    '',
    pasteRequests({ functionsUrl, storeUrl: collectionsUrl }, shell),
    lastLine,
  ].join('\n');
}

function addresses(facts: GuideFacts): string[] {
  const lines = [
    ['functions', `${facts.functionsUrl}/api`],
    ['Microsoft Store', `${facts.collectionsUrl} (collections), ${facts.purchaseUrl} (purchase), control: /emulator/`],
    ['Entra', facts.entraUrl],
    ['Key Vault', facts.keyVaultUrl],
    ['Azurite', `${facts.tablesUrl} (tables)`],
    ['function key', `${facts.functionKey} (also in .local/function-key)`],
    ['state', '.local/ (delete it to start with an empty one)'],
  ];
  if (facts.inspectPort !== undefined) lines.push(['debugger', `127.0.0.1:${facts.inspectPort}`]);
  return lines.map(([name = '', text]) => `${name.padEnd(18)}${text}`);
}

function routeLines({ functionsUrl, functions }: GuideFacts): string[] {
  const routes = functions
    .filter(({ type }) => type === 'httpTrigger')
    .map(({ name, route = name, methods = ['any method'] }) => ({
      name,
      methods: methods.join(', '),
      url: `${functionsUrl}/api/${route}`,
    }));
  const methodsWidth = Math.max(...routes.map(({ methods }) => methods.length));
  const urlWidth = Math.max(...routes.map(({ url }) => url.length));
  return routes.map(({ name, methods, url }) => `  ${methods.padEnd(methodsWidth)}  ${url.padEnd(urlWidth)}  ${name}`);
}

function timerLines({ functionsUrl, functions, shell }: GuideFacts): string[] {
  const timers = functions.filter(({ type }) => type === 'timerTrigger');
  if (timers.length === 0) return [];
  return [
    'Timers run by their schedule, and at once on this request (with the master key):',
    '',
    ...timers.map(({ name }) => `  ${name}: ${timerRequest(functionsUrl, name, shell)}`),
    '',
  ];
}
