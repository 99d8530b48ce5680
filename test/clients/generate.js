// Generates the clients that clients.test.ts uses: node generate.js <OpenAPI document> <folder>.
// The generators need the programming interface of TypeScript, which version 7 does not have: typescriptHook.js gives them an older one.
// For the same reason package.json overrides the version that openapi-typescript asks for.
import { writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

register('./typescriptHook.js', import.meta.url);

const [document = '', folder = ''] = process.argv.slice(2);
const { default: openapiTypescript, astToString } = await import('openapi-typescript');
writeFileSync(join(folder, 'schema.d.ts'), astToString(await openapiTypescript(pathToFileURL(document))));

const { createClient } = await import('@hey-api/openapi-ts');
await createClient({ input: document, output: join(folder, 'heyApi'), logs: { level: 'silent', file: false } });
