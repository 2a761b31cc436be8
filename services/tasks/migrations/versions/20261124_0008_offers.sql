CREATE INDEX ix_tasks_candidates ON tasks USING gin (candidate_ids) WITH (fastupdate = off) WHERE candidate_ids <> '{}';
