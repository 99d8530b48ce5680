// Holds the OpenAPI document against the recommended rules of Redocly: node scripts/lintApi.js. A warning fails it too.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApiDocument } from './openapiDocument.js';

const folder = mkdtempSync(join(tmpdir(), 'openapi-'));
const file = join(folder, 'openapi.json');
writeFileSync(file, JSON.stringify(await openApiDocument(), null, 2));

const redocly = join(import.meta.dirname, '../node_modules/@redocly/cli/bin/cli.js');
const { status, stdout, stderr } = spawnSync(process.execPath, [redocly, 'lint', '--format=json', file], {
  encoding: 'utf8',
  env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
});
rmSync(folder, { recursive: true });
if (status !== 0) {
  console.error(stdout, stderr);
  process.exit(1);
}
const { problems } = JSON.parse(stdout);
for (const { ruleId, message, location } of problems)
  console.error(`${ruleId}: ${message} ${location[0]?.pointer ?? ''}`);
if (problems.length > 0) process.exit(1);
console.log('The OpenAPI document: no errors, no warnings');
