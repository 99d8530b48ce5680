// Runs a Node script on the version that Azure runs: node scripts/deployNode.js SCRIPT [ARGUMENT...]
// The binary comes from npm for this one run. It is no dependency: there it would take the place of the machine's own Node.
import { spawnSync } from 'node:child_process';

const deployed = '24.9.0';
const { platform, arch, versions } = process;
const script = process.argv.slice(2);

if (versions.node.split('.')[0] === deployed.split('.')[0]) {
  console.log(`This is Node ${versions.node} already: the tests have run on the deployed version.`);
  process.exit(0);
}
const binary = `node-${platform === 'win32' ? 'win' : platform}-${arch}@${deployed}`;
console.log(`Node ${deployed}, as deployed:`);
const run = spawnSync('npm', ['exec', '--yes', '--loglevel=error', `--package=${binary}`, '--', 'node', ...script], {
  stdio: 'inherit',
  shell: platform === 'win32',
});
if (run.error) console.error(`npm could not be run: ${run.error.message}`);
process.exit(run.status ?? 1);
