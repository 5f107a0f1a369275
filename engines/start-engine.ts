/** Every engine by its name: what the `quanren engines` command and the tests start. */
import { Engine, type EngineOptions, type EngineRecipe } from './engine.js';
import { type HBaseOptions, hbase } from './hbase/hbase.js';
import { type KafkaOptions, kafka } from './kafka/kafka.js';
import { type PostgresOptions, postgres } from './postgres/postgres.js';
import { type RedisOptions, redis } from './redis/redis.js';

/** What each engine can be told beside its folder and ports. */
export interface EngineChoices {
  readonly kafka: KafkaOptions;
  readonly hbase: HBaseOptions;
  readonly redis: RedisOptions;
  readonly postgres: PostgresOptions;
}

export type EngineKind = keyof EngineChoices;

const RECIPES: { readonly [K in EngineKind]: (choices: EngineChoices[K]) => EngineRecipe } = {
  kafka,
  hbase,
  redis,
  postgres,
};

export const ENGINE_KINDS = Object.keys(RECIPES) as readonly EngineKind[];

/** The engine over a folder, as it is found: running, stopped, dead, or not there yet. */
export function findEngine<K extends EngineKind>(kind: K, options: EngineOptions & EngineChoices[K]): Engine {
  return new Engine(RECIPES[kind](options), options);
}

/** The engine over a folder, when all of it answers. Rejects as `Engine.start` does. */
export async function startEngine<K extends EngineKind>(
  kind: K,
  options: EngineOptions & EngineChoices[K],
): Promise<Engine> {
  const engine = findEngine(kind, options);
  await engine.start();
  return engine;
}
