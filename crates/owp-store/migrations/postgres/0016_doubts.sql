-- Answers of GitHub's that contradict what is known, and tasks that wait until such an answer is settled.

-- What GitHub said is not there although the pool knows it: believed only after several answers, apart from each other.
CREATE TABLE doubts (
  repo_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
  -- issue, pull or repo.
  kind TEXT COLLATE "C" NOT NULL,
  -- The issue's or pull request's number; 0 for the repository itself.
  number BIGINT NOT NULL,
  -- How many answers counted, when the first came and when the last one that counted did.
  answers BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  answered_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, kind, number)
);

-- Until when open issues that lost the label wait for it, because many lost it at once; NULL while none do.
ALTER TABLE repositories ADD COLUMN unlabelled_until BIGINT;
-- On which issue that was said.
ALTER TABLE repositories ADD COLUMN unlabelled_said_issue BIGINT;

-- Why a task is not handed out although nobody has to approve it, and when asking again may help; NULL while it may be.
ALTER TABLE tasks ADD COLUMN withheld TEXT COLLATE "C";
ALTER TABLE tasks ADD COLUMN withheld_until BIGINT;
-- 1 while the text that counts as approved was read after the approval, and no signed payload confirms it.
ALTER TABLE tasks ADD COLUMN text_unproven BIGINT NOT NULL DEFAULT 0;

DROP INDEX tasks_class;
CREATE INDEX tasks_class ON tasks (repo_id, class, rank, id)
  WHERE state = 'ready' AND hold IS NULL AND withheld IS NULL;
