import { describeSharedCacheContract } from '../../gateway/cache/shared-cache.contract.js';
import { PromptConnection, type SimulatedConnection, SimulatedServer } from './simulated-redis.js';

describeSharedCacheContract('the simulated cache', async () => {
  let timeMs = 1_000_000;
  let names = 0;
  const newName = () => {
    names += 1;
    return `name ${names}`;
  };
  const now = () => timeMs;
  const makeServer = (entries?: SimulatedServer['entries']) =>
    new SimulatedServer(newName(), { now, bugs: {} }, entries);
  let server = makeServer();
  const connections: SimulatedConnection[] = [];
  return {
    open: async (ttlMs) => {
      const connection = new PromptConnection(server, {
        newToken: newName,
        ttlMs,
        now,
        timeoutMs: 50,
        bugs: {},
      });
      connections.push(connection);
      return connection;
    },
    pass: async (ms) => {
      timeMs += ms;
    },
    replaceServer: async (entries) => {
      server = makeServer(entries === 'kept' ? server.entries : undefined);
      for (const connection of connections) connection.reconnect(server);
    },
    takeAway: async () => {
      server.isUp = false;
    },
    bringBack: async () => {
      server.isUp = true;
    },
    remove: async () => {},
  };
});
