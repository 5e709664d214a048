-- What workers say they can do, what travels along unread, token rotation, and answers kept for repeated calls.

ALTER TABLE workers ADD COLUMN capabilities TEXT COLLATE "C" NOT NULL DEFAULT '{}';
-- Fields that begin with x_, as JSON; kept and passed through.
ALTER TABLE workers ADD COLUMN extra TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE tasks ADD COLUMN extra TEXT COLLATE "C" NOT NULL DEFAULT '{}';
-- 1 while a rotated token has not been used: its first use revokes the worker's other tokens.
ALTER TABLE worker_tokens ADD COLUMN fresh BIGINT NOT NULL DEFAULT 0;
CREATE INDEX worker_tokens_worker ON worker_tokens (worker_id);
CREATE INDEX people_login ON people (LOWER(login));

CREATE TABLE idempotency (
  -- A digest of who asked, the route and the caller's key.
  scope TEXT COLLATE "C" PRIMARY KEY,
  -- A digest of the body, so that another body under the same key is noticed.
  body TEXT COLLATE "C" NOT NULL,
  -- Until when whoever reserved it is given time to answer.
  busy_until BIGINT NOT NULL,
  -- NULL until the call was answered.
  status BIGINT,
  media_type TEXT COLLATE "C",
  answer TEXT COLLATE "C",
  created_at BIGINT NOT NULL
);
CREATE INDEX idempotency_age ON idempotency (created_at);
