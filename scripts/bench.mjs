// `npm run bench [-- NAME …]`: runs the benches of bench/ one after the other. Usage: npm run bench -- rules gateway
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { root, run, setUp } from './setup.mjs';

setUp();
const known = readdirSync(path.join(root, 'bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace(/\.bench\.ts$/, ''));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There is no bench '${unknown.join("', '")}'. There are: ${known.join(', ')}.`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : known) {
  console.log(`\n## ${name}\n`);
  run(process.execPath, [path.join(root, 'dist', 'bench', `${name}.bench.js`)], { stdio: 'inherit' });
}
