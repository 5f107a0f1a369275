// `npm run bench [-- NAME …]`: runs the benches of bench/ one after the other. Usage:
//   npm run bench -- rules gateway
//   npm run bench -- sre --users 100000     one bench, with options of its own
//   npm run bench -- --help                 what there is; NAME --help: all that a bench says of itself
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root, run, setUp } from './setup.mjs';

const known = readdirSync(path.join(root, 'bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace(/\.bench\.ts$/, ''));

/** The comment that the bench begins with, as text. */
function headOf(name) {
  const source = readFileSync(path.join(root, 'bench', `${name}.bench.ts`), 'utf8');
  const [, comment = ''] = /^\/\*\*([\s\S]*?)\*\//.exec(source) ?? [];
  return comment.replace(/^ \* ?/gm, '').trim();
}

/** Its first sentence, and how it is called. */
function summaryOf(name) {
  const head = headOf(name);
  const [sentence = ''] = head.replace(/\s+/g, ' ').match(/^.*?[.:](?= |$)/) ?? [];
  const usage = head.match(/^ +npm run bench -- .*(\n +\[.*)*/gm) ?? [`  npm run bench -- ${name}`];
  return `${name}: ${sentence.replace(/:$/, '.')}\n${usage.join('\n')}\n`;
}

const fail = (sentence) => {
  console.error(sentence);
  process.exit(2);
};

const args = process.argv.slice(2);
const firstOption = args.findIndex((arg) => arg.startsWith('-'));
const names = firstOption < 0 ? args : args.slice(0, firstOption);
const options = firstOption < 0 ? [] : args.slice(firstOption);
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) fail(`There is no bench '${unknown.join("', '")}'. There are: ${known.join(', ')}.`);

if (options.includes('--help') || options.includes('-h')) {
  console.log(names.length > 0 ? names.map(headOf).join('\n\n') : known.map(summaryOf).join('\n'));
  process.exit(0);
}
if (options.length > 0 && names.length !== 1) {
  fail(`${options[0]} is an option of one bench: npm run bench -- NAME ${options.join(' ')}`);
}
setUp();
for (const name of names.length > 0 ? names : known) {
  console.log(`\n## ${name}\n`);
  run(process.execPath, [path.join(root, 'dist', 'bench', `${name}.bench.js`), ...options], {
    stdio: 'inherit',
  });
}
