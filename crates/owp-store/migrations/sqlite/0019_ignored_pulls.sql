-- Whether a maintainer set a pull request aside with `/owp ignore`: while nobody claims the task it answers, it takes no
-- slot and keeps the task from nobody.
ALTER TABLE pulls ADD COLUMN ignored BIGINT NOT NULL DEFAULT 0;
