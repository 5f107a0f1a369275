/** What every transport keeps, as tests over raw sockets: `testTransport(name, transport)` registers them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createHead,
  type Deferred,
  type Exchange,
  type ListeningTransport,
  MAX_HEADER_BYTES,
  type Transport,
} from './transport.js';

const JSON_HEAD = createHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
const NOT_FOUND = createHead(404, { 'content-type': 'text/plain' });
const NO_CONTENT = createHead(204, { allow: 'GET' });

/** The longest bound of any transport, and some time to look at it. */
export const SLOWEST_REQUEST_MS = 36_000;

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A client that sends what it is told, byte for byte. */
class RawClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  isClosed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(text: string): this {
    this.socket.write(text);
    return this;
  }

  async #until<T>(what: string, look: () => T | undefined, withinMs = 5_000): Promise<T> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (Date.now() > deadline)
        assert.fail(`${what} did not come; received: ${this.#received.subarray(0, 300)}`);
      await sleep(5);
    }
  }

  /** The next answer; with `isHead` it has no body whatever its length says. */
  answer(isHead = false): Promise<Answer> {
    return this.#until('the answer', () => {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end < 0) return undefined;
      const [statusLine = '', ...lines] = this.#received.subarray(0, end).toString().split('\r\n');
      const headers = new Map(
        lines.map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
        }),
      );
      const length = isHead ? 0 : Number(headers.get('content-length') ?? 0);
      if (this.#received.length < end + 4 + length) return undefined;
      const body = this.#received.subarray(end + 4, end + 4 + length).toString();
      this.#received = this.#received.subarray(end + 4 + length);
      return { status: Number(statusLine.split(' ')[1]), headers, body };
    });
  }

  closed(withinMs?: number): Promise<true> {
    return this.#until('the end of the connection', () => this.isClosed || undefined, withinMs);
  }
}

export function testTransport(name: string, transport: Transport): void {
  let server: ListeningTransport;
  const errors: unknown[] = [];
  const held: Deferred[] = [];
  const clients: RawClient[] = [];
  const open = (): RawClient => {
    const client = new RawClient(server.port);
    clients.push(client);
    return client;
  };
  const shared = new Uint8Array(16);

  const others: Readonly<Record<string, (exchange: Exchange) => void>> = {
    '/match': (exchange) => {
      if (exchange.method === 'OPTIONS') exchange.reply(NO_CONTENT, '');
      else exchange.reply(JSON_HEAD, `${exchange.method} other`);
    },
    '/body': (exchange) =>
      exchange.readBody(1_000, (deferred, body) =>
        deferred.reply(JSON_HEAD, body === 'too_large' ? body : `${body.length}:${Buffer.from(body)}`),
      ),
    '/late': (exchange) => {
      const deferred = exchange.defer();
      setTimeout(() => deferred.reply(JSON_HEAD, 'late'), 30);
    },
    '/held': (exchange) => {
      held.push(exchange.defer());
    },
    '/throw': () => {
      throw new Error('thrown by the handler');
    },
    '/forget': () => {},
  };
  const other = (exchange: Exchange): void => {
    const handler = others[exchange.path];
    if (handler === undefined) exchange.reply(NOT_FOUND, 'nothing here');
    else handler(exchange);
  };

  const listen = (port: number) =>
    transport.listen({
      host: '127.0.0.1',
      port,
      get: {
        '/match': (exchange) =>
          exchange.reply(JSON_HEAD, `${exchange.method} ${exchange.query} ${exchange.header('x-a')}`),
        '/bytes': (exchange) => {
          shared.fill(97);
          exchange.reply(JSON_HEAD, shared.subarray(0, 5));
          shared.fill(122);
        },
      },
      other,
      onHandlerError: (error) => errors.push(error),
    });

  before(async () => {
    server = await listen(0);
  });
  after(() => {
    for (const client of clients) client.socket.destroy();
    server.close();
  });
  const it = (what: string, run: () => Promise<void>): void => {
    test(`${name}: ${what}`, run);
  };
  const get = (target: string, headers = '') => `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

  it('the raw query and headers reach the handler, many times over one connection', async () => {
    const client = open();
    for (const query of ['uid=a', 'uid=%E5%9C%88+%zz&uid=b', '', 'a?b=c']) {
      const answer = await client.send(get(`/match?${query}`, 'X-A: v1\r\n')).answer();
      assert.equal(answer.status, 200);
      assert.equal(answer.body, `GET ${query} v1`);
      assert.equal(answer.headers.get('content-type'), 'application/json');
      assert.equal(answer.headers.get('cache-control'), 'no-store');
    }
    assert.equal((await client.send(get('/match')).answer()).body, 'GET  ');
  });

  it('bytes are copied before reply returns', async () => {
    assert.equal((await open().send(get('/bytes')).answer()).body, 'aaaaa');
  });

  it('pipelined requests are answered in order', async () => {
    const client = open().send(Array.from({ length: 20 }, (_, i) => get(`/match?${i}`)).join(''));
    for (let i = 0; i < 20; i++) assert.equal((await client.answer()).body, `GET ${i} `);
  });

  it('a request that comes in single bytes is one request', async () => {
    const client = open();
    client.socket.setNoDelay(true);
    for (const byte of get('/match?slow')) {
      client.send(byte);
      await sleep(1);
    }
    assert.equal((await client.answer()).body, 'GET slow ');
  });

  it('HEAD says the length and sends no body; OPTIONS 204 has no length', async () => {
    const client = open();
    const head = await client.send('HEAD /match HTTP/1.1\r\nHost: x\r\n\r\n').answer(true);
    assert.equal(head.status, 200);
    assert.equal(head.headers.get('content-length'), String('HEAD other'.length));
    const options = await client.send('OPTIONS /match HTTP/1.1\r\nHost: x\r\n\r\n').answer();
    assert.equal(options.status, 204);
    assert.equal(options.headers.get('allow'), 'GET');
    assert.equal(options.headers.get('content-length'), undefined);
    assert.equal((await client.send(get('/match?next')).answer()).body, 'GET next ');
  });

  it('other methods and paths go to the other handler', async () => {
    const client = open();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await client
        .send(`${method} /match HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc`)
        .answer();
      assert.equal(answer.body, `${method} other`);
    }
    assert.equal((await client.send(get('/nowhere')).answer()).status, 404);
    assert.equal((await client.send(get('/match/')).answer()).status, 404);
  });

  it('bodies are read whole, chunked ones too, and those over the bound are told', async () => {
    const post = (headers: string, body: string) =>
      `POST /body HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
    const client = open();
    assert.equal((await client.send(post('Content-Length: 5', 'hello')).answer()).body, '5:hello');
    assert.equal((await client.send(post('Content-Length: 0', '')).answer()).body, '0:');
    client.send(post('Content-Length: 10', 'hello'));
    await sleep(20);
    assert.equal((await client.send('world').answer()).body, '10:helloworld');
    const full = 'x'.repeat(1_000);
    assert.equal((await client.send(post('Content-Length: 1000', full)).answer()).body, `1000:${full}`);
    const chunked = '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';
    assert.equal(
      (await open().send(post('Transfer-Encoding: chunked', chunked)).answer()).body,
      '11:hello world',
    );
    const declared = open().send(post('Content-Length: 1001', 'x'));
    assert.equal((await declared.answer()).body, 'too_large');
    // The rest is taken and thrown away, and the connection serves on.
    assert.equal((await declared.send('x'.repeat(1_000)).send(get('/match?on')).answer()).body, 'GET on ');
    const endless = open().send(post('Content-Length: 999999999', 'x'));
    assert.equal((await endless.answer()).body, 'too_large');
    await endless.closed();
    const chunkedTooLarge = open().send(
      post('Transfer-Encoding: chunked', `3e9\r\n${'x'.repeat(1_001)}\r\n0\r\n\r\n`),
    );
    assert.equal((await chunkedTooLarge.answer()).body, 'too_large');
  });

  it('a late reply comes, and the connection serves on', async () => {
    const client = open();
    for (let i = 0; i < 3; i++) assert.equal((await client.send(get('/late')).answer()).body, 'late');
    const head = await client.send('HEAD /late HTTP/1.1\r\nHost: x\r\n\r\n').answer(true);
    assert.equal(head.headers.get('content-length'), '4');
  });

  it('a reply after the client has gone does nothing', async () => {
    const before = server.inFlight;
    const count = 20;
    const gone = Array.from({ length: count }, () => open().send(get('/held')));
    while (held.length < count) await sleep(5);
    assert.equal(server.inFlight, before + count);
    for (const client of gone) client.socket.destroy();
    while (server.inFlight > before) await sleep(5);
    for (const deferred of held.splice(0)) {
      assert.equal(deferred.isOver, true);
      deferred.reply(JSON_HEAD, 'to nobody');
      deferred.reply(JSON_HEAD, 'and again');
    }
    assert.equal((await open().send(get('/match?alive')).answer()).body, 'GET alive ');
  });

  it('a second reply does nothing', async () => {
    const client = open().send(get('/held'));
    while (held.length === 0) await sleep(5);
    const [deferred] = held.splice(0);
    deferred?.reply(JSON_HEAD, 'first');
    deferred?.reply(JSON_HEAD, 'second');
    assert.equal((await client.answer()).body, 'first');
    assert.equal((await client.send(get('/match?q')).answer()).body, 'GET q ');
  });

  it('a client that goes away within its body leaves nothing in flight', async () => {
    const before = server.inFlight;
    const part = 'POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart';
    for (const earlier of ['', get('/held')]) {
      const client = open().send(earlier + part);
      // uWebSockets.js closes a connection that sends on before a late reply has come.
      while (server.inFlight === before && !client.isClosed) await sleep(5);
      await sleep(20);
      client.socket.destroy();
      const deadline = Date.now() + 5_000;
      while (server.inFlight > before && Date.now() < deadline) await sleep(5);
      assert.equal(server.inFlight, before);
      held.length = 0;
    }
  });

  it('a handler that throws, or forgets to reply, is 500', async () => {
    errors.length = 0;
    assert.equal((await open().send(get('/throw')).answer()).status, 500);
    assert.equal((await open().send(get('/forget')).answer()).status, 500);
    assert.equal(errors.length, 2);
  });

  it('an exchange that outlives its handler is refused, not a crash', async () => {
    let kept: Exchange | undefined;
    const own = await transport.listen({
      host: '127.0.0.1',
      port: 0,
      get: {
        '/': (exchange) => {
          kept = exchange;
          exchange.reply(JSON_HEAD, 'ok');
        },
      },
      other,
      onHandlerError: (error) => errors.push(error),
    });
    const client = new RawClient(own.port).send(get('/'));
    assert.equal((await client.answer()).body, 'ok');
    try {
      kept?.reply(JSON_HEAD, 'again');
    } catch (error) {
      assert.match(String(error), /over/);
    }
    client.socket.destroy();
    own.close();
  });

  it(`headers of ${MAX_HEADER_BYTES / 2} bytes pass; endless ones end the connection`, async () => {
    const long = 'a'.repeat(MAX_HEADER_BYTES / 2);
    assert.equal(
      (
        await open()
          .send(get('/match?q', `X-A: ${long}\r\n`))
          .answer()
      ).body,
      `GET q ${long}`,
    );
    const client = open().send(get('/match?q', `X-A: ${'a'.repeat(100 * MAX_HEADER_BYTES)}\r\n`));
    await client.closed();
    assert.equal((await open().send(get('/match?alive')).answer()).status, 200);
  });

  it('what is no HTTP ends the connection and nothing else', async () => {
    for (const garbage of ['\u0000\u0001\u0002\r\n\r\n', 'GET\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01']) {
      const client = open().send(`${garbage}${'x'.repeat(200)}\r\n\r\n`);
      client.socket.end();
      await client.closed();
    }
    assert.equal((await open().send(get('/match?alive')).answer()).status, 200);
  });

  it('a request that does not come whole ends its connection, however its bytes trickle in', async () => {
    const slow = [
      '',
      'GET /match HTTP/1.1\r\nX: ',
      get('/match?q'),
      'POST /body HTTP/1.1\r\nContent-Length: 99\r\n\r\n',
    ];
    await Promise.all(
      slow.map(async (beginning, i) => {
        const client = open().send(beginning);
        const timer = setInterval(() => client.send('G'), 500);
        if (i === 0) clearInterval(timer);
        await client.closed(SLOWEST_REQUEST_MS).finally(() => clearInterval(timer));
      }),
    );
    assert.equal((await open().send(get('/match?alive')).answer()).status, 200);
  });

  it('draining: no new connections, the one in flight is answered and closed', async () => {
    const own = await listen(0);
    const client = new RawClient(own.port).send(get('/late'));
    const idle = new RawClient(own.port);
    for (const { socket } of [client, idle]) if (socket.connecting) await once(socket, 'connect');
    while (own.inFlight === 0) await sleep(1);
    own.drain();
    const answer = await client.answer();
    assert.equal(answer.body, 'late');
    assert.equal(answer.headers.get('connection'), 'close');
    await client.closed();
    const refused = new RawClient(own.port);
    await refused.closed();
    own.close();
    await idle.closed();
  });
}
