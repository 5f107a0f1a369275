/** As much of hbase-rpc-client 0.1.15 as benches and tests use; it brings no types of its own. */
declare module 'hbase-rpc-client' {
  interface Cell {
    readonly family: Buffer;
    readonly qualifier: Buffer;
    readonly value: Buffer;
    /** A Long. */
    readonly timestamp: { toString(): string };
  }
  interface Result {
    readonly row: Buffer;
    readonly columns: readonly Cell[];
  }
  type Done<T> = (error: Error | null, result: T) => void;
  interface Get {
    readonly row: string;
  }
  interface Put {
    add(family: string, qualifier: string, value: string, timestampMs: number): void;
  }
  interface Delete {
    deleteColumns(family: string, qualifier: string, timestampMs: number): void;
  }
  interface Client {
    readonly zk: { close(): void };
    on(event: 'error', listener: (error: Error) => void): void;
    get(table: string, get: Get, done: Done<Result | null | undefined>): void;
    put(table: string, put: Put, done: Done<unknown>): void;
    delete(table: string, del: Delete, done: Done<unknown>): void;
  }
  interface HBase {
    (options: { zookeeperHosts: string[]; tcpNoDelay?: boolean }): Client;
    Get: new (row: string) => Get;
    Put: new (row: string) => Put;
    Delete: new (row: string) => Delete;
  }
  const hbase: HBase;
  export default hbase;
}
