/**
 * Loaded into each process of a gateway (`--import`): its clock is set as the file CLOCK_STEP_FILE says, so many milliseconds
 * beside the machine's; from its start on, and anew on SIGUSR2.
 */
import { readFileSync } from 'node:fs';

const readStepMs = () => Number(readFileSync(process.env.CLOCK_STEP_FILE ?? '', 'utf8'));

const real = Date.now;
let stepMs = readStepMs();
Date.now = () => real() + stepMs;
process.on('SIGUSR2', () => {
  stepMs = readStepMs();
});
