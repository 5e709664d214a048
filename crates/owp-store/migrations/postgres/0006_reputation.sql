-- What came of people's work, from which reputation is made for those who asked for it.

CREATE TABLE outcomes (
  repo_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
  person TEXT COLLATE "C" NOT NULL,
  task_id TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX outcomes_person ON outcomes (person, repo_id, at);
-- 1 when the worker's person asked for a score.
ALTER TABLE workers ADD COLUMN scored BIGINT NOT NULL DEFAULT 0;
