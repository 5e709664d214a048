-- How one person stands everywhere, without reading what others did.

CREATE INDEX trust_person ON trust (person, repo_id);
CREATE INDEX tasks_merged_by ON tasks (last_holder, repo_id) WHERE state = 'merged';
CREATE INDEX leases_live_person ON leases (person, repo_id) WHERE ended_at IS NULL;
CREATE INDEX leases_lapsed ON leases (person, repo_id, ended_at) WHERE state IN ('expired', 'ack_timeout');
