-- What the platform needs beyond the founding document. Our own columns are TIMESTAMPTZ.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;
END $$;

ALTER TABLE tag_metadata
  ADD COLUMN owner VARCHAR(100),
  -- The column's SQL type (DECIMAL(10,2), STRING …) and, for a datetime, how its values are written.
  ADD COLUMN source_type VARCHAR(50),
  ADD COLUMN value_format VARCHAR(30),
  ADD COLUMN version INTEGER NOT NULL DEFAULT 1,
  ADD COLUMN updated_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  ADD CHECK (tag_code ~ '^[a-z][a-z0-9_]{0,49}$'),
  ADD CHECK (tag_type IN ('enum', 'numeric', 'boolean', 'datetime')),
  ADD CHECK (calculation_type IN ('offline', 'realtime'));

ALTER TABLE crowd_rules
  ADD COLUMN description TEXT,
  ADD COLUMN owner VARCHAR(100),
  ADD COLUMN version INTEGER NOT NULL DEFAULT 1,
  ADD COLUMN updated_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  ADD CHECK (crowd_code ~ '^[a-z][a-z0-9_]{0,49}$'),
  ADD CHECK (status IN ('active', 'paused'));

-- What each rule reads: derived from rule_json on every save, so that a deletion finds who is in the way.
CREATE TABLE crowd_uses_tag (
  crowd_code VARCHAR(50) NOT NULL REFERENCES crowd_rules ON DELETE CASCADE,
  tag_code VARCHAR(50) NOT NULL REFERENCES tag_metadata,
  PRIMARY KEY (crowd_code, tag_code)
);
CREATE INDEX ON crowd_uses_tag (tag_code);

CREATE TABLE crowd_uses_crowd (
  crowd_code VARCHAR(50) NOT NULL REFERENCES crowd_rules ON DELETE CASCADE,
  used_crowd_code VARCHAR(50) NOT NULL REFERENCES crowd_rules,
  PRIMARY KEY (crowd_code, used_crowd_code),
  CHECK (crowd_code <> used_crowd_code)
);
CREATE INDEX ON crowd_uses_crowd (used_crowd_code);

CREATE INDEX ON marketing_activity (crowd_code);

-- Every definition a crowd ever had. No foreign key: history outlives the crowd, and a crowd made anew under an old
-- code goes on counting, so that a version number never means two things.
CREATE TABLE crowd_rule_versions (
  crowd_code VARCHAR(50) NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  crowd_name VARCHAR(100) NOT NULL,
  description TEXT,
  owner VARCHAR(100),
  rule_json TEXT NOT NULL,
  -- sha-256 of the rule's canonical text, in hex: equal for rules that mean the same by their form.
  rule_hash CHAR(64) NOT NULL,
  schedule_cron VARCHAR(50),
  author VARCHAR(200) NOT NULL,
  reason TEXT,
  -- Set where this version is a roll back.
  restored_version INTEGER,
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (crowd_code, version)
);
CREATE TRIGGER crowd_rule_versions_are_immutable
  BEFORE UPDATE OR DELETE OR TRUNCATE ON crowd_rule_versions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE crowd_runs (
  run_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Runs asked for together share one scan.
  batch_id UUID NOT NULL,
  crowd_code VARCHAR(50) NOT NULL,
  rule_version INTEGER NOT NULL,
  dt DATE NOT NULL,
  status VARCHAR(20) NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'running', 'committed', 'failed')),
  cause VARCHAR(20) NOT NULL CHECK (cause IN ('manual', 'schedule', 'demo')),
  requested_by VARCHAR(200) NOT NULL,
  requested_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ,
  -- Epoch milliseconds that every membership change of the run carries: fixed before the first write.
  change_time_ms BIGINT,
  -- False where dt is older than that of a run already committed: only the crowd's table is written.
  updates_store BOOLEAN,
  step VARCHAR(50),
  steps_done BIGINT,
  steps_total BIGINT,
  entered_count BIGINT,
  left_count BIGINT,
  total_count BIGINT,
  error TEXT,
  export_format VARCHAR(10) CHECK (export_format IN ('csv', 'parquet')),
  export_folder TEXT,
  FOREIGN KEY (crowd_code, rule_version) REFERENCES crowd_rule_versions,
  UNIQUE (crowd_code, change_time_ms),
  CHECK ((export_format IS NULL) = (export_folder IS NULL)),
  CHECK ((finished_at IS NOT NULL) = (status IN ('committed', 'failed')))
);
CREATE INDEX ON crowd_runs (crowd_code, run_id);
CREATE INDEX ON crowd_runs (batch_id);
CREATE INDEX ON crowd_runs (run_id) WHERE status IN ('queued', 'running');

-- Loads into the warehouse that were accepted; repeated from the start until they end.
CREATE TABLE loads (
  load_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind VARCHAR(20) NOT NULL CHECK (kind IN ('purchases', 'synthetic')),
  request JSONB NOT NULL,
  status VARCHAR(20) NOT NULL DEFAULT 'queued'
    CHECK (status IN ('queued', 'running', 'done', 'failed')),
  requested_by VARCHAR(200) NOT NULL,
  requested_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  started_at TIMESTAMPTZ,
  finished_at TIMESTAMPTZ,
  result JSONB,
  error TEXT,
  CHECK ((finished_at IS NOT NULL) = (status IN ('done', 'failed')))
);
CREATE INDEX ON loads (load_id) WHERE status IN ('queued', 'running');

-- Messages about what changed, written in the transaction that changed it, deleted once the bus has them.
CREATE TABLE outbox (
  message_id BIGSERIAL PRIMARY KEY,
  topic VARCHAR(100) NOT NULL,
  key VARCHAR(200) NOT NULL,
  -- JSON text; NULL is a tombstone.
  payload TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE FUNCTION announce_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('quanren_outbox', '');
  RETURN NULL;
END $$;
CREATE TRIGGER outbox_is_announced AFTER INSERT ON outbox
  FOR EACH STATEMENT EXECUTE FUNCTION announce_outbox();

CREATE TABLE audit (
  audit_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP,
  principal VARCHAR(200) NOT NULL,
  -- For example crowd.save, tag.delete.
  action VARCHAR(50) NOT NULL,
  subject_kind VARCHAR(20) NOT NULL,
  subject_key VARCHAR(200) NOT NULL,
  before JSONB,
  after JSONB
);
CREATE INDEX ON audit (subject_kind, subject_key, audit_id);
CREATE TRIGGER audit_is_append_only
  BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
