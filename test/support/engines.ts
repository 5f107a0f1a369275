/** Real servers for a test file: `const redis = await startTestEngine('redis')`, and `await redis.remove()` after. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadSettings } from '../../config/settings.js';
import type { Engine, EngineChoices, EngineOptions } from '../../engines/engine.js';
import { QUICK_JVM } from '../../engines/jvm.js';
import { type EngineKind, startEngine } from '../../engines/start-engine.js';

export interface TestEngine {
  /** `engine.process(name)` can be killed, paused and resumed; `engine.start()` brings back what was killed. */
  readonly engine: Engine;
  /** Ends whatever runs of it and removes its folder. */
  remove(): Promise<void>;
}

/** Servers that a test process has started end with it, except when it is killed outright. */
const started = new Set<Engine>();
function killAll(): void {
  // The signals are sent before the first await.
  for (const engine of started) engine.kill().catch(() => undefined);
}
process.once('exit', killAll);
process.once('SIGTERM', () => process.exit(143));
process.once('SIGINT', () => process.exit(130));

/** Over a folder of its own (one that is given stays), on free ports; JVMs are started for quickness, not for speed, unless told otherwise. */
export async function startTestEngine(
  kind: EngineKind,
  choices: EngineChoices & Partial<Pick<EngineOptions, 'ports' | 'folder'>> = {},
): Promise<TestEngine> {
  const folder = choices.folder ?? mkdtempSync(path.join(tmpdir(), `quanren-${kind}-`));
  const remove = () => {
    // Postgres' backends notice a moment later that their postmaster is gone.
    if (choices.folder === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  const cacheFolder = loadSettings(process.env)['engines.cacheDir'];
  try {
    const engine = await startEngine(kind, { cacheFolder, jvm: { flags: QUICK_JVM }, ...choices, folder });
    started.add(engine);
    return {
      engine,
      remove: async () => {
        await engine.kill();
        started.delete(engine);
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
