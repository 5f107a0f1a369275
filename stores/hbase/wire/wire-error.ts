/** What the server sent is not what the protocol allows. The only error that the decoders of this folder throw. */
export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WireError';
  }
}
