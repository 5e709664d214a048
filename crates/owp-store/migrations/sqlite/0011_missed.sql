-- What was missed: deliveries GitHub could not bring, time in which no process ran, repositories that were away; and
-- what each installation granted.

-- What its owner granted, as JSON: a permission's name and its level.
ALTER TABLE installations ADD COLUMN permissions TEXT NOT NULL DEFAULT '{}';

-- Since when it is not served. Whoever holds work there gets the time back when it is served again.
ALTER TABLE repositories ADD COLUMN inactive_since BIGINT;

CREATE TABLE uptime (
  id BIGINT PRIMARY KEY,
  -- When any process was last seen alive; 0 before the first.
  alive_at BIGINT NOT NULL
);
INSERT INTO uptime (id, alive_at) VALUES (1, 0);

-- GitHub's list of deliveries, and how far it was read for failed ones.
CREATE TABLE missed (
  id BIGINT PRIMARY KEY,
  looked_until BIGINT NOT NULL DEFAULT 0,
  look_due_at BIGINT NOT NULL DEFAULT 0,
  -- Whoever reads the list holds this lease.
  looking_until BIGINT NOT NULL DEFAULT 0,
  -- GitHub is asked for one delivery at a time, and for the next not before this moment.
  ask_due_at BIGINT NOT NULL DEFAULT 0
);
INSERT INTO missed (id) VALUES (1);

CREATE TABLE redeliveries (
  guid TEXT PRIMARY KEY,
  -- The failed attempt that GitHub is asked to repeat.
  delivery BIGINT NOT NULL,
  first_failed_at BIGINT NOT NULL,
  -- 1 until GitHub was asked.
  wanted BIGINT NOT NULL
);
CREATE INDEX redeliveries_wanted ON redeliveries (first_failed_at, guid) WHERE wanted = 1;
CREATE INDEX redeliveries_age ON redeliveries (first_failed_at);

-- An issue that was transferred brings its comments along: they have run, wherever that was.
CREATE INDEX commands_done_comment ON commands_done (comment_id);
