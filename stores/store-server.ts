/** How a client sees one of the servers of a store just now. */
export interface StoreServer {
  /** `host:port` */
  readonly name: string;
  /** Rows asked of it whose answer is still to come, and how many these may be. */
  readonly rowsInFlight: number;
  readonly rowLimit: number;
  /** Rows that wait to be asked of it. */
  readonly rowsWaiting: number;
  /** It could not be reached lately: what is asked of it is refused at once. */
  readonly isAway: boolean;
}
