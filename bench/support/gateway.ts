/** A gateway of one worker on a core of its own. */
import { GatewayProcess } from '../../test/integration/gateway/gateway-process.js';
import { pin, SERVER_CORE, withChildren } from './processes.js';

export interface BenchGateway {
  readonly process: GatewayProcess;
  readonly url: string;
  readonly port: number;
  /** Its main process and its worker. */
  readonly pids: readonly number[];
}

/** Over a data folder; ready when this resolves. `environment`: its settings; `build`: of another version. */
export async function startGateway(
  data: { readonly folder: string },
  environment: Readonly<Record<string, string>>,
  core: string = SERVER_CORE,
  build: Pick<typeof GatewayProcess, 'start'> = GatewayProcess,
): Promise<BenchGateway> {
  const gateway = await build.start(data, { QUANREN_GATEWAY_WORKERS: '1', ...environment });
  await gateway.ready();
  const pids = withChildren(gateway.child.pid ?? 0);
  pin(pids, core);
  return { process: gateway, url: gateway.url, port: Number(new URL(gateway.url).port), pids };
}
