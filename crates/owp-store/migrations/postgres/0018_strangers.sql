-- Bounds on what anybody can make the pool do by comments, and an inbox in which no delivery is in the way of the others.

-- How often a delivery was taken: whoever takes it over gets a higher number, however long either of them holds it.
ALTER TABLE deliveries ADD COLUMN takes BIGINT NOT NULL DEFAULT 0;
-- How often it was taken and not finished.
ALTER TABLE deliveries ADD COLUMN rescues BIGINT NOT NULL DEFAULT 0;
-- The comment whose creation it tells of.
ALTER TABLE deliveries ADD COLUMN comment_id BIGINT;
CREATE INDEX deliveries_comment ON deliveries (comment_id) WHERE comment_id IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (received_at) WHERE state = 'dead';

-- Whose command ran, and when it was written; both NULL for a line that was turned away.
ALTER TABLE commands_done ADD COLUMN person TEXT COLLATE "C";
ALTER TABLE commands_done ADD COLUMN said_at BIGINT;
CREATE INDEX commands_done_person ON commands_done (person, said_at) WHERE person IS NOT NULL;

-- 0 once another account was seen under the same login.
ALTER TABLE people ADD COLUMN is_current BIGINT NOT NULL DEFAULT 1;

-- Who may not claim a task again for a while, because a maintainer took it from them.
CREATE TABLE task_bars (
  task_id TEXT COLLATE "C" NOT NULL REFERENCES tasks (id),
  person TEXT COLLATE "C" NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (task_id, person)
);
CREATE INDEX task_bars_until ON task_bars (until);

CREATE INDEX leases_released ON leases (person, ended_at) WHERE state = 'released';
