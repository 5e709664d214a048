-- Repositories that GitHub stopped showing, and cheap looks for changes nobody told of.

-- 1 while a repository is not served because GitHub does not show it: GitHub is asked again.
ALTER TABLE repositories ADD COLUMN ask_again BIGINT NOT NULL DEFAULT 0;
UPDATE repositories SET ask_again = 1 WHERE inactive = 'the App may not see the repository any more';
-- When GitHub is asked next whether anything changed in it.
ALTER TABLE repositories ADD COLUMN watch_due_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX repositories_watch ON repositories (watch_due_at) WHERE managed = 1 AND inactive IS NULL;
-- A count that began before this is not believed: counts were forgotten then.
ALTER TABLE repositories ADD COLUMN count_from BIGINT NOT NULL DEFAULT 0;
