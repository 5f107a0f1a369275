/** A worker of a gateway looked into through the inspector of Node.js. */
import { once } from 'node:events';
import { WebSocket } from 'undici';
import { until } from '../../support/until.js';
import type { GatewayProcess } from './gateway-process.js';

const ANSWER_WITHIN_MS = 10_000;

export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown };
      this.#waiting.get(id)?.(result);
    });
  }

  /** Once per process, whose gateway was started with `--inspect-port=0` in NODE_OPTIONS. */
  static async open(gateway: GatewayProcess, pid: number): Promise<Inspector> {
    const from = gateway.output.length;
    process.kill(pid, 'SIGUSR1');
    const url = await until(
      'the inspector',
      () => /Debugger listening on (ws:\/\/\S+)/.exec(gateway.output.slice(from))?.[1],
    );
    const socket = new WebSocket(url);
    await once(socket, 'open', { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return new Inspector(socket);
  }

  /** The value of an expression; what it makes happen later is not waited for. */
  async evaluate(expression: string): Promise<unknown> {
    const result = await this.#call('Runtime.evaluate', { expression, returnByValue: true });
    return (result as { result: { value?: unknown } }).result.value;
  }

  /** What a full garbage collection leaves of JavaScript objects and of the buffers they hold, in bytes. */
  async liveBytes(): Promise<number> {
    await this.#call('HeapProfiler.collectGarbage', {});
    const usage = await this.evaluate(
      '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())',
    );
    return Number(usage);
  }

  close(): void {
    this.#socket.close();
  }

  #call(method: string, params: object): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${method}: no answer`)), ANSWER_WITHIN_MS).unref();
      this.#waiting.set(id, (result) => {
        clearTimeout(late);
        this.#waiting.delete(id);
        resolve(result);
      });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
