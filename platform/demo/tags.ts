/** The tags of the wide table, as the catalog registers them. */
import type { TagDefinition } from '../../catalog/types.js';
import type { TagType } from '../../rules/tag.js';
import { PROFILE_COLUMNS, PROFILE_TABLE_NAME } from '../warehouse/user-profiles.js';

type TagColumn = Exclude<keyof typeof PROFILE_COLUMNS, 'uid'>;

const ABOUT: Readonly<Record<TagColumn, readonly [TagType, name: string, description: string]>> = {
  gender: ['enum', '性别 Gender', 'F or M. The purchase history leaves it NULL.'],
  age: ['numeric', '年龄 Age', 'In years. The purchase history leaves it NULL.'],
  city: ['enum', '城市 City', 'The purchase history leaves it NULL.'],
  last_login_dt: ['datetime', '最后登录日期 Last login', 'A day. The purchase history leaves it NULL.'],
  first_purchase_date: ['datetime', '首次购买日期 First purchase', 'The day of the first purchase.'],
  last_purchase_date: ['datetime', '最近购买日期 Last purchase', 'The day of the newest purchase.'],
  purchase_count: ['numeric', '购买次数 Purchases', 'All purchases up to the business date.'],
  purchase_count_30d: ['numeric', '近30天购买次数 Purchases, 30 days', 'Purchases within (dt − 30, dt].'],
  purchase_count_90d: ['numeric', '近90天购买次数 Purchases, 90 days', 'Purchases within (dt − 90, dt].'],
  cd_count: ['numeric', '购买CD数 CDs', 'All CDs bought up to the business date.'],
  cd_count_30d: ['numeric', '近30天CD数 CDs, 30 days', 'CDs bought within (dt − 30, dt].'],
  cd_count_90d: ['numeric', '近90天CD数 CDs, 90 days', 'CDs bought within (dt − 90, dt].'],
  total_spent: ['numeric', '累计消费金额 Total spent', 'Dollars, up to the business date.'],
  total_spent_30d: ['numeric', '近30天消费金额 Spent, 30 days', 'Dollars within (dt − 30, dt].'],
  avg_order_value: ['numeric', '平均订单金额 Average order', 'Dollars per purchase, rounded half up.'],
  days_since_last_purchase: [
    'numeric',
    '距上次购买天数 Days since purchase',
    'From the newest purchase to dt.',
  ],
  is_premium_user: ['boolean', '是否高价值用户 Premium user', 'total_spent is at least 500 dollars.'],
};

export const DEMO_TAGS: readonly TagDefinition[] = Object.entries(ABOUT).map(
  ([column, [tagType, tagName, description]]) => ({
    tagCode: column,
    tagName,
    tagType,
    bizKeyField: 'uid',
    sourceTable: PROFILE_TABLE_NAME,
    sourceField: column,
    sourceType: PROFILE_COLUMNS[column as TagColumn],
    valueFormat: tagType === 'datetime' ? 'date' : null,
    calculationType: 'offline',
    updateFreq: 'daily',
    description,
    owner: null,
  }),
);
