/**
 * The one retry policy: what is done about a failure, and how long to wait before.
 *
 * Nothing is tried again beyond the deadline of its operation. Between attempts lie waits that double, with jitter, so
 * that those who failed together do not come back together.
 */
import { backOffMs } from '../../../errors/back-off.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { CONNECTION_FAILURES, ConnectionError } from '../connection/connection-error.js';
import { RemoteException } from '../connection/remote-exception.js';
import { WireError } from '../wire/wire-error.js';

/**
 * `relocate`: the region is elsewhere; find it and try there, the first time at once.
 * `back-off`: the server is there but cannot; wait, then try there.
 * `at-once`: it only stopped half-way; try again, the first times at once.
 * `give-up`: it would fail again.
 */
export type Remedy = 'relocate' | 'back-off' | 'at-once' | 'give-up';

/** By the class of the exception. Those that are not listed: `back-off`, or `give-up` where the server says so. */
const REMEDIES: Readonly<Record<string, Remedy>> = {
  NotServingRegionException: 'relocate',
  RegionMovedException: 'relocate',
  RegionOfflineException: 'relocate',
  WrongRegionException: 'relocate',
  RegionServerStoppedException: 'relocate',
  RegionServerAbortedException: 'relocate',
  ServerNotRunningYetException: 'relocate',
  MasterNotRunningException: 'relocate',
  MasterStoppedException: 'relocate',
  NotAllMetaRegionsOnlineException: 'relocate',
  RegionOpeningException: 'back-off',
  RegionTooBusyException: 'back-off',
  CallQueueTooBigException: 'back-off',
  CallDroppedException: 'back-off',
  CallTimeoutException: 'back-off',
  RpcThrottlingException: 'back-off',
  PleaseHoldException: 'back-off',
  PleaseRestartMasterException: 'back-off',
  MultiActionResultTooLarge: 'at-once',
  RetryImmediatelyException: 'at-once',
  ScannerResetException: 'at-once',
  OutOfOrderScannerNextException: 'at-once',
  UnknownScannerException: 'at-once',
  LeaseException: 'at-once',
  AccessDeniedException: 'give-up',
  FatalConnectionException: 'give-up',
  NoSuchColumnFamilyException: 'give-up',
  FailedSanityCheckException: 'give-up',
  DoNotRetryIOException: 'give-up',
  UnsupportedOperationException: 'give-up',
};

/** What only another setting mends. */
const SET_UP = ['AccessDeniedException', 'FatalConnectionException', 'NoSuchColumnFamilyException'];

const WAIT = { firstMs: 10, longestMs: 1_000 };
const AT_ONCE_ATTEMPTS = 3;

export function remedyOf(error: unknown): Remedy {
  if (error instanceof ConnectionError) return 'relocate';
  if (error instanceof RemoteException) {
    return REMEDIES[error.className] ?? (error.doNotRetry ? 'give-up' : 'back-off');
  }
  return 'give-up';
}

/** Whether it says that rows cannot be reached where they were looked for. */
export function isAway(error: unknown): boolean {
  if (error instanceof RemoteException && error.className === 'RegionOpeningException') return true;
  return remedyOf(error) === 'relocate';
}

/** How long to wait before the next attempt. `attempts`: how many have failed, 1 or more. `random`: 0 ≤ random < 1. */
export function waitMs(remedy: Remedy, attempts: number, random: number = Math.random()): number {
  const free = remedy === 'relocate' ? 1 : remedy === 'at-once' ? AT_ONCE_ATTEMPTS : 0;
  return attempts <= free ? 0 : backOffMs(WAIT, attempts - free, random);
}

/** All that `causeOf` says, for metrics. */
export const RETRY_CAUSES: readonly string[] = [
  ...CONNECTION_FAILURES.map((kind) => `connection ${kind}`),
  ...Object.keys(REMEDIES).filter((name) => REMEDIES[name] !== 'give-up'),
  'other',
];

/** One of `RETRY_CAUSES`, for what is tried again. */
export function causeOf(error: unknown): string {
  if (error instanceof ConnectionError) return `connection ${error.kind}`;
  if (error instanceof RemoteException && error.className in REMEDIES) return error.className;
  return 'other';
}

/** What the caller is told when nothing more is tried. */
export function finalError(error: unknown): QuanrenError {
  if (error instanceof QuanrenError) return error;
  const code = isSetUp(error) ? 'set_up' : 'unavailable';
  return new QuanrenError(code, `HBase: ${sayWhy(error)}`, { cause: error });
}

/** In words of ours alone. HBase's own name regions by their first rows, and these are users. */
export function sayWhy(error: unknown): string {
  if (error instanceof RemoteException) return `it answered ${error.className}.`;
  const isOurs =
    error instanceof ConnectionError || error instanceof WireError || error instanceof QuanrenError;
  return isOurs ? error.message : 'a defect of its client.';
}

function isSetUp(error: unknown): boolean {
  return error instanceof RemoteException && SET_UP.includes(error.className);
}
