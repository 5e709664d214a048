-- The spine: the tables of migrations/sqlite/, with TEXT as COLLATE "C" so that both engines sort ids by bytes.

CREATE TABLE installations (
  id BIGINT PRIMARY KEY,
  account TEXT COLLATE "C" NOT NULL,
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
  id TEXT COLLATE "C" PRIMARY KEY,
  github_id BIGINT,
  installation_id BIGINT,
  name TEXT COLLATE "C" NOT NULL,
  name_key TEXT COLLATE "C" NOT NULL,
  managed BIGINT NOT NULL,
  private BIGINT NOT NULL DEFAULT 0,
  -- Why it is not served; NULL while it is.
  inactive TEXT COLLATE "C",
  -- The operator's ceiling; in a manual repository the budget itself.
  ceiling BIGINT,
  command_budget BIGINT,
  -- A maintainer's pause: until when (a time far away when it has no end), and why.
  paused_until BIGINT,
  pause_reason TEXT COLLATE "C",
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
  person TEXT COLLATE "C" PRIMARY KEY,
  github_id BIGINT NOT NULL,
  login TEXT COLLATE "C" NOT NULL,
  is_bot BIGINT NOT NULL DEFAULT 0
);

-- What maintainers think of people; a level of -1 is a ban.
CREATE TABLE trust (
  repo_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
  person TEXT COLLATE "C" NOT NULL,
  level BIGINT NOT NULL,
  set_by TEXT COLLATE "C" NOT NULL,
  set_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, person)
);

CREATE TABLE workers (
  id TEXT COLLATE "C" PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  person TEXT COLLATE "C" NOT NULL,
  by_comment BIGINT NOT NULL DEFAULT 0,
  skills TEXT COLLATE "C" NOT NULL DEFAULT '[]',
  capacity BIGINT NOT NULL,
  max_concurrent BIGINT NOT NULL,
  status TEXT COLLATE "C" NOT NULL DEFAULT 'idle',
  note TEXT COLLATE "C",
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
  token_hash TEXT COLLATE "C" PRIMARY KEY,
  worker_id TEXT COLLATE "C" NOT NULL REFERENCES workers (id),
  created_at BIGINT NOT NULL,
  revoked BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE link_codes (
  code_hash TEXT COLLATE "C" PRIMARY KEY,
  worker_id TEXT COLLATE "C" NOT NULL REFERENCES workers (id),
  handle_key TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL
);

CREATE TABLE tasks (
  id TEXT COLLATE "C" PRIMARY KEY,
  repo_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
  issue BIGINT,
  title TEXT COLLATE "C" NOT NULL,
  description TEXT COLLATE "C" NOT NULL,
  estimate BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  skills TEXT COLLATE "C" NOT NULL DEFAULT '[]',
  area TEXT COLLATE "C",
  tier BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  epoch BIGINT NOT NULL DEFAULT 0,
  ready_since BIGINT NOT NULL,
  hold TEXT COLLATE "C",
  reserved_person TEXT COLLATE "C",
  reserved_until BIGINT,
  assignee TEXT COLLATE "C",
  last_holder TEXT COLLATE "C",
  last_lease TEXT COLLATE "C",
  pull BIGINT,
  blocked_reason TEXT COLLATE "C",
  -- Which act of labelling was last judged, so that it is judged once.
  opt_in_event BIGINT,
  -- What is wrong with the labels, for the issue's notes comment.
  problems TEXT COLLATE "C" NOT NULL DEFAULT '[]',
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
  id TEXT COLLATE "C" PRIMARY KEY,
  task_id TEXT COLLATE "C" NOT NULL REFERENCES tasks (id),
  repo_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
  worker_id TEXT COLLATE "C" NOT NULL REFERENCES workers (id),
  person TEXT COLLATE "C" NOT NULL,
  epoch BIGINT NOT NULL,
  -- offered, active, or why it ended.
  state TEXT COLLATE "C" NOT NULL,
  via TEXT COLLATE "C" NOT NULL,
  estimate BIGINT NOT NULL,
  area TEXT COLLATE "C",
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
  repo_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
  area TEXT COLLATE "C" NOT NULL,
  task_id TEXT COLLATE "C" NOT NULL REFERENCES tasks (id),
  PRIMARY KEY (repo_id, area)
);
CREATE INDEX area_holds_task ON area_holds (task_id);

CREATE TABLE pulls (
  repo_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
  number BIGINT NOT NULL,
  author_id BIGINT,
  author_login TEXT COLLATE "C",
  -- open, merged or closed.
  state TEXT COLLATE "C" NOT NULL,
  draft BIGINT NOT NULL,
  head_ref TEXT COLLATE "C" NOT NULL,
  head_sha TEXT COLLATE "C" NOT NULL,
  -- The issues its text or branch names, as a JSON list.
  issues TEXT COLLATE "C" NOT NULL DEFAULT '[]',
  -- When it last changed, as GitHub said; an older view of it is not taken for news.
  updated_at BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (repo_id, number)
);
CREATE INDEX pulls_open ON pulls (repo_id) WHERE state = 'open';

CREATE TABLE pull_links (
  repo_id TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  task_id TEXT COLLATE "C" NOT NULL REFERENCES tasks (id),
  -- True when the worker's report made the link; such a link outlives an edit of the text.
  reported BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (repo_id, number, task_id)
);
CREATE INDEX pull_links_task ON pull_links (task_id);

CREATE TABLE deliveries (
  id TEXT COLLATE "C" PRIMARY KEY,
  event TEXT COLLATE "C" NOT NULL,
  -- Deliveries of one key are processed one at a time; one that waits after a failure lets later ones pass.
  order_key TEXT COLLATE "C" NOT NULL,
  payload TEXT COLLATE "C",
  received_at BIGINT NOT NULL,
  -- pending, processing, done or dead.
  state TEXT COLLATE "C" NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  taken_until BIGINT NOT NULL DEFAULT 0,
  error TEXT COLLATE "C"
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'pending';
CREATE UNIQUE INDEX deliveries_processing ON deliveries (order_key) WHERE state = 'processing';
CREATE INDEX deliveries_key ON deliveries (order_key, received_at, id) WHERE state = 'pending';

CREATE TABLE commands_done (
  repo_id TEXT COLLATE "C" NOT NULL,
  comment_id BIGINT NOT NULL,
  line BIGINT NOT NULL,
  PRIMARY KEY (repo_id, comment_id, line)
);

CREATE TABLE wanted_comments (
  repo_id TEXT COLLATE "C" NOT NULL REFERENCES repositories (id),
  issue BIGINT NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  body TEXT COLLATE "C" NOT NULL,
  -- Raised whenever the body changes; a send counts for the version it took.
  version BIGINT NOT NULL,
  sent_version BIGINT NOT NULL DEFAULT 0,
  comment_id BIGINT,
  -- pending, sent or dead.
  state TEXT COLLATE "C" NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  -- Set before a create is sent and cleared by its answer: while it stands, the comment may exist unseen.
  attempt_at BIGINT,
  error TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, issue, key)
);
CREATE INDEX wanted_comments_due ON wanted_comments (due_at) WHERE state = 'pending';

CREATE TABLE chains (
  chain TEXT COLLATE "C" PRIMARY KEY,
  seq BIGINT NOT NULL,
  hash TEXT COLLATE "C" NOT NULL
);

CREATE TABLE events (
  chain TEXT COLLATE "C" NOT NULL,
  seq BIGINT NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  task_id TEXT COLLATE "C",
  worker_id TEXT COLLATE "C",
  lease_id TEXT COLLATE "C",
  payload TEXT COLLATE "C" NOT NULL,
  -- The chain holds the salted digest, so that a payload can be deleted and the chain still verifies.
  salt TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL,
  hash TEXT COLLATE "C" NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (chain, seq)
);
CREATE UNIQUE INDEX events_id ON events (id);
