/** Conditions on datetimes: each kind of column as an axis, and the set of days or moments carried over to it. */
import {
  END_OF_INSTANTS,
  floorDivide,
  formatDate,
  MAX_DAY,
  MICROS_PER_DAY,
  MIN_DAY,
  MIN_INSTANT,
} from '../civil.js';
import { type RangeSet, unite } from '../ranges.js';
import type { Tag } from '../tag.js';
import { isDayTag } from '../value.js';
import type { Zone } from '../zone.js';
import { hasValue, isInRanges, type OrderedAxis, textOf } from './axis.js';
import { type Dialect, formatSqlTimestamp } from './dialect.js';
import { knownLocalTimes, localTimesOf } from './local-time.js';
import { COMPACT_DATE, EPOCH, ISO_DATE, LOCAL_TIMESTAMP, OFFSET_TIMESTAMP } from './patterns.js';
import { joinNodes, leaf, type SqlNode } from './sql-tree.js';

const DAYS = { from: BigInt(MIN_DAY), to: BigInt(MAX_DAY) + 1n };
/** Of wall-clock times, and of moments in UTC. */
const TIMES = { from: BigInt(MIN_DAY) * MICROS_PER_DAY, to: BigInt(MAX_DAY + 1) * MICROS_PER_DAY };

/** One way in which a column holds a datetime. */
interface Reading {
  readonly axis: OrderedAxis;
  /** From the days or moments that a rule asks for to the values of the axis. */
  readonly project: (ranges: RangeSet<bigint>) => RangeSet<bigint>;
}

/** Is the tag's day (since 1970-01-01) or moment (µs since 1970-01-01T00:00:00Z) in the set? NULL where it has none. */
export function compileDatetime(tag: Tag, ranges: RangeSet<bigint>, dialect: Dialect, zone: Zone): SqlNode {
  const parts = readingsOf(tag, dialect, zone).map(({ axis, project }) =>
    isInRanges(axis, dialect, project(ranges)),
  );
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : { kind: 'coalesce', parts };
}

/** Does the column hold a datetime? Never NULL. */
export function hasDatetime(tag: Tag, dialect: Dialect, zone: Zone): SqlNode {
  return joinNodes(
    'or',
    readingsOf(tag, dialect, zone).map(({ axis }) => hasValue(axis)),
  );
}

function readingsOf(tag: Tag, dialect: Dialect, zone: Zone): readonly Reading[] {
  if (isDayTag(tag)) return [{ axis: dayAxis(tag, dialect), project: (days) => days }];
  switch (tag.format) {
    case 'instant:epoch_seconds':
      return [epochReading(tag, dialect, 1_000_000n)];
    case 'instant:epoch_millis':
      return [epochReading(tag, dialect, 1_000n)];
    default:
      return momentReadings(tag, dialect, zone);
  }
}

function dayAxis(tag: Tag, dialect: Dialect): OrderedAxis {
  const { column, format } = tag;
  const name = textOf(tag, dialect);
  const compact = (day: bigint) => formatDate(Number(day)).replaceAll('-', '');
  switch (column.kind) {
    case 'date':
      return bounded({
        guards: [],
        value: name,
        literal: (day) => dialect.date(Number(day)),
        domain: DAYS,
        listable: true,
      });
    case 'integer': {
      const padded = `lpad(CAST(${name} AS VARCHAR), 8, '0')`;
      return {
        guards: [leaf(`${name} BETWEEN 10101 AND 99991231`), leaf(dialect.matches(padded, COMPACT_DATE))],
        value: name,
        literal: (day) => dialect.integer(BigInt(compact(day))),
        domain: DAYS,
        listable: true,
      };
    }
    default: {
      const isIso = format === 'date';
      return {
        guards: [leaf(dialect.matches(name, isIso ? ISO_DATE : COMPACT_DATE))],
        value: dialect.byCodePoint(name),
        literal: (day) => dialect.string(isIso ? formatDate(Number(day)) : compact(day)),
        domain: DAYS,
        listable: true,
      };
    }
  }
}

function epochReading(tag: Tag, dialect: Dialect, microsPerUnit: bigint): Reading {
  const { column } = tag;
  const name = textOf(tag, dialect);
  const toUnit = (micros: bigint) => -floorDivide(-micros, microsPerUnit);
  const bits = column.kind === 'integer' ? column.bits : 64;
  const widest = { from: -(2n ** BigInt(bits - 1)), to: 2n ** BigInt(bits - 1) };
  const calendar = { from: toUnit(MIN_INSTANT), to: toUnit(END_OF_INSTANTS) };
  const fits = widest.from >= calendar.from && widest.to <= calendar.to;
  const isText = column.kind === 'text';
  const axis: OrderedAxis = {
    guards: isText ? [leaf(dialect.matches(name, EPOCH))] : [],
    value: isText ? `CAST(${name} AS BIGINT)` : name,
    literal: dialect.integer,
    domain: fits ? widest : calendar,
    listable: true,
  };
  return {
    axis: fits ? axis : bounded(axis),
    project: (moments) =>
      unite(
        moments.map(({ from, to }) => ({
          from: from === null ? null : toUnit(from),
          to: to === null ? null : toUnit(to),
        })),
      ),
  };
}

function momentReadings(tag: Tag, dialect: Dialect, zone: Zone): readonly Reading[] {
  const name = textOf(tag, dialect);
  const times = { domain: TIMES, listable: true };
  const asLocal = (moments: RangeSet<bigint>) => localTimesOf(moments, zone);
  switch (tag.column.kind) {
    case 'timestamptz': {
      const axis = { ...times, guards: [], value: name, literal: dialect.utcInstant };
      return [{ axis: bounded(axis), project: (moments) => moments }];
    }
    case 'timestamp': {
      const axis = { ...times, guards: [], value: name, literal: dialect.localTimestamp };
      return [{ axis: bounded(axis, knownLocalTimes(zone)), project: asLocal }];
    }
    default: {
      const local: OrderedAxis = {
        guards: [leaf(dialect.matches(name, LOCAL_TIMESTAMP))],
        value: dialect.byCodePoint(`replace(${name}, 'T', ' ')`),
        literal: (micros) => dialect.string(formatShortestTimestamp(micros)),
        domain: TIMES,
        listable: false,
      };
      const isKnown = isInRanges({ ...local, guards: [] }, dialect, knownLocalTimes(zone));
      const withOffset = `replace(${name}, 'Z', '+00:00')`;
      const utc: OrderedAxis = {
        guards: [leaf(dialect.matches(name, OFFSET_TIMESTAMP))],
        value: `CAST(left(${withOffset}, -6) AS TIMESTAMP) - CAST(ltrim(right(${withOffset}, 6), '+') AS INTERVAL)`,
        literal: dialect.localTimestamp,
        ...times,
      };
      return [
        { axis: { ...local, guards: [...local.guards, isKnown] }, project: asLocal },
        { axis: bounded(utc), project: (moments) => moments },
      ];
    }
  }
}

/** With the guard that the value is one of these, or at least of the axis's domain: a native column holds more. */
function bounded(axis: OrderedAxis, ranges: RangeSet<bigint> = [axis.domain]): OrderedAxis {
  const { value, literal, domain } = axis;
  const within = ranges.map(({ from, to }) => {
    const first = from === null || from < domain.from ? domain.from : from;
    const end = to === null || to > domain.to ? domain.to : to;
    return leaf(`${value} BETWEEN ${literal(first)} AND ${literal(end - 1n)}`);
  });
  return { ...axis, guards: [...axis.guards, joinNodes('or', within)] };
}

/**
 * The shortest text of the time. Among texts with as many or fewer digits of the second it sorts right: none below it
 * is a text of the same time or a later one. So columns of texts may be compared with bounds written like this.
 */
function formatShortestTimestamp(micros: bigint): string {
  return formatSqlTimestamp(micros).replace(/(:[0-9]{2}):00$/, '$1');
}
