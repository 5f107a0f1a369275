/** The process of `bad-network.ts`: gets a plan as its argument, orders as messages, and answers each when it is done. */
import type { NetworkPlan, WeatherOrder } from './bad-network.js';
import { FaultProxy } from './fault-proxy.js';

const { host, ports } = JSON.parse(process.argv[2] ?? '') as NetworkPlan;
const proxies = new Map<string, FaultProxy[]>();
for (const [name, of] of Object.entries(ports))
  proxies.set(name, await Promise.all(of.map((port) => FaultProxy.start(host, port))));

process.on('message', ({ about, weather }: WeatherOrder) => {
  for (const proxy of proxies.get(about) ?? []) proxy.turn(weather);
  process.send?.('turned');
});
process.on('disconnect', () => process.exit(0));
process.send?.('listening');
