/**
 * Loaded into each process of a gateway (`--import`): on SIGUSR2 its clock is set as the file CLOCK_STEP_FILE says, so many
 * milliseconds beside the machine's.
 */
import { readFileSync } from 'node:fs';

const real = Date.now;
let stepMs = 0;
Date.now = () => real() + stepMs;
process.on('SIGUSR2', () => {
  stepMs = Number(readFileSync(process.env.CLOCK_STEP_FILE ?? '', 'utf8'));
});
