-- Comments: what one comment is folded from, whose turn it is to write, and what was given up.

-- What the pool says on an issue whose repository wants one comment for all of it. The comment itself is composed from
-- these and wanted like every other.
CREATE TABLE comment_parts (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  issue BIGINT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  -- 1 for an answer to a comment, of which the last few are shown.
  answer BIGINT NOT NULL,
  -- Since when it says this.
  said_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, issue, key)
);

-- How often a comment that somebody deleted was written anew.
ALTER TABLE wanted_comments ADD COLUMN rewritten BIGINT NOT NULL DEFAULT 0;
UPDATE wanted_comments SET rewritten = 1
  WHERE error IN ('deleted by somebody, written anew once', 'somebody deleted the comment twice');

-- When a comment was given up; what was before this was kept is as old as its last attempt.
ALTER TABLE wanted_comments ADD COLUMN died_at BIGINT;
UPDATE wanted_comments SET died_at = due_at WHERE state = 'dead';
DROP INDEX wanted_comments_dead;
CREATE INDEX wanted_comments_dead ON wanted_comments (died_at, repo_id, issue, key) WHERE state = 'dead';

-- The next comment of one repository is the first of this index, however many wait behind it.
DROP INDEX wanted_comments_due;
CREATE INDEX wanted_comments_due ON wanted_comments (repo_id, due_at, created_at, issue, key) WHERE state = 'pending';

-- When a repository's last comment was written, and how many were in its installation's hour that began then. Refers to
-- nothing, so that the sender never waits for a repository's lock.
CREATE TABLE comment_turns (
  repo_id TEXT PRIMARY KEY,
  wrote_at BIGINT NOT NULL,
  hour_began BIGINT NOT NULL,
  hour_writes BIGINT NOT NULL
);
