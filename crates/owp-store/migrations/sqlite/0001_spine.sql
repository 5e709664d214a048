-- The spine. Only BIGINT and TEXT: times are Unix milliseconds, lists and payloads are JSON text, truth is 0 or 1.
-- migrations/postgres/ holds the same tables; there TEXT is COLLATE "C", so that both engines sort ids by bytes.

CREATE TABLE installations (
  id BIGINT PRIMARY KEY,
  account TEXT NOT NULL,
  suspended BIGINT NOT NULL DEFAULT 0,
  -- Comment writes are serial and spaced per installation: nothing is sent before this moment.
  next_write_at BIGINT NOT NULL DEFAULT 0,
  -- Whoever sends for this installation holds this lease.
  sender_until BIGINT NOT NULL DEFAULT 0,
  -- How many writes were made since the hour began that GitHub's quota is reckoned in.
  hour_began BIGINT NOT NULL DEFAULT 0,
  hour_writes BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE repositories (
  id TEXT PRIMARY KEY,
  github_id BIGINT,
  installation_id BIGINT,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  managed BIGINT NOT NULL,
  private BIGINT NOT NULL DEFAULT 0,
  -- Why it is not served; NULL while it is.
  inactive TEXT,
  -- The operator's ceiling; in a manual repository the budget itself.
  ceiling BIGINT,
  command_budget BIGINT,
  -- A maintainer's pause: until when (a time far away when it has no end), and why.
  paused_until BIGINT,
  pause_reason TEXT,
  manual_area_locks BIGINT NOT NULL DEFAULT 1,
  -- When the last successful count of open pull requests began, and when the last failed one was, if later.
  counted_at BIGINT,
  count_failed_at BIGINT,
  sync_due_at BIGINT NOT NULL DEFAULT 0,
  sync_until BIGINT NOT NULL DEFAULT 0,
  -- When every labelled issue was last compared with GitHub.
  compared_at BIGINT NOT NULL DEFAULT 0,
  -- Up to when every comment was looked at for commands whose delivery may have been lost.
  heard_until BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX repositories_github ON repositories (github_id) WHERE github_id IS NOT NULL;
CREATE UNIQUE INDEX repositories_name ON repositories (name_key);
CREATE INDEX repositories_sync ON repositories (sync_due_at) WHERE managed = 1 AND inactive IS NULL;

CREATE TABLE people (
  person TEXT PRIMARY KEY,
  github_id BIGINT NOT NULL,
  login TEXT NOT NULL,
  is_bot BIGINT NOT NULL DEFAULT 0
);

-- What maintainers think of people; a level of -1 is a ban.
CREATE TABLE trust (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  person TEXT NOT NULL,
  level BIGINT NOT NULL,
  set_by TEXT NOT NULL,
  set_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, person)
);

CREATE TABLE workers (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  person TEXT NOT NULL,
  by_comment BIGINT NOT NULL DEFAULT 0,
  skills TEXT NOT NULL DEFAULT '[]',
  capacity BIGINT NOT NULL,
  max_concurrent BIGINT NOT NULL,
  status TEXT NOT NULL DEFAULT 'idle',
  note TEXT,
  revoked BIGINT NOT NULL DEFAULT 0,
  last_seen BIGINT NOT NULL,
  -- Up to when it was told which of its leases ended.
  told_until BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX workers_comment_person ON workers (person) WHERE by_comment = 1;
CREATE INDEX workers_person ON workers (person);
CREATE INDEX workers_seen ON workers (last_seen);

CREATE TABLE worker_tokens (
  token_hash TEXT PRIMARY KEY,
  worker_id TEXT NOT NULL REFERENCES workers (id),
  created_at BIGINT NOT NULL,
  revoked BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE link_codes (
  code_hash TEXT PRIMARY KEY,
  worker_id TEXT NOT NULL REFERENCES workers (id),
  handle_key TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  issue BIGINT,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  estimate BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  skills TEXT NOT NULL DEFAULT '[]',
  area TEXT,
  tier BIGINT NOT NULL,
  state TEXT NOT NULL,
  epoch BIGINT NOT NULL DEFAULT 0,
  ready_since BIGINT NOT NULL,
  hold TEXT,
  reserved_person TEXT,
  reserved_until BIGINT,
  assignee TEXT,
  last_holder TEXT,
  last_lease TEXT,
  pull BIGINT,
  blocked_reason TEXT,
  -- Which act of labelling was last judged, so that it is judged once.
  opt_in_event BIGINT,
  -- What is wrong with the labels, for the issue's notes comment.
  problems TEXT NOT NULL DEFAULT '[]',
  -- When the issue last changed, as GitHub said; an older view of it is not taken for news.
  issue_updated_at BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX tasks_issue ON tasks (repo_id, issue) WHERE issue IS NOT NULL;
CREATE INDEX tasks_queue ON tasks (repo_id, priority DESC, ready_since) WHERE state = 'ready';
CREATE INDEX tasks_state ON tasks (repo_id, state);
CREATE INDEX tasks_merged ON tasks (repo_id, last_holder) WHERE state = 'merged';
CREATE INDEX tasks_assignee ON tasks (assignee) WHERE assignee IS NOT NULL;
CREATE INDEX tasks_reserved ON tasks (reserved_until) WHERE reserved_until IS NOT NULL;

CREATE TABLE leases (
  id TEXT PRIMARY KEY,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  worker_id TEXT NOT NULL REFERENCES workers (id),
  person TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  -- offered, active, or why it ended.
  state TEXT NOT NULL,
  via TEXT NOT NULL,
  estimate BIGINT NOT NULL,
  area TEXT,
  granted_at BIGINT NOT NULL,
  ack_by BIGINT,
  expires_at BIGINT NOT NULL,
  ttl BIGINT NOT NULL,
  max_until BIGINT NOT NULL,
  warned_at BIGINT,
  ended_at BIGINT
);
-- Invariant 1: at most one live lease per task.
CREATE UNIQUE INDEX leases_live_task ON leases (task_id) WHERE ended_at IS NULL;
CREATE INDEX leases_live_worker ON leases (worker_id) WHERE ended_at IS NULL;
CREATE INDEX leases_ended_worker ON leases (worker_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX leases_live_repo ON leases (repo_id) WHERE ended_at IS NULL;
CREATE INDEX leases_due ON leases (expires_at) WHERE ended_at IS NULL;
CREATE INDEX leases_person ON leases (repo_id, person, ended_at);
CREATE INDEX leases_ended ON leases (repo_id, ended_at);
-- Invariant 3: an epoch of a task is granted once.
CREATE UNIQUE INDEX leases_epoch ON leases (task_id, epoch);

-- Invariant 2: at most one holder per repository and area.
CREATE TABLE area_holds (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  area TEXT NOT NULL,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  PRIMARY KEY (repo_id, area)
);
CREATE INDEX area_holds_task ON area_holds (task_id);

CREATE TABLE pulls (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  number BIGINT NOT NULL,
  author_id BIGINT,
  author_login TEXT,
  -- open, merged or closed.
  state TEXT NOT NULL,
  draft BIGINT NOT NULL,
  head_ref TEXT NOT NULL,
  head_sha TEXT NOT NULL,
  -- The issues its text or branch names, as a JSON list.
  issues TEXT NOT NULL DEFAULT '[]',
  -- When it last changed, as GitHub said; an older view of it is not taken for news.
  updated_at BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (repo_id, number)
);
CREATE INDEX pulls_open ON pulls (repo_id) WHERE state = 'open';

CREATE TABLE pull_links (
  repo_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  -- True when the worker's report made the link; such a link outlives an edit of the text.
  reported BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (repo_id, number, task_id)
);
CREATE INDEX pull_links_task ON pull_links (task_id);

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  event TEXT NOT NULL,
  -- Deliveries of one key are processed one at a time; one that waits after a failure lets later ones pass.
  order_key TEXT NOT NULL,
  payload TEXT,
  received_at BIGINT NOT NULL,
  -- pending, processing, done or dead.
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  taken_until BIGINT NOT NULL DEFAULT 0,
  error TEXT
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'pending';
CREATE UNIQUE INDEX deliveries_processing ON deliveries (order_key) WHERE state = 'processing';
CREATE INDEX deliveries_key ON deliveries (order_key, received_at, id) WHERE state = 'pending';

CREATE TABLE commands_done (
  repo_id TEXT NOT NULL,
  comment_id BIGINT NOT NULL,
  line BIGINT NOT NULL,
  PRIMARY KEY (repo_id, comment_id, line)
);

CREATE TABLE wanted_comments (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  issue BIGINT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  -- Raised whenever the body changes; a send counts for the version it took.
  version BIGINT NOT NULL,
  sent_version BIGINT NOT NULL DEFAULT 0,
  comment_id BIGINT,
  -- pending, sent or dead.
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  -- Set before a create is sent and cleared by its answer: while it stands, the comment may exist unseen.
  attempt_at BIGINT,
  error TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, issue, key)
);
CREATE INDEX wanted_comments_due ON wanted_comments (due_at) WHERE state = 'pending';

CREATE TABLE chains (
  chain TEXT PRIMARY KEY,
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
);

CREATE TABLE events (
  chain TEXT NOT NULL,
  seq BIGINT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  task_id TEXT,
  worker_id TEXT,
  lease_id TEXT,
  payload TEXT NOT NULL,
  -- The chain holds the salted digest, so that a payload can be deleted and the chain still verifies.
  salt TEXT NOT NULL,
  digest TEXT NOT NULL,
  hash TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (chain, seq)
);
CREATE UNIQUE INDEX events_id ON events (id);
