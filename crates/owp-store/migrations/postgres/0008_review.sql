-- What a review found: which ended leases a worker was told of is a mark of each, because one may be committed after
-- another that ended later. workers.told_until is read no more.

ALTER TABLE leases ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
UPDATE leases SET told = 1
  WHERE ended_at <= (SELECT told_until FROM workers WHERE workers.id = leases.worker_id);
DROP INDEX leases_ended_worker;
-- Claims by comment are told of on their issues.
CREATE INDEX leases_untold ON leases (worker_id, ended_at) WHERE ended_at IS NOT NULL AND told = 0 AND via = 'rest';

-- What is listed and counted for everybody walks along an index.
DROP INDEX tasks_state;
CREATE INDEX tasks_state ON tasks (repo_id, state, id);
CREATE INDEX tasks_of_state ON tasks (state, id);
CREATE INDEX tasks_of_repo ON tasks (repo_id, id);
CREATE INDEX leases_state ON leases (state);
CREATE INDEX wanted_comments_dead ON wanted_comments (repo_id) WHERE state = 'dead';
CREATE INDEX deliveries_waiting ON deliveries (id) WHERE state IN ('pending', 'processing');
