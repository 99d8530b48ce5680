import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** The OpenAPI document of the sources as they are, without a build and without a server. */
export async function openApiDocument() {
  const root = join(import.meta.dirname, '..');
  const outfile = join(root, `dist/.openapi-${process.pid}.mjs`);
  const entryPoints = [join(root, 'src/shared/http/openapi.ts')];
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'warning' });
  try {
    return (await import(pathToFileURL(outfile).href)).openApiDocument();
  } finally {
    rmSync(outfile);
  }
}
