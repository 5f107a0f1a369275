import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { decodeValue, findViolation } from './message-checks.js';
import type {
  ActivityEventMessage,
  ActivityTriggerMessage,
  CrowdRuleMessage,
  DeadLetterMessage,
  MembershipMessage,
  TagChangeMessage,
  UserEventMessage,
} from './messages.js';
import { type BaseTopicName, TOPICS, type TopicName } from './topics.js';

const userEvent: UserEventMessage = {
  eventId: 'e1',
  uid: '用户',
  event: 'page_view',
  eventTimeMs: 1_678_886_400_000,
  properties: { page: '/', duration: 1.5, logged_in: true, referrer: null },
};
const tagChange: TagChangeMessage = { uid: 'u1', tagCode: 'rt_page', value: null, changeTimeMs: 1 };
const crowdRule: CrowdRuleMessage = { crowdCode: 'vip', status: 'paused', ruleVersion: 1, rule: '{}' };
const activityEvent: ActivityEventMessage = {
  eventId: 'e1',
  activityId: 'a1',
  uid: 'u1',
  kind: 'click',
  eventTimeMs: 1,
};
const trigger: ActivityTriggerMessage = { activityId: 'a1', uid: 'u1', crowdCode: 'vip', triggeredAtMs: 1 };
const membership: MembershipMessage[] = [
  { type: 'membership-changed', uid: 'u1', crowdCode: 'vip', kind: 'enter', changeTimeMs: 1 },
  { type: 'crowd-refreshed', crowdCode: 'vip', changeTimeMs: 1 },
  { type: 'heartbeat', sentAtMs: 1 },
];
const deadLetter: DeadLetterMessage = {
  topic: 'user-events',
  partition: 0,
  offset: '9007199254740993',
  key: 'u1',
  value: '{',
  reason: 'the value is not JSON',
};

const EXAMPLES: Readonly<Record<BaseTopicName, readonly object[]>> = {
  'user-events': [userEvent],
  'tag-changes': [tagChange],
  'crowd-rules': [crowdRule],
  'membership-changes': membership,
  'activity-events': [activityEvent],
  'activity-triggers': [trigger],
};
const OPTIONAL = new Set(['properties']);

describe('the message schemas', () => {
  const examples: [TopicName, object][] = [
    ...Object.entries(EXAMPLES).flatMap(([topic, values]) =>
      values.map((value): [TopicName, object] => [topic as BaseTopicName, value]),
    ),
    ['user-events.dlq', deadLetter],
  ];
  for (const [topic, value] of examples) {
    it(`accept ${JSON.stringify(value)} on ${topic}, and miss each member`, () => {
      assert.equal(findViolation(topic, value), null);
      for (const member of Object.keys(value).filter((name) => !OPTIONAL.has(name))) {
        const rest = Object.fromEntries(Object.entries(value).filter(([name]) => name !== member));
        assert.notEqual(findViolation(topic, rest), null, `without ${member}`);
        assert.notEqual(findViolation(topic, { ...value, [member]: [] }), null, member);
      }
      assert.equal(findViolation(topic, { ...value, unknown_member: 1 }), null);
    });
  }

  it('are there for every topic, and for no other', () => {
    const folder = path.join(import.meta.dirname, 'schemas');
    const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
    assert.deepEqual(
      files.sort(),
      [...Object.keys(TOPICS), 'dead-letter'].map((name) => `${name}.json`).sort(),
    );
  });

  it('take a tombstone on a compacted topic alone', () => {
    assert.equal(findViolation('crowd-rules', null), null);
    for (const topic of ['tag-changes', 'membership-changes', 'crowd-rules.dlq'] as const) {
      assert.notEqual(findViolation(topic, null), null);
    }
  });

  it('say what is wrong', () => {
    assert.match(findViolation('tag-changes', { ...tagChange, tagCode: 'A' }) ?? '', /tagCode must match/);
    assert.deepEqual(decodeValue('tag-changes', Buffer.from('{')), {
      ok: false,
      reason: 'the value is not JSON',
    });
  });
});
