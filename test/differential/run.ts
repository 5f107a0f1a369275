/** `npm run test:differential -- --rules N --rows N --seed S`: the differential test at any size, with progress. */
import { parseArgs } from 'node:util';
import { startTestPostgres } from '../support/postgres.js';
import { runCampaign } from './campaign.js';
import { compiled, sqlContender } from './compare.js';
import { openDuckdb, openPostgres } from './engines.js';

const USAGE = 'Usage: npm run test:differential -- [--rules N] [--rows N] [--seed S]';

const campaign = readArguments();
const server = await startTestPostgres();
const engines = [await openDuckdb(), await openPostgres(server)];
try {
  const startedAtMs = performance.now();
  console.log(`seed ${campaign.seed}: ${campaign.rules} rules × ${campaign.rows} rows`);
  const { counts, disagreements } = await runCampaign(
    campaign,
    [compiled, ...engines.map(sqlContender)],
    (done) => {
      const seconds = Math.round((performance.now() - startedAtMs) / 1000);
      console.log(
        `${done} of ${campaign.rules} rules, ${seconds} s, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`,
      );
    },
  );
  console.log(JSON.stringify(counts));
  for (const report of disagreements) console.error(`\n${report}`);
  console.log(disagreements.length === 0 ? 'Every engine gave the same answers.' : 'Engines disagree.');
  process.exitCode = disagreements.length === 0 ? 0 : 1;
} finally {
  for (const engine of engines) await engine.stop();
  await server.stop();
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        rules: { type: 'string', default: '2000' },
        rows: { type: 'string', default: '200' },
        seed: { type: 'string', default: '1' },
      },
    });
    const numbers = { rules: Number(values.rules), rows: Number(values.rows), seed: Number(values.seed) };
    if (
      Object.values(numbers).every((value) => Number.isSafeInteger(value) && value >= 0) &&
      numbers.rows > 0
    ) {
      return numbers;
    }
  } catch (error) {
    console.error(String(error));
  }
  console.error(USAGE);
  process.exit(2);
}
