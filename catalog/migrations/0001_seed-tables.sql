-- The tables of the founding document, with exactly its columns, types and defaults. Its TIMESTAMP columns hold civil
-- time of the platform's zone: every session that writes them has that zone.

CREATE TABLE tag_metadata (
  tag_code VARCHAR(50) PRIMARY KEY,
  tag_name VARCHAR(100) NOT NULL,
  tag_type VARCHAR(20) NOT NULL,
  biz_key_field VARCHAR(50) NOT NULL,
  source_table VARCHAR(200),
  source_field VARCHAR(100),
  calculation_type VARCHAR(20) NOT NULL,
  update_freq VARCHAR(20),
  description TEXT,
  create_time TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE crowd_rules (
  crowd_code VARCHAR(50) PRIMARY KEY,
  crowd_name VARCHAR(100) NOT NULL,
  rule_json TEXT NOT NULL,
  schedule_cron VARCHAR(50),
  last_calc_dt DATE,
  user_count BIGINT DEFAULT 0,
  status VARCHAR(20) DEFAULT 'active',
  create_time TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE marketing_activity (
  activity_id VARCHAR(50) PRIMARY KEY,
  activity_name VARCHAR(100) NOT NULL,
  crowd_code VARCHAR(50) REFERENCES crowd_rules (crowd_code),
  channel VARCHAR(50),
  start_time TIMESTAMP NOT NULL,
  end_time TIMESTAMP NOT NULL,
  status VARCHAR(20) DEFAULT 'planning',
  total_reach_count BIGINT DEFAULT 0,
  conversion_count BIGINT DEFAULT 0,
  create_time TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE data_quality_report (
  report_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The business date of the partition that was checked.
  dt DATE NOT NULL,
  table_name VARCHAR(200) NOT NULL,
  -- NULL where the check is on the table as a whole.
  column_name VARCHAR(100),
  check_name VARCHAR(100) NOT NULL,
  check_kind VARCHAR(20) NOT NULL
    CHECK (check_kind IN ('null_rate', 'value_range', 'skew', 'uniqueness', 'volume', 'validity')),
  status VARCHAR(20) NOT NULL CHECK (status IN ('passed', 'warning', 'failed')),
  -- What was measured, and the bounds it was held against (either may be open).
  observed NUMERIC NOT NULL,
  lower_bound NUMERIC,
  upper_bound NUMERIC,
  rows_checked BIGINT NOT NULL CHECK (rows_checked >= 0),
  rows_failed BIGINT NOT NULL CHECK (rows_failed BETWEEN 0 AND rows_checked),
  detail TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX ON data_quality_report (table_name, dt);
