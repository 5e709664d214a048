-- The policy file, what it names, and what admission looks at since.

-- What `.github/owp.yml` last said that could be followed, as JSON; NULL when there is no file.
ALTER TABLE repositories ADD COLUMN policy_file TEXT;
-- A digest of the file as it was last read, good or not; NULL when there is none.
ALTER TABLE repositories ADD COLUMN policy_digest TEXT;
-- Why the file as it reads now is not followed, one fault a line; NULL while it is.
ALTER TABLE repositories ADD COLUMN policy_error TEXT;
-- When the file was first read since the repository is served; 0 before: nothing is handed out by rules nobody has read.
ALTER TABLE repositories ADD COLUMN policy_read_at BIGINT NOT NULL DEFAULT 0;
-- Whom the names on the policy's lists stand for, as JSON: GitHub user ids by name; and when that was asked.
ALTER TABLE repositories ADD COLUMN policy_allowed TEXT;
ALTER TABLE repositories ADD COLUMN policy_allowed_at BIGINT NOT NULL DEFAULT 0;
-- On which issue, and when, the trouble with the file was last said.
ALTER TABLE repositories ADD COLUMN policy_said_issue BIGINT;
ALTER TABLE repositories ADD COLUMN policy_said_at BIGINT;

-- How the policy named branches before, as a JSON list: pull requests from them keep their links.
ALTER TABLE repositories ADD COLUMN former_branches TEXT NOT NULL DEFAULT '[]';

-- A pause without an end has no time; it had one in the far future before.
UPDATE repositories SET paused_until = NULL WHERE paused_until > 4000000000000;

-- The people an issue is assigned to on GitHub, as JSON.
ALTER TABLE tasks ADD COLUMN assignees TEXT NOT NULL DEFAULT '[]';
-- What the issue says by now, when that is not what was approved.
ALTER TABLE tasks ADD COLUMN later_title TEXT;
ALTER TABLE tasks ADD COLUMN later_description TEXT;

-- When the issue had last changed when the text that waits was noticed.
ALTER TABLE tasks ADD COLUMN later_at BIGINT NOT NULL DEFAULT 0;
-- When the text was approved: by setting the label, or by a command.
ALTER TABLE tasks ADD COLUMN approved_at BIGINT NOT NULL DEFAULT 0;

-- 1 when the area stays held while the pull request is under review.
ALTER TABLE leases ADD COLUMN keeps_area BIGINT NOT NULL DEFAULT 0;

-- 1 for clients, and for people who said `/owp join`. Whoever was here before needs not say it again.
ALTER TABLE workers ADD COLUMN joined BIGINT NOT NULL DEFAULT 0;
UPDATE workers SET joined = 1;

-- Who may read private repositories, and when GitHub said so.
CREATE TABLE readers (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  person TEXT NOT NULL,
  may BIGINT NOT NULL,
  checked_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, person)
);
