/**
 * Runs or deletes crowds in a process of its own, which kills itself after a given number of steps. Unfinished runs are
 * executed again; only where there are none, the task is asked for. Prints the steps, one a line.
 *
 *   node run-child.js <folder> <connection as JSON> <task as JSON> <step to die at, from 1, or 0>
 */
import { writeSync } from 'node:fs';
import path from 'node:path';
import { openRunPlatform } from '../../support/run-platform.js';
import type { Task } from './killing.js';

const [folder = '', connection = '', taskJson = '', dieAt = ''] = process.argv.slice(2);
const task = JSON.parse(taskJson) as Task;
/** The clock stands still, so that what is told of progress, and with it the steps, is the same each time. */
const startedMs = Date.now();
let steps = 0;
const platform = await openRunPlatform({
  folder,
  connection: JSON.parse(connection),
  now: () => startedMs,
  onStep: (step) => {
    steps += 1;
    writeSync(1, `${step}\n`);
    if (steps === Number(dieAt)) process.kill(process.pid, 'SIGKILL');
  },
});
const { catalog, runs } = platform;
const unfinished = await catalog.runs.unfinished();
if (unfinished.length === 0 && 'deletions' in task) {
  // All are recorded before the first begins.
  for (const crowdCode of task.deletions)
    await catalog.crowds.delete(crowdCode, { principal: 'test', expected: 1, maxUnfinished: 10 });
}
if (unfinished.length > 0 || 'deletions' in task) await runs.resume();
else {
  await runs.start({
    crowdCodes: [],
    dt: task.computeFor,
    cause: 'manual',
    requestedBy: 'test',
    export: { format: 'csv', folder: path.join(folder, 'exports') },
  });
}
await runs.settled();
await platform.close();
if (platform.errors.length > 0) throw platform.errors[0];
