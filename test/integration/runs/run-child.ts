/**
 * Runs the demo's crowds for a business date in a process of its own, which kills itself after a given number of steps.
 * Unfinished runs are executed again; only where there are none, new ones are started. Prints the steps, one a line.
 *
 *   node run-child.js <folder> <connection as JSON> <dt> [<step to die at, from 1>]
 */
import { writeSync } from 'node:fs';
import path from 'node:path';
import { openRunPlatform } from '../../support/run-platform.js';

const [folder = '', connection = '', dt = '', dieAt = '0'] = process.argv.slice(2);
let steps = 0;
const platform = await openRunPlatform({
  folder,
  connection: JSON.parse(connection),
  onStep: (step) => {
    steps += 1;
    writeSync(1, `${step}\n`);
    if (steps === Number(dieAt)) process.kill(process.pid, 'SIGKILL');
  },
});
const unfinished = await platform.catalog.runs.unfinished();
if (unfinished.length > 0) await platform.runs.resume();
else {
  await platform.runs.start({
    crowdCodes: [],
    dt,
    cause: 'manual',
    requestedBy: 'test',
    export: { format: 'csv', folder: path.join(folder, 'exports') },
  });
}
await platform.runs.settled();
await platform.close();
if (platform.errors.length > 0) throw platform.errors[0];
