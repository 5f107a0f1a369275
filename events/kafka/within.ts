import { QuanrenError } from '../../errors/quanren-error.js';

/** What `work` comes to, or `unavailable` after `deadlineMs`; the work itself is not ended. */
export async function within<T>(deadlineMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new QuanrenError('unavailable', `Kafka: ${what} was not done within ${deadlineMs} ms.`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
