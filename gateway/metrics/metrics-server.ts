/** `/metrics`, on a port of its own on loopback: who scrapes is not who asks. */
import { createServer } from 'node:http';
import type { Registry } from 'prom-client';
import { QuanrenError } from '../../errors/quanren-error.js';

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Throws `set_up` where the port is taken. */
export async function startMetricsServer(
  registry: Registry,
  port: number,
  onError: (error: unknown) => void,
): Promise<MetricsServer> {
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Only /metrics is here.\n');
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => {
        onError(error);
        response.writeHead(500).end();
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new QuanrenError(
          'set_up',
          `Port ${port} for /metrics is in use or not allowed; QUANREN_GATEWAY_METRICS_PORT names another.`,
          { cause },
        ),
      ),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
