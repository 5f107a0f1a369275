/** How a gateway has answered, by its /metrics. */
export interface Counters {
  readonly hits: number;
  readonly misses: number;
  /** Of the misses, those that Redis knew. */
  readonly sharedHits: number;
  readonly overloaded: number;
}

/** The sum over all series of a metric that have `label`. */
function sumOf(text: string, name: string, label = ''): number {
  return text
    .split('\n')
    .filter((line) => /^[a-z_]+/.exec(line)?.[0] === name && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

export async function readCounters(metricsUrl: string): Promise<Counters> {
  const text = await (await fetch(metricsUrl, { signal: AbortSignal.timeout(5_000) })).text();
  return {
    hits: sumOf(text, 'quanren_gateway_cache_hits_total'),
    misses: sumOf(text, 'quanren_gateway_cache_misses_total'),
    sharedHits: sumOf(text, 'quanren_gateway_shared_cache_hits_total'),
    overloaded: sumOf(text, 'quanren_gateway_requests_total', 'outcome="overloaded"'),
  };
}

/** `70 % cache, 20 % Redis, 10 % store`, of the users asked for between two readings. */
export function describeShares(before: Counters, after: Counters): string {
  const hits = after.hits - before.hits;
  const sharedHits = after.sharedHits - before.sharedHits;
  const misses = after.misses - before.misses;
  const percent = (part: number): string => `${((100 * part) / (hits + misses)).toFixed(1)} %`;
  return `${percent(hits)} cache, ${percent(sharedHits)} Redis, ${percent(misses - sharedHits)} store`;
}
