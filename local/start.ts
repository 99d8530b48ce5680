/** `npm start`: the whole stack on fixed ports, its state in `.local/`, until Ctrl-C. */
import { join } from 'node:path';
import { type Stack, startStack } from './stack.ts';

const ports = { functions: 7071, entra: 7072, keyVault: 7073, collections: 7074, purchase: 7075 };
const stateDir = join(process.cwd(), '.local');
const saveEveryMs = 5000;

let stack: Stack | undefined;
let ending = false;

async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  await stack?.stop();
  process.exit(code);
}

const endWith = (code: number) => () => {
  end(code).catch((fault: unknown) => {
    console.error(`The stack did not end cleanly: ${fault instanceof Error ? fault.message : 'unknown'}`);
    process.exit(1);
  });
};

try {
  const started = await startStack({
    ports,
    stateDir,
    onLost: (part, how) => {
      console.error(`${part} ended (${how}): the rest is being ended too.`);
      endWith(1)();
    },
  });
  stack = started;
  setInterval(() => started.save(), saveEveryMs).unref();
  process.on('SIGINT', () => {
    console.log('\nEnding ...');
    endWith(0)();
  });
  process.on('SIGTERM', endWith(0));
  console.log(guide(started));
} catch (fault) {
  console.error(fault instanceof Error ? fault.message : fault);
  process.exit(1);
}

function guide({ functionsUrl, identities, entra, keyVault, store, azurite }: Stack): string {
  const tables = /TableEndpoint=([^;]+)/.exec(azurite.connectionString)?.[1];
  return `
functions         ${functionsUrl}/api
Microsoft Store   ${store.collectionsUrl} (collections), ${store.purchaseUrl} (purchase), control: /emulator/
Entra             ${entra.url}
Key Vault         ${keyVault.url}
Azurite           ${tables} (tables)
function key      ${identities.functionKey} (also in .local/function-key)
state             .local/ (delete it to start anew)

Three requests to paste into another terminal, in this folder:

# 1. The Store sells a durable to a player (its control API) and the game client makes the player's keys.
curl -sS --cacert .local/ca.pem -X PUT ${store.collectionsUrl}/emulator/products/9NSWORD -d '{"kind":"Durable"}'
curl -sS --cacert .local/ca.pem ${store.collectionsUrl}/emulator/purchases -d '{"user":"player-1","productId":"9NSWORD"}'
KEYS=$(curl -sS --cacert .local/ca.pem ${store.collectionsUrl}/emulator/keys -d '{"user":"player-1"}')

# 2. The game backend registers the keys.
curl -sS -X PUT ${functionsUrl}/api/users/player-1/store-ids -H "x-functions-key: $(cat .local/function-key)" -d "$KEYS"

# 3. The game backend asks what the player owns.
curl -sS ${functionsUrl}/api/entitlements/query -H "x-functions-key: $(cat .local/function-key)" -d '{"userId":"player-1","products":["9NSWORD"]}'

Ctrl-C ends all of it.
`;
}
