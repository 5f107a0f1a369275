/**
 * `node dist/test/model/run.js [--schedules N] [--seed S] [--mutation NAME]`: runs the schedules of N seeds from S on, and prints
 * what came of them as one line of JSON. A process of its own, since node:test
 * follows every promise, at a price.
 */
import { parseArgs } from 'node:util';
import { runSchedules } from './campaign.js';
import { MUTATIONS } from './mutations.js';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    mutation: { type: 'string' },
  },
});
const mutation = MUTATIONS.find(({ name }) => name === values.mutation);
if (values.mutation !== undefined && mutation === undefined)
  throw new Error(`there is no mutation '${values.mutation}'`);
const result = await runSchedules(Number(values.seed), Number(values.schedules), mutation);
console.log(JSON.stringify(result));
if (result.wrong !== undefined) process.exitCode = 1;
