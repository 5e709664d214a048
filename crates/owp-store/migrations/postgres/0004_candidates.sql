-- What the planner finds its candidates by: tasks of one class ask for the same, and a lower rank goes first. An hour of
-- waiting counts as one point of priority, so the order of two tasks never changes while they wait.
-- A class that would be too long for an index is the task's own.
ALTER TABLE tasks ADD COLUMN class TEXT COLLATE "C" GENERATED ALWAYS AS (
  CASE WHEN LENGTH(skills) + LENGTH(COALESCE(area, '')) <= 400
  THEN CAST(tier AS VARCHAR) || ' ' || CAST(estimate AS VARCHAR) || ' ' || skills || ' ' || COALESCE(area, '')
  ELSE id END
) STORED;
ALTER TABLE tasks ADD COLUMN rank BIGINT GENERATED ALWAYS AS (ready_since - priority * 3600000) STORED;
DROP INDEX tasks_queue;
CREATE INDEX tasks_queue ON tasks (repo_id, rank, id) WHERE state = 'ready';
CREATE INDEX tasks_class ON tasks (repo_id, class, rank, id) WHERE state = 'ready' AND hold IS NULL;
