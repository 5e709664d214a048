-- What came of people's work, from which reputation is made for those who asked for it.

CREATE TABLE outcomes (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  person TEXT NOT NULL,
  task_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX outcomes_person ON outcomes (person, repo_id, at);
-- 1 when the worker's person asked for a score.
ALTER TABLE workers ADD COLUMN scored BIGINT NOT NULL DEFAULT 0;
