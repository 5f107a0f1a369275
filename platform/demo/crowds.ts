/** Eight crowds over the wide table; each after those that it refers to. */
import type { CrowdDefinition } from '../../catalog/types.js';

type DemoCrowd = CrowdDefinition & { readonly crowdCode: string };

/** Daily at two in the morning, Quartz notation. */
const DAILY = '0 0 2 * * ?';

function crowd(crowdCode: string, crowdName: string, description: string, rule: unknown): DemoCrowd {
  return {
    crowdCode,
    crowdName,
    description,
    owner: null,
    ruleJson: JSON.stringify(rule),
    scheduleCron: DAILY,
  };
}

const condition = (tag_code: string, op: string, value?: unknown) =>
  value === undefined ? { tag_code, op } : { tag_code, op, value };
const all = (...conditions: readonly unknown[]) => ({ logic: 'AND', conditions });
const not = (negated: unknown) => ({ logic: 'NOT', conditions: [negated] });
const inCrowd = (crowd_code: string) => ({ crowd_code, op: 'IN CROWD' });

export const DEMO_CROWDS: readonly DemoCrowd[] = [
  crowd(
    'big_spenders_30d',
    '近30天高消费 Big spenders, 30 days',
    'Spent at least 100 dollars within the last 30 days.',
    condition('total_spent_30d', '>=', 100),
  ),
  crowd(
    'premium_users',
    '高价值用户 Premium users',
    'Spent at least 500 dollars so far.',
    condition('is_premium_user', '=', true),
  ),
  crowd(
    'one_time_buyers',
    '一次性买家 One-time buyers',
    'Bought exactly once.',
    condition('purchase_count', '=', 1),
  ),
  crowd(
    'recent_buyers',
    '近30天购买 Recent buyers',
    'Bought within the last 30 days: after dt − 30.',
    condition('last_purchase_date', '>', { relative: '-30d' }),
  ),
  crowd(
    'lapsed_premium_users',
    '流失的高价值用户 Lapsed premium users',
    'Premium users without a purchase for 90 days.',
    all(inCrowd('premium_users'), condition('last_purchase_date', '<=', { relative: '-90d' })),
  ),
  crowd(
    'regulars_without_bulk',
    '非囤货常客 Regulars without bulk orders',
    'Five purchases or more, but not an average order of 60 dollars or more.',
    all(condition('purchase_count', '>=', 5), not(condition('avg_order_value', '>=', 60))),
  ),
  crowd(
    'city_unknown_actives',
    '城市未知的活跃用户 Active, city unknown',
    'Bought within the last 90 days, and nobody knows where they live.',
    all(condition('purchase_count_90d', '>', 0), condition('city', 'IS NULL')),
  ),
  crowd(
    'win_back_targets',
    '召回目标 Win-back targets',
    'Lapsed premium users, and one-time buyers of March 1997 who spent 50 to 500 dollars.',
    {
      logic: 'OR',
      conditions: [
        inCrowd('lapsed_premium_users'),
        all(
          inCrowd('one_time_buyers'),
          condition('total_spent', 'BETWEEN', [50, 500]),
          condition('first_purchase_date', 'BETWEEN', ['1997-03-01', '1997-03-31']),
        ),
      ],
    },
  ),
];
