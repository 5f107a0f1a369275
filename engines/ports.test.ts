import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { reservePorts } from './ports.js';

describe('reservePorts', { skip: process.platform !== 'linux' }, () => {
  it('gives each name a port of its own, below those of outgoing connections, to one at a time', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `port-${index}`);
    const both = await Promise.all([reservePorts(names, {}, {}), reservePorts(names, {}, {})]);
    const ports = both.flatMap((each) => Object.values(each.ports));
    assert.equal(new Set(ports).size, 40);
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1');
    assert(Math.max(...ports) < Math.max(Number.parseInt(range, 10), 12_400));
    for (const { release } of both) release();
  });

  it('keeps the port of before while it is free, and takes the one that it is told', async () => {
    const first = await reservePorts(['a', 'b'], {}, {});
    const { a = 0, b = 0 } = first.ports;
    const other = await reservePorts(['a'], {}, first.ports);
    assert.notEqual(other.ports.a, a);
    other.release();
    first.release();
    const again = await reservePorts(['a', 'b'], {}, first.ports);
    assert.deepEqual(again.ports, first.ports);
    again.release();
    const told = await reservePorts(['a', 'b'], { a: b }, { a });
    assert.equal(told.ports.a, b);
    told.release();
  });

  it('refuses a port that it is told and that somebody has', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    try {
      await assert.rejects(reservePorts(['a', 'b'], { b: port }, {}), {
        code: 'set_up',
        message: new RegExp(`Port ${port} of 127.0.0.1, wanted for b, is in use`),
      });
      const { ports, release } = await reservePorts(['b'], {}, { b: port });
      assert.notEqual(ports.b, port);
      release();
    } finally {
      server.close();
    }
  });
});
