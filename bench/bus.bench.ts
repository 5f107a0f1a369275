/** The embedded bus. Every commit is synced to disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { measureLatency, measureThroughput } from './bus/measure-bus.js';

const folder = mkdtempSync(path.join(tmpdir(), 'quanren-bench-'));
await measureLatency({ folder: path.join(folder, 'latency'), kafka: null });
await measureThroughput({ folder: path.join(folder, 'throughput'), kafka: null });
rmSync(folder, { recursive: true });
