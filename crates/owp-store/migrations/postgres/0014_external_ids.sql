-- The id a task has elsewhere, in the words of whoever adds tasks: what is there already is not added again.
ALTER TABLE tasks ADD COLUMN external_id TEXT COLLATE "C";
CREATE UNIQUE INDEX tasks_external ON tasks (repo_id, external_id) WHERE external_id IS NOT NULL;
