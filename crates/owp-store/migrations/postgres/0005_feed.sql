-- The feed: one order over the events of all chains. An event has no number until a numbering step, which holds the one
-- row of `feed`, gives it the next; readers go by numbers, so they never pass one by that was committed late.

ALTER TABLE events ADD COLUMN feed BIGINT;
CREATE UNIQUE INDEX events_feed ON events (feed) WHERE feed IS NOT NULL;
-- What waits for a number: the oldest first, and whatever stands before those in their chains.
CREATE INDEX events_waiting ON events (id) WHERE feed IS NULL;
CREATE INDEX events_waiting_chain ON events (chain, seq) WHERE feed IS NULL;

CREATE TABLE feed (
  id BIGINT PRIMARY KEY,
  -- The last number that was given.
  head BIGINT NOT NULL
);
INSERT INTO feed (id, head) VALUES (1, 0);
