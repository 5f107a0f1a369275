/** Marketing activities, as far as the catalog needs them to know which crowds are in use. */
import type { Database } from './database.js';
import type { Activity } from './types.js';

export interface ActivityRepository {
  insert(activity: Activity): Promise<void>;
  /** By id. */
  listOfCrowd(crowdCode: string): Promise<Activity[]>;
}

interface ActivityRow {
  readonly activity_id: string;
  readonly activity_name: string;
  readonly crowd_code: string | null;
  readonly channel: string | null;
  readonly start_time: string;
  readonly end_time: string;
  readonly status: Activity['status'];
  readonly total_reach_count: number;
  readonly conversion_count: number;
}

export function createActivityRepository(database: Database): ActivityRepository {
  return {
    async insert(activity) {
      // Under the change lock: the crowd cannot be deleted at the same time.
      await database.change((tx) =>
        tx.query(
          `INSERT INTO marketing_activity (activity_id, activity_name, crowd_code, channel, start_time, end_time,
             status, total_reach_count, conversion_count)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
          [
            activity.activityId,
            activity.activityName,
            activity.crowdCode,
            activity.channel,
            activity.startTime,
            activity.endTime,
            activity.status,
            activity.totalReachCount,
            activity.conversionCount,
          ],
        ),
      );
    },

    async listOfCrowd(crowdCode) {
      const rows = await database.query<ActivityRow>(
        `SELECT activity_id, activity_name, crowd_code, channel, start_time, end_time, status, total_reach_count,
           conversion_count FROM marketing_activity WHERE crowd_code = $1 ORDER BY activity_id`,
        [crowdCode],
      );
      return rows.map((row) => ({
        activityId: row.activity_id,
        activityName: row.activity_name,
        crowdCode: row.crowd_code,
        channel: row.channel,
        startTime: row.start_time,
        endTime: row.end_time,
        status: row.status,
        totalReachCount: row.total_reach_count,
        conversionCount: row.conversion_count,
      }));
    },
  };
}
