import type { RemoteFailure } from '../wire/messages/remote-failure.js';

/** The server answered with an exception. */
export class RemoteException extends Error {
  /** `NotServingRegionException`, without its package. */
  readonly className: string;
  readonly doNotRetry: boolean;

  constructor(failure: RemoteFailure) {
    const [firstLine = ''] = failure.stackTrace.split('\n', 1);
    super(firstLine.slice(0, 500) || failure.className || 'The server failed and does not say why.');
    this.name = 'RemoteException';
    this.className = failure.className.slice(failure.className.lastIndexOf('.') + 1);
    this.doNotRetry = failure.doNotRetry;
  }
}
