// Azure reports an app that registers nothing as deployed: each built unit is loaded, and must register what units.json says.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
process.chdir(root);
execFileSync(process.execPath, ['scripts/build.js', '--quiet'], { stdio: 'inherit' });

const units = JSON.parse(readFileSync('infra/units.json', 'utf8'));
const files = readdirSync('src/functions').map((file) => file.replace(/\.ts$/, ''));
const assigned = Object.values(units).flatMap(({ functions }) => functions);
const faults = [];

for (const file of files) {
  const count = assigned.filter((name) => name === file).length;
  if (count !== 1) faults.push(`src/functions/${file}.ts is in ${count} units, not in one`);
}
compare('app', files, 'dist/app/main.js');
for (const [unit, { functions }] of Object.entries(units)) compare(unit, functions, `dist/units/${unit}/main.js`);

if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
console.log(`${Object.keys(units).length} units, ${files.length} functions: as units.json says`);

function compare(unit, expected, main) {
  const registered = execFileSync(process.execPath, ['scripts/loadUnit.js', main], { encoding: 'utf8' }).trim();
  if (registered !== JSON.stringify([...expected].sort()))
    faults.push(`${unit} registers ${registered}, not ${JSON.stringify(expected)}`);
}
