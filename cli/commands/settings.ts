/** `quanren settings`: the table of settings with what is in force. */
import type { Command } from 'commander';
import { environmentName, loadSettings, SETTINGS, type SettingName } from '../../config/settings.js';

export function addSettingsCommand(program: Command): void {
  program
    .command('settings')
    .description(
      'Shows every setting: its environment variable, the value in force, what it means, what it takes.',
    )
    .option('--json', 'one JSON object, from setting to value')
    .addHelpText('after', '\nExample:\n  QUANREN_GATEWAY_WORKERS=4 quanren settings --json')
    .action((options: { json?: true }) => {
      const settings = loadSettings(process.env);
      const rows = (Object.keys(SETTINGS) as SettingName[]).map((name) => {
        const isSecret = 'secret' in SETTINGS[name] && settings[name] !== '';
        const { about, takes } = SETTINGS[name];
        return { name, value: isSecret ? '(secret)' : settings[name], about, takes };
      });
      if (options.json) {
        console.log(
          JSON.stringify(Object.fromEntries(rows.map(({ name, value }) => [name, value])), null, 2),
        );
        return;
      }
      for (const { name, value, about, takes } of rows) {
        console.log(`${environmentName(name)}=${value}\n    ${about}\n    Takes ${takes}.`);
      }
    });
}
