-- Whose members a run computed: those of real users, or of synthetic ones, who never take the place of real ones. NULL for
-- runs from before this was noted, which are taken for runs over real users.
ALTER TABLE crowd_runs ADD COLUMN origin VARCHAR(10) CHECK (origin IN ('real', 'synthetic'));
ALTER TABLE crowd_rules ADD COLUMN last_calc_origin VARCHAR(10) CHECK (last_calc_origin IN ('real', 'synthetic'));
