/** The `quanren` command: one file per command in cli/commands/. */
import { Command } from 'commander';

const program = new Command('quanren').description('Crowd selection: rules, crowds, and the match gateway.');

await program.parseAsync();
