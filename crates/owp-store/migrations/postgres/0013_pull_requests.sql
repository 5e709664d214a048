-- What a pull request must be before it counts as delivered, what its commits are worth, and who writes for whom.

ALTER TABLE pulls ADD COLUMN author_bot BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pulls ADD COLUMN checklist_items BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pulls ADD COLUMN checklist_open BIGINT NOT NULL DEFAULT 0;
ALTER TABLE pulls ADD COLUMN base_ref TEXT COLLATE "C" NOT NULL DEFAULT '';
-- Where its branch lives, as owner/name; none once that fork was deleted.
ALTER TABLE pulls ADD COLUMN head_repo TEXT COLLATE "C";
-- The checks seen on head_sha and whose signatures its commits carry, as JSON; both go with a push.
ALTER TABLE pulls ADD COLUMN checks TEXT COLLATE "C";
ALTER TABLE pulls ADD COLUMN signatures TEXT COLLATE "C";
CREATE INDEX pulls_head ON pulls (repo_id, head_sha) WHERE state = 'open';

-- Accounts whose pull requests are a person's work, because that person said so.
CREATE TABLE agents (
  person TEXT COLLATE "C" NOT NULL,
  agent TEXT COLLATE "C" NOT NULL,
  declared_at BIGINT NOT NULL,
  PRIMARY KEY (person, agent)
);
CREATE INDEX agents_agent ON agents (agent);

-- Names the repository had before, parted by spaces: texts still call it so.
ALTER TABLE repositories ADD COLUMN former_names TEXT COLLATE "C" NOT NULL DEFAULT '';
