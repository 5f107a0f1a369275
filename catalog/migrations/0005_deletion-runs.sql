-- A deleted crowd that was computed is emptied by a run of its own, which outlives the crowd: it is for no business date,
-- and it is not given up, because the crowd's code waits for it.
ALTER TABLE crowd_runs
  DROP CONSTRAINT crowd_runs_cause_check,
  ADD CONSTRAINT crowd_runs_cause_check CHECK (cause IN ('manual', 'schedule', 'demo', 'deletion')),
  ALTER COLUMN dt DROP NOT NULL,
  ADD CHECK ((dt IS NULL) = (cause = 'deletion')),
  ADD CHECK (cause <> 'deletion' OR status <> 'failed');

-- Crowds that were deleted before there were such runs: their members are in the store still.
INSERT INTO crowd_runs (batch_id, crowd_code, rule_version, cause, requested_by)
SELECT gen_random_uuid(), crowd_code, max(rule_version), 'deletion', 'upgrade'
FROM crowd_runs
WHERE started_at IS NOT NULL AND crowd_code NOT IN (SELECT crowd_code FROM crowd_rules)
GROUP BY crowd_code;
