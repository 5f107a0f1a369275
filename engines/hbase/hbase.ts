import type { EngineChoices, EngineRecipe } from '../engine.js';
import { hbaseCluster, readRegionServers } from './cluster.js';
import { standaloneHBase } from './standalone.js';

export function hbase(choices: EngineChoices, layout: string | undefined): EngineRecipe {
  const regionServers =
    choices.regionServers ?? (layout === undefined ? undefined : readRegionServers(layout));
  return regionServers === undefined ? standaloneHBase(choices) : hbaseCluster(regionServers, choices);
}
