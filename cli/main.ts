/**
 * The `quanren` command: one file per command in cli/commands/.
 *
 * Exit codes: 0 done; 1 done, and the answer is no (a rule with errors, a run or a load that failed); 2 the command line or an input
 * file is wrong; 3 something the command needs is not there (a port, the platform, a lock); 70 a defect of Quanren.
 */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../config/version.js';
import type { ErrorAction } from '../errors/error-codes.js';
import { QuanrenError } from '../errors/quanren-error.js';
import { addCronCommand } from './commands/cron.js';
import { addCrowdCommand } from './commands/crowd.js';
import { addEnginesCommand } from './commands/engines.js';
import { addGenerateCommand } from './commands/generate.js';
import { addLoadCommand } from './commands/load.js';
import { addRulesCommand } from './commands/rules.js';
import { addSettingsCommand } from './commands/settings.js';
import { addStartCommand } from './commands/start.js';

const EXIT_OF_ACTION: Readonly<Record<ErrorAction, number>> = {
  'fix-request': 2,
  authenticate: 3,
  'resolve-conflict': 3,
  'retry-later': 3,
  'fix-set-up': 3,
  'report-bug': 70,
};

const program = new Command('quanren')
  .description('Crowd selection: rules, crowds, and the match gateway.')
  .exitOverride()
  .version(VERSION)
  .addHelpText(
    'afterAll',
    `
Exit codes: 0 done; 1 done, and the answer is no (a rule with errors, a run or a load that failed);
  2 the command line or an input file is wrong; 3 something that is needed is not there; 70 a defect.`,
  )
  .addHelpText('after', '\nExample:\n  quanren start')
  .showHelpAfterError('(quanren COMMAND --help shows how it is used)');

addStartCommand(program);
addLoadCommand(program);
addGenerateCommand(program);
addCrowdCommand(program);
addCronCommand(program);
addEnginesCommand(program);
addSettingsCommand(program);
addRulesCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof QuanrenError) {
    console.error(`quanren: ${error.message}`);
    process.exitCode = error.code === 'invalid_rule' ? 1 : EXIT_OF_ACTION[error.action];
  } else {
    console.error('quanren: an unexpected error. Please report it with what follows.');
    console.error(error);
    process.exitCode = 70;
  }
}
