/** Every engine by its name: what the `quanren engines` command and the tests start. */
import { Engine, type EngineChoices, type EngineOptions, type EngineRecipe, readLayout } from './engine.js';
import { hbase } from './hbase/hbase.js';
import { kafka } from './kafka/kafka.js';
import { postgres } from './postgres/postgres.js';
import { redis } from './redis/redis.js';

const RECIPES = { kafka, hbase, redis, postgres } satisfies Record<
  string,
  (choices: EngineChoices, layout: string | undefined) => EngineRecipe
>;

export type EngineKind = keyof typeof RECIPES;

export const ENGINE_KINDS = Object.keys(RECIPES) as readonly EngineKind[];

/** The engine over a folder, as it is found: running, stopped, dead, or not there yet. */
export function findEngine(kind: EngineKind, options: EngineOptions): Engine {
  return new Engine(RECIPES[kind](options, readLayout(options.folder)), options);
}

/** The engine over a folder, when all of it answers. Rejects as `Engine.start` does. */
export async function startEngine(kind: EngineKind, options: EngineOptions): Promise<Engine> {
  const engine = findEngine(kind, options);
  await engine.start();
  return engine;
}
