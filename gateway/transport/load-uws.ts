/**
 * Finds the build of uWebSockets.js that fits this machine. Two packages carry builds, neither fits everywhere:
 * `uws-node20` (Node 20; glibc 2.27 or later) and `uws-node24` (Node 20 to 24; glibc 2.38 or later). The newer is tried
 * first. The binaries are loaded directly: the first package's own entry falls back to a slow server of its own.
 */
import { createRequire } from 'node:module';
import { MAX_HEADER_BYTES } from './transport.js';

/** The part of uWebSockets.js that `uws.ts` uses (the types of the packages differ and are not complete). */
export interface UwsRequest {
  getCaseSensitiveMethod(): string;
  getUrl(): string;
  getQuery(): string | undefined;
  getHeader(lowerCaseName: string): string;
}

export interface UwsResponse {
  writeStatus(status: string): UwsResponse;
  writeHeader(name: string, value: string): UwsResponse;
  end(body: string | Uint8Array, closeConnection?: boolean): UwsResponse;
  endWithoutBody(): UwsResponse;
  close(): UwsResponse;
  cork(write: () => void): UwsResponse;
  onAborted(handler: () => void): UwsResponse;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): UwsResponse;
}

export interface UwsApp {
  get(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp;
  any(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp;
  listen(host: string, port: number, done: (socket: object | false) => void): UwsApp;
  close(): UwsApp;
}

export interface Uws {
  App(): UwsApp;
  SSLApp(options: { cert_file_name: string; key_file_name: string }): UwsApp;
  us_listen_socket_close(socket: object): void;
  us_socket_local_port(socket: object): number;
}

export interface LoadedUws {
  readonly uws: Uws;
  readonly packageName: string;
}

const BINARY = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
const CANDIDATES = [
  { packageName: 'uws-node24', file: `uws-node24/${BINARY}` },
  { packageName: 'uws-node20', file: `uws-node20/binaries/${BINARY}` },
];

/** Why each package did not load, one text per package, where none did. */
export function loadUws(): LoadedUws | { readonly reasons: readonly string[] } {
  // Read by the library when it is loaded.
  process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(MAX_HEADER_BYTES);
  const require = createRequire(import.meta.url);
  const reasons: string[] = [];
  for (const { packageName, file } of CANDIDATES) {
    try {
      // `exports` of a package closes its inside; a path beside its entry does not.
      return { uws: require(resolveBeside(require, file)) as Uws, packageName };
    } catch (error) {
      reasons.push(
        `${packageName}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
      );
    }
  }
  return { reasons };
}

function resolveBeside(require: NodeJS.Require, file: string): string {
  for (const folder of require.resolve.paths(file) ?? []) {
    try {
      return require.resolve(`${folder}/${file}`);
    } catch {
      // The next folder up may have it.
    }
  }
  throw new Error(`there is no ${BINARY}`);
}
