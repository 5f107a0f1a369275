/** What a step of the stream does to a worker; all of it at once, so no request sees half of a change. */
import type { Generations } from '../cache/generations.js';
import type { CrowdCatalog } from '../match/crowd-catalog.js';
import type { StreamClock } from '../match/stream-clock.js';
import type { SharedLevel } from '../read/shared-level.js';
import type { StreamStep } from '../supervision/protocol.js';

export interface StepTargets {
  readonly generations: Generations;
  readonly catalog: CrowdCatalog;
  readonly clock: StreamClock;
  readonly shared: SharedLevel | undefined;
}

export function applyStep(step: StreamStep, targets: StepTargets, nowMs: number): void {
  const { generations, catalog, clock, shared } = targets;
  if (step.trust !== undefined && shared !== undefined) shared.trust = step.trust;
  if (step.crowds !== undefined) catalog.apply(step.crowds);
  const isReplaced = step.catalog !== undefined && catalog.load(step.catalog);
  if (step.isEverythingChanged === true || step.crowds !== undefined || isReplaced) generations.moveAll();
  for (const slot of step.slots ?? []) generations.moveSlot(slot);
  if (step.asOfMs !== undefined) clock.advance(step.asOfMs, nowMs, step.applied ?? []);
}
