// Generates C# clients with Kiota and NSwag, compiles them, and has a program use them: npm run check:dotnet.
// Needs the .NET SDK and NuGet. The answers are the examples of the document; what the clients send is held against its schemas.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { openApiDocument } from './openapiDocument.js';

const document = await openApiDocument();
const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);
ajv.addSchema({ $id: 'openapi', components: document.components });
const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({
    method: method.toUpperCase(),
    path: new RegExp(`^/api${path.replace(/\{\w+\}/g, '[^/]+')}(\\?|$)`),
    operation,
  })),
);
const faults = [];
const env = {
  ...process.env,
  KIOTA_OFFLINE_ENABLED: 'true',
  KIOTA_CLI_TELEMETRY_OPTOUT: 'true',
  DOTNET_CLI_TELEMETRY_OPTOUT: '1',
};

const folder = mkdtempSync(join(tmpdir(), 'dotnet-'));
const server = createServer(answer).listen(0, '127.0.0.1');
let status = 1;
try {
  await new Promise((resolve) => server.once('listening', resolve));
  status = generate() ? await useClients(`http://127.0.0.1:${server.address().port}/api`) : 1;
} finally {
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults) console.error(fault);
process.exitCode = status === 0 && faults.length === 0 ? 0 : 1;

function generate() {
  cpSync(join(import.meta.dirname, '../test/dotnet'), folder, { recursive: true });
  writeFileSync(join(folder, 'openapi.json'), JSON.stringify(document));
  return [
    'tool restore',
    'kiota generate -l CSharp -d openapi.json -o Kiota -c ShopClient -n KiotaClient --exclude-backward-compatible --log-level Error',
    'nswag openapi2csclient /input:openapi.json /output:NSwag.cs /namespace:NSwagClient /classname:ShopClient /generateNullableReferenceTypes:true /requiredPropertiesMustBeDefined:false',
    'build --nologo --verbosity quiet',
  ].every((command) => {
    console.log(`dotnet ${command}`);
    const run = spawnSync('dotnet', command.split(' '), { cwd: folder, env, encoding: 'utf8' });
    const { status, stdout, stderr, error } = run;
    if (status !== 0) console.error(error?.message ?? `${stdout}${stderr}`);
    return status === 0;
  });
}

function useClients(url) {
  const program = spawn('dotnet', ['run', '--no-build', '--', url], { cwd: folder, env, stdio: 'inherit' });
  return new Promise((resolve) => program.once('close', resolve));
}

/**
 * The example of the operation; for a feed of four, an event of each type. A user called nobody is unknown, a product called PENDING
 * stays pending.
 */
async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const route = routes.find(({ method, path }) => method === request.method && path.test(request.url));
  if (!route) faults.push(`There is no ${request.method} ${request.url}.`);
  if ('transfer-encoding' in request.headers) faults.push(`The body of ${request.url} is chunked: Azure drops it.`);
  const { requestBody, responses } = route?.operation ?? { responses: {} };
  const body = text === '' ? undefined : JSON.parse(text);
  if (requestBody) check(`${request.method} ${request.url}`, requestBody.content['application/json'].schema, body);
  const status = body?.userId === 'nobody' ? 404 : body?.productId === 'PENDING' ? 202 : 200;
  const [[type, { example }]] = Object.entries(responses[status]?.content ?? { 'text/plain': { example: '' } });
  const answered = request.url.includes('/events?limit=4')
    ? allKinds(example)
    : request.url.includes('/consume/rejected/')
      ? rejectedConsume(example)
      : example;
  if (answered !== example) check(request.url, responses[status].content[type].schema, answered);
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(answered));
}

function rejectedConsume({ userId, account, productId, trackingId, managedBy, quantity, completedAt: rejectedAt }) {
  const common = { userId, account, productId, trackingId, managedBy, quantity };
  return { state: 'rejected', ...common, code: 'store_rejected', rejectedAt };
}

/** A feed with an event of each type. */
function allKinds({ events: [first] }) {
  const rejected = rejectedConsume(first.data);
  const { userId, account, productId, trackingId: orderId, code, rejectedAt } = rejected;
  const grant = { userId, account, productId, skuId: '0010', availabilityId: 'A1', orderId };
  const data = {
    'consume.completed': first.data,
    'consume.rejected': rejected,
    'grant.completed':
      document.paths['/grants/{userId}/{orderId}'].get.responses[200].content['application/json'].example,
    'grant.rejected': { state: 'rejected', ...grant, code, rejectedAt },
  };
  return { events: Object.entries(data).map(([type, one]) => ({ ...first, type, data: one })), more: false };
}

function check(what, schema, body) {
  const inOpenApi = JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components'));
  if (!ajv.validate(inOpenApi, body)) faults.push(`${what}: ${ajv.errorsText()} in ${JSON.stringify(body)}`);
}
