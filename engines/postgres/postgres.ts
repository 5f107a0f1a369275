/** Postgres, the same that the platform embeds; `password` in its folder holds the superuser's. */
import path from 'node:path';
import pg from 'pg';
import { connectionsToEmbeddedPostgres, startEmbeddedPostgres } from '../../catalog/embedded-postgres.js';
import type { EngineChoices, EngineRecipe } from '../engine.js';

const ANSWERS_WITHIN_MS = 120_000;
const STOPS_WITHIN_MS = 30_000;

export function postgres({ settings = {} }: EngineChoices): EngineRecipe {
  return {
    kind: 'postgres',
    layout: 'one server',
    ports: ['postgres'],
    addresses: (ports) => ({ postgres: `postgres://quanren@127.0.0.1:${ports.postgres}/quanren` }),
    prepare: () => Promise.resolve(),
    servers: ({ folder, ports: { postgres: port = 0 } }) => [
      [
        {
          name: 'postgres',
          logFile: path.join(folder, 'postgres.log'),
          launch: async () => {
            const { pid } = await startEmbeddedPostgres({ folder, port, settings, outlivesParent: true });
            return pid;
          },
          ask: async () => {
            const client = new pg.Client({
              ...connectionsToEmbeddedPostgres({ folder, port }).app,
              connectionTimeoutMillis: 5_000,
              query_timeout: 5_000,
            });
            await client.connect();
            try {
              await client.query('SELECT');
            } finally {
              await client.end();
            }
          },
          answersWithinMs: ANSWERS_WITHIN_MS,
          stopSignal: 'SIGINT',
          stopsWithinMs: STOPS_WITHIN_MS,
        },
      ],
    ],
  };
}
