/**
 * The calls of a connection that wait for an answer, by their ids, which count up.
 *
 * A ring that stays: a Map would do too, but keeps what is long over alive (docs/adr/0013).
 */
/** Call ids are uint32; they start again before they would be taken for Java's negative numbers. */
const MAX_ID = 2 ** 31 - 1;

export class CallsInFlight<Call extends object> {
  readonly #mask: number;
  readonly #ids: Int32Array;
  readonly #calls: (Call | undefined)[];
  #lastId: number;
  #size = 0;

  /** `most`: calls that may wait at once. `lastId`: after which the ids begin. */
  constructor(most: number, lastId = 0) {
    // With twice as many places as calls a free one is never far.
    const places = 2 ** Math.ceil(Math.log2(2 * most));
    this.#mask = places - 1;
    this.#ids = new Int32Array(places);
    this.#calls = new Array<Call | undefined>(places).fill(undefined);
    this.#lastId = lastId;
  }

  get size(): number {
    return this.#size;
  }

  /** The greatest id that was given; after the last possible one they begin again at 1. */
  get lastId(): number {
    return this.#lastId;
  }

  /** The id of the call. There must be fewer than `most`. */
  add(call: Call): number {
    let id = this.#lastId;
    do id = id === MAX_ID ? 1 : id + 1;
    while (this.#calls[id & this.#mask] !== undefined);
    this.#lastId = id;
    this.#ids[id & this.#mask] = id;
    this.#calls[id & this.#mask] = call;
    this.#size += 1;
    return id;
  }

  /** Ends the call; undefined where none with that id waits. */
  take(id: number): Call | undefined {
    const place = id & this.#mask;
    const call = this.#calls[place];
    if (call === undefined || this.#ids[place] !== id) return undefined;
    this.#calls[place] = undefined;
    this.#size -= 1;
    return call;
  }

  /** Ends all of them. */
  takeAll(): Call[] {
    const calls = this.#calls.filter((call) => call !== undefined);
    this.#calls.fill(undefined);
    this.#size = 0;
    return calls;
  }
}
