/**
 * A TCP proxy on loopback that spoils what passes: between the gateway and a back end it is the bad network.
 *
 *   pass       bytes as they come
 *   delay      bytes as they come, each chunk `delayMs` later
 *   cut        each connection breaks after `cutAfterBytes` from the server
 *   half-open  connections stay and are taken, and nothing passes either way
 *   refuse     connections are reset, new ones too
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Weather =
  | { readonly kind: 'pass' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'cut'; readonly cutAfterBytes: number }
  | { readonly kind: 'half-open' }
  | { readonly kind: 'refuse' };

/** Chunks of one connection that wait at once; then its sender is held back. */
const MAX_WAITING = 256;

export class FaultProxy {
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  #weather: Weather = { kind: 'pass' };

  private constructor(port: number) {
    this.#port = port;
  }

  /** Listens on `host`, another address of loopback, for as long as the process lives, and goes on to the same port of 127.0.0.1. */
  static async start(host: string, port: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(port);
    const server = createServer((socket) => proxy.#accept(socket));
    server.listen(port, host);
    await once(server, 'listening');
    return proxy;
  }

  /** From now on, for the connections that are there too. */
  turn(weather: Weather): void {
    this.#weather = weather;
    if (weather.kind === 'refuse') for (const socket of this.#sockets) socket.resetAndDestroy();
    // What was held back goes on, or its connection would be silent for ever.
    for (const socket of this.#sockets) if (weather.kind !== 'half-open') socket.resume();
  }

  #accept(client: Socket): void {
    this.#keep(client);
    if (this.#weather.kind === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    this.#keep(server);
    client.setNoDelay(true);
    this.#pipe(client, server, false);
    this.#pipe(server, client, true);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #pipe(from: Socket, to: Socket, isFromServer: boolean): void {
    let passed = 0;
    let waiting = 0;
    let queue = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      const weather = this.#weather;
      if (weather.kind === 'half-open') {
        from.pause();
        from.unshift(chunk);
        return;
      }
      passed += chunk.length;
      if (weather.kind === 'cut' && isFromServer && passed > weather.cutAfterBytes) {
        // In the middle of what it was saying.
        to.write(chunk.subarray(0, chunk.length >> 1));
        to.destroySoon();
        from.destroy();
        return;
      }
      waiting += 1;
      if (waiting >= MAX_WAITING) from.pause();
      const delayMs = weather.kind === 'delay' ? weather.delayMs : 0;
      const due = delayMs === 0 ? Promise.resolve() : sleep(delayMs);
      queue = Promise.all([queue, due]).then(() => {
        waiting -= 1;
        if (waiting < MAX_WAITING && this.#weather.kind !== 'half-open') from.resume();
        if (to.writable) to.write(chunk);
      });
    });
    from.on('close', () => {
      void queue.then(() => to.destroy());
    });
  }
}
