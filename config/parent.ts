/**
 * The process that started this one (cli/supervised-process.ts): what it is told, over IPC, and when this one is to end.
 * One that was started by hand has none.
 */

export type ParentMessage =
  /** What to know while it starts, or later. */
  | { readonly progress: string }
  /** It serves; what there is to say of it. */
  | { readonly ready: Readonly<Record<string, unknown>> }
  /** It cannot start: the sentence to show. */
  | { readonly failed: string };

/** Resolves when the message is sent, or there is nobody (any more) to hear it. */
export function tellParent(message: ParentMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, {}, () => resolve());
  });
}

/**
 * On SIGTERM, on SIGINT, and when the parent is gone: calls `stop`, once, and ends this process with exit code 0, or with 1
 * after `onFailure` where it rejects. False: the parent is gone already, and it has begun.
 */
export function stopOnRequest(stop: () => Promise<void>, onFailure: (error: unknown) => void): boolean {
  let isStopping = false;
  const end = async (): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    try {
      await stop();
      process.exit(0);
    } catch (error) {
      onFailure(error);
      process.exit(1);
    }
  };
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, () => void end());
  // The parent was killed while this process was being loaded.
  if (process.connected === false) void end();
  return !isStopping;
}
