-- Comments of leases, pull requests and warnings (0) are written before notes (1), and notes before replies (2).
ALTER TABLE wanted_comments ADD COLUMN send_rank BIGINT NOT NULL DEFAULT 1;
UPDATE wanted_comments SET send_rank = CASE
  WHEN key = 'all' OR key LIKE 'lease:%' OR key LIKE 'pull:%' OR key LIKE 'warn:%' THEN 0
  WHEN key LIKE 'reply:%' OR key LIKE 'refusal:%' THEN 2
  ELSE 1 END;

-- The next comment of one repository is the first of this index of its rank, however many wait behind it.
DROP INDEX wanted_comments_due;
CREATE INDEX wanted_comments_due ON wanted_comments (repo_id, send_rank, due_at, created_at, issue, key)
  WHERE state = 'pending';
