/** Loads as the platform's API tells of them, followed to their end. */
import type { PlatformClient } from './platform-client.js';

export interface LoadAnswer {
  readonly loadId: number;
  readonly status: 'queued' | 'running' | 'done' | 'failed';
  readonly progress: { readonly step: string } | null;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly error: string | null;
}

/** Follows a load that was accepted until it has ended; each new step is shown on standard error. */
export async function followLoad(client: PlatformClient, accepted: unknown): Promise<LoadAnswer> {
  const { loadId } = accepted as LoadAnswer;
  let shown = '';
  return client.follow<LoadAnswer>(
    `/loads/${loadId}`,
    ({ status }) => status === 'done' || status === 'failed',
    ({ status, progress }) => {
      const step = progress === null ? status : `${status}: ${progress.step}`;
      if (step !== shown) console.error(`load ${loadId} ${step}`);
      shown = step;
    },
  );
}

/** Prints a load's end: its result, or why it failed, which makes the exit code 1. */
export function printLoad(load: LoadAnswer, asJson: boolean, describe: (result: LoadResult) => string): void {
  if (load.status === 'failed') process.exitCode = 1;
  if (asJson) console.log(JSON.stringify(load));
  else if (load.result === null) console.error(`quanren: the load failed: ${load.error}`);
  else console.log(describe(load.result));
}

type LoadResult = Readonly<Record<string, unknown>>;
