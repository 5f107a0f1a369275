/** Kafka over TLS, with a user and a password. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findFreePort } from '../../../cli/ports.js';
import { loadSettings } from '../../../config/settings.js';
import { engineFilesFolder } from '../../../engines/jars.js';
import { QUICK_JVM, runJava } from '../../../engines/jvm.js';
import type { EventBus } from '../../../events/event-bus.js';
import type { KafkaConnection } from '../../../events/kafka/kafka-connection.js';
import { openKafkaEventBus } from '../../../events/kafka/kafka-event-bus.js';
import { createCertificate } from '../../support/certificate.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';

const PASSWORD = 'hush-hush';

describe('the bus over Kafka with TLS and SASL', () => {
  let folder: string;
  let kafka: TestEngine;
  let connection: KafkaConnection;
  let plainBroker: string;
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'quanren-kafka-tls-'));
    const { cert, key } = createCertificate();
    const keyStore = path.join(folder, 'server.pem');
    writeFileSync(keyStore, key + cert);
    const [plain, secure, controller] = [await findFreePort(), await findFreePort(), await findFreePort()];
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
    const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required';
    plainBroker = `127.0.0.1:${plain}`;
    kafka = await startTestEngine('kafka', {
      ports: { kafka: plain, controller },
      settings: {
        listeners: [
          `PLAINTEXT://127.0.0.1:${plain}`,
          `SASL_SSL://127.0.0.1:${secure}`,
          `CONTROLLER://127.0.0.1:${controller}`,
        ].join(),
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${plain},SASL_SSL://localhost:${secure}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `${login} user_quanren="${PASSWORD}";`,
        'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': `${scram};`,
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${scram};`,
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': keyStore,
      },
    });
    const cacheFolder = loadSettings(process.env)['engines.cacheDir'];
    const files = engineFilesFolder({ engine: 'kafka', goal: 'copy-dependencies' }, cacheFolder);
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      await runJava(
        {
          folder,
          logFile: path.join(folder, 'config-command.log'),
          classPath: [path.join(files, '*')],
          mainClass: 'kafka.admin.ConfigCommand',
          args: [
            ...['--bootstrap-server', `127.0.0.1:${plain}`, '--alter', '--entity-type', 'users'],
            ...['--entity-name', 'quanren', '--add-config', `${mechanism}=[password=${PASSWORD}]`],
          ],
          heapMib: 128,
          flags: QUICK_JVM,
        },
        60_000,
      );
    }
    connection = {
      brokers: [`localhost:${secure}`],
      prefix: 'tls-',
      tls: { ca: cert },
      sasl: { mechanism: 'plain', username: 'quanren', password: PASSWORD },
    };
  });
  after(async () => {
    await kafka.remove();
    rmSync(folder, { recursive: true });
  });

  const change = { key: 'u1', value: { uid: 'u1', tagCode: 'rt_page', value: 'a', changeTimeMs: 1 } };

  async function withBus(
    other: Partial<KafkaConnection>,
    use: (bus: EventBus) => Promise<void>,
  ): Promise<void> {
    const bus = openKafkaEventBus({ ...connection, ...other });
    try {
      await use(bus);
    } finally {
      await bus.close();
    }
  }

  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    it(`publishes, claims and consumes with ${mechanism}`, () => {
      const sasl = { mechanism, username: 'quanren', password: PASSWORD };
      return withBus({ sasl, prefix: `${mechanism}-` }, useAll);
    });
  }

  async function useAll(bus: EventBus): Promise<void> {
    await bus.publish('tag-changes', [change]);
    const claimed = await bus.claim('a role');
    await claimed('tag-changes', [change]);
    let count = 0;
    const subscription = await bus.subscribe({
      topics: ['tag-changes'],
      group: 'g',
      start: { from: 'earliest' },
      onBatch: async ({ length }) => {
        count += length;
      },
      onError: assert.ifError,
    });
    await subscription.caughtUp();
    assert.equal(count, 2);
  }

  it('says that a password is wrong, without telling it', () =>
    withBus({ sasl: { mechanism: 'plain', username: 'quanren', password: 'wrong-one' } }, (bus) =>
      assert.rejects(bus.publish('tag-changes', [change]), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'set_up');
        assert.match(error.message, /SASL/);
        assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /wrong-one/);
        return true;
      }),
    ));

  it('refuses a broker that a foreign authority vouches for', () =>
    withBus({ tls: { ca: createCertificate().cert } }, (bus) =>
      assert.rejects(bus.publish('tag-changes', [change]), {
        code: 'unavailable',
        message: /\(\w*CERT\w*\)/,
      }),
    ));

  it('says what to look at where a port does not speak TLS, or wants it', async () => {
    const told = async (other: Partial<KafkaConnection>, message: RegExp) =>
      withBus(other, (bus) =>
        assert.rejects(bus.publish('tag-changes', [change]), { code: 'unavailable', message }),
      );
    await told({ brokers: [plainBroker], sasl: null }, /does this port of the broker speak TLS\?/);
    await told({ tls: null }, /this port may want TLS/);
    await told({ tls: null, sasl: null }, /this port may want TLS/);
  });
});
