import { createServer } from 'node:net';
import { environmentName, type SettingName } from '../config/settings.js';
import { QuanrenError } from '../errors/quanren-error.js';

/** Listens for a moment; resolves with the port, rejects as the listening socket does. `port` 0: one that is free. */
function tryPort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

/** A port of loopback that nobody listens on at this moment. */
export function findFreePort(): Promise<number> {
  return tryPort('127.0.0.1', 0);
}

/** Throws `set_up` naming the setting when the port cannot be listened on. */
export async function checkPort(host: string, port: number, setting: SettingName): Promise<void> {
  try {
    await tryPort(host, port);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== 'EADDRINUSE' && code !== 'EACCES') {
      const hostSetting = environmentName(setting).replace(/_PORT$/, '_HOST');
      throw new QuanrenError(
        'set_up',
        `${hostSetting} is ${host}, which is no address of this machine (${code}).`,
        {
          cause,
        },
      );
    }
    const other = port + 1000 <= 65_535 ? port + 1000 : port - 1000;
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${code})`;
    throw new QuanrenError(
      'set_up',
      `Port ${port} of ${host} ${why}. Give another one: ${environmentName(setting)}=${other} npm start`,
      { cause },
    );
  }
}
