/** What was true when: every version of every user's crowds, and whether an answer may say what it says. */
import { STALE_AFTER_MS } from './simulated-gateway.js';

export const USERS = ['u0', 'u1'];
/** Every version of a user's crowds is another crowd, of this many. */
export const CROWDS = 7;

export type Verdict =
  /** It could not be established. */
  'error' | 'fresh' | 'stale' | { readonly wrong: string };

export class Truth {
  /** By user, when each version was published, in milliseconds; infinite before. */
  readonly #published: number[][] = USERS.map(() => [0]);

  newest(user: number): number {
    return (this.#published[user] as number[]).length - 1;
  }

  /** A new version of these users, in the store; returns by user what a message of it tells: 0 for the others. */
  change(users: readonly number[]): number[] {
    return USERS.map((_, user) =>
      users.includes(user) ? (this.#published[user] as number[]).push(Number.POSITIVE_INFINITY) - 1 : 0,
    );
  }

  publish(versions: readonly number[], nowMs: number): void {
    versions.forEach((version, user) => {
      if (version > 0) (this.#published[user] as number[])[version] = nowMs;
    });
  }

  /** The crowds that the store has for a user now. */
  crowdsOf(user: number): Map<string, number> {
    const version = this.newest(user);
    return new Map(version === 0 ? [] : [[`c${(version - 1) % CROWDS}`, 1]]);
  }

  /**
   * `told`: the newest version that the worker had been told of when it was asked. `body`: of the reply that it gave at
   * `nowMs`; undefined for an error.
   */
  judge(user: number, told: number, body: string | undefined, nowMs: number): Verdict {
    if (body === undefined) return 'error';
    const published = this.#published[user] as number[];
    const crowd = /"c(\d)"/.exec(body)?.[1];
    const matches = (version: number) =>
      crowd === undefined ? version === 0 : version > 0 && (version - 1) % CROWDS === Number(crowd);
    let version = this.newest(user);
    while (version >= 0 && !matches(version)) version -= 1;
    const said = `${USERS[user]} was answered with version ${version} of ${this.newest(user)}`;
    if (version < told) return { wrong: `${said} after version ${told} was told` };
    const asOf = /"asOf":"([^"]+)"/.exec(body)?.[1];
    const trueSinceMs = asOf === undefined ? nowMs - STALE_AFTER_MS : Date.parse(asOf);
    if (Math.min(...published.slice(version + 1)) < trueSinceMs)
      return { wrong: `${said}, which had not been true since ${trueSinceMs}: ${body} at ${nowMs}` };
    return asOf === undefined ? 'fresh' : 'stale';
  }
}
