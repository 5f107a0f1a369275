/** As much of hbase-rpc-client 0.1.15 as the bench and the oracle test use; it brings no types of its own. */
declare module 'hbase-rpc-client' {
  interface Cell {
    readonly row: Buffer;
    readonly family: Buffer;
    readonly qualifier: Buffer;
    readonly value: Buffer;
    readonly ts: { toString(): string };
  }
  interface Result {
    readonly row: Buffer;
    readonly columns: readonly Cell[];
  }
  interface Get {
    readonly row: string;
  }
  interface Client {
    on(event: 'error', listener: (error: Error) => void): void;
    get(
      table: string,
      get: Get,
      done: (error: Error | null, result: Result | null | undefined) => void,
    ): void;
  }
  interface HBase {
    (options: { zookeeperHosts: string[]; zookeeperRoot?: string; tcpNoDelay?: boolean }): Client;
    Get: new (row: string) => Get;
  }
  const hbase: HBase;
  export default hbase;
}
