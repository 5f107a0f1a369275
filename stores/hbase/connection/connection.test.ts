/** Connections to servers that misbehave: sockets on loopback that say what the test wants and no more. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../../config/addresses.js';
import { type Answer, reply, startFakeRpcServer } from '../../../test/support/fake-rpc-server.js';
import { type Authentication, simpleAuthentication } from './authentication.js';
import type { ConnectionError } from './connection-error.js';
import { type ConnectionOptions, RpcConnection } from './rpc-connection.js';
import { ServerLink } from './server-link.js';
import { ServerLinks } from './server-links.js';

const OPTIONS: ConnectionOptions = {
  authentication: simpleAuthentication('tester'),
  connectTimeoutMs: 1_000,
  maxFrameBytes: 1_000,
  maxCallsInFlight: 10,
  busyPingMs: 50,
  inUseMs: 0,
  idlePingMs: 150,
  pingTimeoutMs: 100,
};

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server that is stopped after the test. */
async function serve(...args: Parameters<typeof startFakeRpcServer>) {
  const server = await startFakeRpcServer(...args);
  closing.push(server.stop);
  return server;
}

async function open(address: Address, options = OPTIONS): Promise<RpcConnection> {
  const connection = await RpcConnection.open(address, 'ClientService', options);
  closing.push(() => connection.close());
  return connection;
}

const ask = (method: string, timeoutMs: number) => ({
  method,
  write: () => undefined,
  read: () => 'answered',
  timeoutMs,
});

describe('RpcConnection', () => {
  it('matches answers to calls in any order', async () => {
    const waiting: number[] = [];
    const { address } = await serve((callId, _method, socket) => {
      waiting.push(callId);
      if (waiting.length === 3) for (const id of waiting.reverse()) reply(socket, id);
    });
    const connection = await open(address);
    const calls = [1, 2, 3].map(() => connection.call(ask('Get', 1_000)));
    assert.deepEqual(await Promise.all(calls), ['answered', 'answered', 'answered']);
  });

  it('finds out that the other end is gone long before the deadline of the call', async () => {
    const { address } = await serve(() => undefined);
    const connection = await open(address);
    const startedMs = Date.now();
    await assert.rejects(connection.call(ask('Get', 60_000)), { name: 'ConnectionError', kind: 'lost' });
    assert.ok(Date.now() - startedMs < 2_000);
    assert.equal(connection.hasFailed, true);
  });

  it('finds out so while no call waits, too', async () => {
    const { address } = await serve(() => undefined);
    const connection = await open(address);
    for (let i = 0; i < 100 && !connection.hasFailed; i += 1) await sleep(20);
    assert.equal(connection.hasFailed, true);
  });

  it('finds out so soon of a server that was in use a moment ago', async () => {
    const { address } = await serve(() => undefined);
    const connection = await open(address, { ...OPTIONS, inUseMs: 10_000, idlePingMs: 10_000 });
    for (let i = 0; i < 100 && !connection.hasFailed; i += 1) await sleep(20);
    assert.equal(connection.hasFailed, true);
  });

  it('waits for a server that is slow and answers pings', async () => {
    const { address } = await serve((callId, method, socket) => {
      if (method === 'Get') setTimeout(() => reply(socket, callId), 600);
      else reply(socket, callId);
    });
    const connection = await open(address);
    assert.equal(await connection.call(ask('Get', 5_000)), 'answered');
  });

  it('gives a call up at its deadline, and takes no harm from the answer that comes after it', async () => {
    const { address } = await serve((callId, method, socket) => {
      setTimeout(() => reply(socket, callId), method === 'Slow' ? 100 : 0);
    });
    const connection = await open(address);
    await assert.rejects(connection.call(ask('Slow', 30)), { name: 'ConnectionError', kind: 'timeout' });
    await sleep(150);
    assert.equal(await connection.call(ask('Get', 1_000)), 'answered');
  });

  it('fails every call when the server sends what is not the protocol', async () => {
    for (const garbage of [
      Buffer.alloc(40, 0xff),
      Buffer.from([0, 0, 0, 2, 9, 9]),
      Buffer.from('HTTP/1.1 400\r\n'),
    ]) {
      const { address } = await serve((_callId, method, socket) => {
        if (method === 'Last') socket.write(garbage);
      });
      const connection = await open(address);
      const calls = [ask('Get', 5_000), ask('Last', 5_000)].map((call) => connection.call(call));
      for (const call of calls) await assert.rejects(call, { name: 'WireError' });
      await assert.rejects(connection.call(ask('Get', 5_000)), { name: 'WireError' });
    }
  });

  it('says why the server does not accept us, to every call', async () => {
    const exception = 'org.apache.hadoop.hbase.security.AccessDeniedException';
    const { address } = await serve(() => undefined, {
      onConnection: (socket) => {
        reply(socket, 2 ** 32 - 33, { exception });
        socket.end();
      },
    });
    const refused = { name: 'RemoteException', className: 'AccessDeniedException' };
    await assert.rejects(open(address), refused);
    const link = new ServerLink(address, 'ClientService', OPTIONS);
    closing.push(() => link.close());
    for (let i = 0; i < 5; i += 1) await assert.rejects(link.call(ask('Get', 5_000)), refused);
  });

  describe('with a handshake', () => {
    const TOKEN = 'token';
    const DIGEST = 0x52;
    const authentication: Authentication = {
      authByte: DIGEST,
      userName: 'tester',
      handshake: async (socket) => {
        socket.write(TOKEN);
        const [answer] = (await once(socket, 'data')) as [Buffer];
        if (answer.toString() !== 'yes') throw new Error(`It said ${answer}.`);
      },
    };
    const options = { ...OPTIONS, authentication, connectTimeoutMs: 200 };

    /** Gives its answer once it has read the preamble and the token; then it is as any other. */
    async function serveThatAsks(answerToken: (socket: Socket) => void) {
      let heard = '';
      const { address } = await serve((callId, _method, socket) => reply(socket, callId), {
        preambleBytes: 6 + TOKEN.length,
        onConnection: (socket) => {
          let text = '';
          socket.on('data', (chunk) => {
            if (text.length >= 6 + TOKEN.length) return;
            text += chunk.toString('latin1');
            heard = text;
            if (text.length >= 6 + TOKEN.length) answerToken(socket);
          });
        },
      });
      return { address, heard: () => heard };
    }

    it('says who we are, and waits until it is believed, before anything else', async () => {
      const { address, heard } = await serveThatAsks((socket) => setTimeout(() => socket.write('yes'), 50));
      const connection = await open(address, options);
      assert.equal(heard(), 'HBas\0Rtoken');
      assert.equal(await connection.call(ask('Get', 1_000)), 'answered');
    });

    it('is refused where it is not believed, not answered, or cut off', async () => {
      for (const [answerToken, why] of [
        [(socket: Socket) => socket.write('no'), /^It said no\.$/],
        [() => undefined, /^It did not answer within 200 ms\.$/],
        [(socket: Socket) => socket.destroy(), /^It closed the connection\.$/],
        [(socket: Socket) => socket.resetAndDestroy(), /ECONNRESET|^It closed/],
      ] as const) {
        const { address } = await serveThatAsks(answerToken);
        const startedMs = performance.now();
        await assert.rejects(open(address, options), (error: ConnectionError) => {
          assert.equal(error.kind, 'refused');
          assert.equal(error.message, 'The server did not accept who we are.');
          assert.match((error.cause as Error).message, why);
          return true;
        });
        assert.ok(performance.now() - startedMs < 1_000);
      }
    });
  });

  it('is not open before the server has answered', async () => {
    const { address } = await serve(() => undefined, { isGreeting: false });
    await assert.rejects(open(address), { name: 'ConnectionError' });
  });

  it('refuses more calls than may wait', async () => {
    const { address } = await serve((callId, method, socket) => {
      if (method !== 'Get') reply(socket, callId);
    });
    const connection = await open(address);
    const calls = Array.from({ length: 10 }, () => connection.call(ask('Get', 5_000)));
    await assert.rejects(connection.call(ask('Get', 5_000)), { name: 'ConnectionError', kind: 'refused' });
    connection.close();
    for (const call of calls) await assert.rejects(call, { kind: 'lost' });
  });
});

describe('ServerLinks', () => {
  it('let go of a link that nobody uses when another is made', async () => {
    const answer: Answer = (callId, _method, socket) => reply(socket, callId);
    let closed = 0;
    const old = await serve(answer, { onConnection: (socket) => socket.on('close', () => (closed += 1)) });
    const used = await serve(answer);
    const links = new ServerLinks(OPTIONS, 200);
    closing.push(() => links.close());
    const link = links.to(old.address, 'ClientService');
    await link.call(ask('Get', 1_000));
    const kept = links.to(used.address, 'ClientService');
    await sleep(250);
    await kept.call(ask('Get', 1_000));
    assert.equal(closed, 0);
    links.to({ host: '127.0.0.1', port: 1 }, 'ClientService');
    for (let i = 0; i < 100 && closed === 0; i += 1) await sleep(10);
    assert.equal(closed, 1);
    assert.equal(links.to(used.address, 'ClientService'), kept);
    assert.notEqual(links.to(old.address, 'ClientService'), link);
    assert.equal(await links.to(old.address, 'ClientService').call(ask('Get', 1_000)), 'answered');
  });
});

describe('ServerLink', () => {
  it('makes one attempt at a time, rests between them, and says when the server is away for long', async () => {
    let attempts = 0;
    const { address } = await serve(() => undefined, {
      onConnection: (socket) => {
        attempts += 1;
        socket.destroy();
      },
    });
    const link = new ServerLink(address, 'ClientService', OPTIONS);
    closing.push(() => link.close());
    let lasting = 0;
    const untilMs = Date.now() + 1_000;
    while (Date.now() < untilMs) {
      const calls = Array.from({ length: 200 }, () => link.call(ask('Get', 1_000)));
      for (const result of await Promise.allSettled(calls)) {
        assert.equal(result.status, 'rejected');
        if ((result.reason as { isLasting: boolean }).isLasting) lasting += 1;
      }
      await sleep(5);
    }
    assert.ok(attempts >= 2 && attempts <= 12, `${attempts} attempts in a second`);
    assert.ok(lasting > 0);
  });

  it('connects again by itself when the server is back', async () => {
    const answer: Answer = (callId, _method, socket) => reply(socket, callId);
    const { address, stop } = await serve(answer);
    const link = new ServerLink(address, 'ClientService', OPTIONS);
    closing.push(() => link.close());
    assert.equal(await link.call(ask('Get', 1_000)), 'answered');
    stop();
    await assert.rejects(async () => {
      for (let i = 0; i < 50; i += 1) {
        await link.call(ask('Get', 1_000));
        await sleep(5);
      }
    });
    await serve(answer, { port: address.port });
    const untilMs = Date.now() + 3_000;
    for (;;) {
      const result = await link.call(ask('Get', 1_000)).catch(() => undefined);
      if (result === 'answered') break;
      assert.ok(Date.now() < untilMs);
      await sleep(10);
    }
  });

  it('of many clients come back one after the other', async () => {
    const answer: Answer = (callId, _method, socket) => reply(socket, callId);
    const { address, stop } = await serve(answer);
    const links = Array.from({ length: 50 }, () => new ServerLink(address, 'ClientService', OPTIONS));
    closing.push(() => {
      for (const link of links) link.close();
    });
    await Promise.all(links.map((link) => link.call(ask('Get', 1_000))));
    stop();
    await sleep(1_000);
    const cameAtMs: number[] = [];
    await serve(answer, { port: address.port, onConnection: () => cameAtMs.push(performance.now()) });
    for (let i = 0; i < 200 && cameAtMs.length < links.length; i += 1) await sleep(10);
    assert.equal(cameAtMs.length, links.length, 'each of them, by itself, within two seconds');
    const together = cameAtMs.map(
      (atMs) => cameAtMs.filter((each) => each >= atMs && each < atMs + 100).length,
    );
    assert.ok(Math.max(...together) < links.length / 2, `${Math.max(...together)} within 100 ms`);
  });
});
