-- The schema. All columns are BIGINT or TEXT: times are Unix milliseconds, lists and payloads are JSON, and
-- booleans are 0 or 1. `repo_id` is the id of a repository. `person` is the key of a contributor: gh:ID for a GitHub
-- account, w:WORKER for a worker that is not linked.
--
-- Written for SQLite. `src/migrations.rs` translates it for PostgreSQL, where text is compared by bytes, so that both
-- engines sort ids alike, and generated columns are computed when a row is written.

--
-- Repositories
--

-- Installations of the GitHub App.
CREATE TABLE installations (
  id BIGINT PRIMARY KEY,
  account TEXT NOT NULL,
  suspended BIGINT NOT NULL DEFAULT 0,
  -- The permissions that its owner granted, as JSON: level by name.
  permissions TEXT NOT NULL DEFAULT '{}',
  -- Comments are written one at a time and spaced; the next write is not before this time.
  next_write_at BIGINT NOT NULL DEFAULT 0,
  -- End of the hold of the process that sends comments for this installation.
  sender_until BIGINT NOT NULL DEFAULT 0,
  -- Start of the hour of GitHub's write quota, and the number of writes since.
  hour_began BIGINT NOT NULL DEFAULT 0,
  hour_writes BIGINT NOT NULL DEFAULT 0
);

-- GitHub repositories and manual repositories.
CREATE TABLE repositories (
  id TEXT PRIMARY KEY,
  github_id BIGINT,
  installation_id BIGINT,
  -- `owner/name` as last seen.
  name TEXT NOT NULL,
  -- The name in lower case. The id, once the repository was removed or another repository took the name over.
  name_key TEXT NOT NULL,
  -- Earlier names, each followed by a space: texts may still use them.
  former_names TEXT NOT NULL DEFAULT '',
  -- 1 for a GitHub repository, 0 for a manual one.
  managed BIGINT NOT NULL,
  private BIGINT NOT NULL DEFAULT 0,
  -- The reason it is not served; NULL while it is served.
  inactive TEXT,
  -- Time since which it is not served. Leases and reservations get this time back when it is served again.
  inactive_since BIGINT,
  -- 1 while it is not served because GitHub does not show it: GitHub is asked again.
  ask_again BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,

  -- The operator's ceiling for the review budget; in a manual repository the budget itself.
  ceiling BIGINT,
  -- The budget that a maintainer set by command.
  command_budget BIGINT,
  manual_area_locks BIGINT NOT NULL DEFAULT 1,
  -- A pause has a reason. Its end is NULL if somebody must end it.
  paused_until BIGINT,
  pause_reason TEXT,

  -- The operator's policy document, as JSON; NULL if there is none.
  policy TEXT,
  -- The last valid `.github/owp.yml`, as JSON; NULL if there is no file.
  policy_file TEXT,
  -- A digest of the file as last read, valid or not; NULL if there is none.
  policy_digest TEXT,
  -- The errors of the current file, one per line; NULL if it is valid.
  policy_error TEXT,
  -- Time of the last reading that found a valid file or none. While it is 0, no task is granted, because the rules are
  -- unknown.
  policy_read_at BIGINT NOT NULL DEFAULT 0,
  -- The accounts on the policy's lists, as JSON: GitHub user ids by name; and the time of that look-up.
  policy_allowed TEXT,
  policy_allowed_at BIGINT NOT NULL DEFAULT 0,
  -- Issue and time of the last report of a problem with the file.
  policy_said_issue BIGINT,
  policy_said_at BIGINT,
  -- Earlier branch templates of the policy, as a JSON list: pull requests from such branches keep their links.
  former_branches TEXT NOT NULL DEFAULT '[]',

  -- Start of the last successful count of open pull requests, and time of the last failed count if that was later.
  counted_at BIGINT,
  count_failed_at BIGINT,
  -- A count that began before this time is ignored, because the counts were forgotten then.
  count_from BIGINT NOT NULL DEFAULT 0,
  -- Due time of the next reconciliation, and end of the hold of the process that runs it.
  sync_due_at BIGINT NOT NULL DEFAULT 0,
  sync_until BIGINT NOT NULL DEFAULT 0,
  -- Start of the last comparison of all labelled issues with GitHub.
  compared_at BIGINT NOT NULL DEFAULT 0,
  -- Number of comparisons requested, and how many of these requests the last comparison covered.
  compares_asked BIGINT NOT NULL DEFAULT 0,
  compares_answered BIGINT NOT NULL DEFAULT 0,
  -- Due time of the next request to GitHub whether anything changed in the repository.
  watch_due_at BIGINT NOT NULL DEFAULT 0,
  -- Time up to which all comments were scanned twice for commands whose delivery may have been lost: GitHub may leave
  -- one out once. And the start of the last scan.
  heard_until BIGINT NOT NULL,
  heard_at BIGINT NOT NULL,
  -- End of the grace period of open issues that lost the label, because many lost it at once; NULL while there is
  -- none.
  unlabelled_until BIGINT,
  -- The issue on which the pool reported that.
  unlabelled_said_issue BIGINT
);
CREATE UNIQUE INDEX repositories_github ON repositories (github_id) WHERE github_id IS NOT NULL;
CREATE UNIQUE INDEX repositories_name ON repositories (name_key);
CREATE INDEX repositories_private ON repositories (name_key) WHERE private = 1;
CREATE INDEX repositories_sync ON repositories (sync_due_at) WHERE managed = 1 AND inactive IS NULL;
CREATE INDEX repositories_inactive ON repositories (inactive_since) WHERE inactive IS NOT NULL;
CREATE INDEX repositories_watch ON repositories (watch_due_at) WHERE managed = 1 AND inactive IS NULL;

-- Objects that the pool knows and for which GitHub answered "not found". The pool believes the answer only after
-- several of them, spaced apart.
CREATE TABLE doubts (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  -- issue, pull or repo.
  kind TEXT NOT NULL,
  -- The number of the issue or pull request; 0 for the repository itself.
  number BIGINT NOT NULL,
  -- Number of answers that counted, time of the first, and time of the last that counted.
  answers BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  answered_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, kind, number)
);

--
-- Contributors
--

-- GitHub accounts as last seen.
CREATE TABLE people (
  person TEXT PRIMARY KEY,
  github_id BIGINT NOT NULL,
  login TEXT NOT NULL,
  -- 0 once another account was seen under the same login.
  is_current BIGINT NOT NULL DEFAULT 1,
  is_bot BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX people_login ON people (LOWER(login));

-- Accounts whose pull requests count as the work of a contributor, as that contributor declared.
CREATE TABLE agents (
  person TEXT NOT NULL,
  agent TEXT NOT NULL,
  declared_at BIGINT NOT NULL,
  PRIMARY KEY (person, agent)
);
CREATE INDEX agents_agent ON agents (agent);

-- Contributors who asked to be on the leaderboard.
CREATE TABLE leaderboard (
  person TEXT PRIMARY KEY,
  since BIGINT NOT NULL
);

-- Trust that maintainers gave to contributors; a level of -1 is a ban.
CREATE TABLE trust (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  person TEXT NOT NULL,
  level BIGINT NOT NULL,
  set_by TEXT NOT NULL,
  set_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, person)
);
-- The standing of one contributor in every repository, without reading the rows of others. Likewise tasks_merged_by,
-- leases_live_person and leases_lapsed.
CREATE INDEX trust_person ON trust (person, repo_id);

-- Read access of contributors to private repositories, and the time of GitHub's answer.
CREATE TABLE readers (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  person TEXT NOT NULL,
  may BIGINT NOT NULL,
  checked_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, person)
);
CREATE INDEX readers_person ON readers (person);
CREATE INDEX readers_age ON readers (checked_at);

-- Outcomes of contributors' work. The reputation of those who asked for a score is computed from them.
CREATE TABLE outcomes (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  person TEXT NOT NULL,
  task_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX outcomes_person ON outcomes (person, repo_id, at);
-- History is removed from its beginning. Likewise tasks_past and leases_past.
CREATE INDEX outcomes_at ON outcomes (at);

--
-- Workers and their calls
--

-- Registered programs, and one worker for each contributor who uses `/owp` comments.
CREATE TABLE workers (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  person TEXT NOT NULL,
  -- 1 for the worker that represents a contributor's comments.
  by_comment BIGINT NOT NULL DEFAULT 0,
  -- 1 for a registered program, and for a contributor who said `/owp join`.
  joined BIGINT NOT NULL DEFAULT 0,
  -- 1 if its contributor asked for a score.
  scored BIGINT NOT NULL DEFAULT 0,
  skills TEXT NOT NULL DEFAULT '[]',
  capacity BIGINT NOT NULL,
  max_concurrent BIGINT NOT NULL,
  capabilities TEXT NOT NULL DEFAULT '{}',
  -- Fields whose names begin with x_, as JSON; kept and passed through.
  extra TEXT NOT NULL DEFAULT '{}',
  status TEXT NOT NULL DEFAULT 'idle',
  -- A pause by the contributor. It is separate from `status`, because the worker's own program continues to send that
  -- with every heartbeat.
  paused BIGINT NOT NULL DEFAULT 0,
  note TEXT,
  revoked BIGINT NOT NULL DEFAULT 0,
  last_seen BIGINT NOT NULL,
  -- Unused: `leases.told` marks each ended lease that was reported to its worker.
  told_until BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX workers_comment_person ON workers (person) WHERE by_comment = 1;
CREATE INDEX workers_person ON workers (person);
CREATE INDEX workers_seen ON workers (last_seen);

-- Digests of the workers' tokens.
CREATE TABLE worker_tokens (
  token_hash TEXT PRIMARY KEY,
  worker_id TEXT NOT NULL REFERENCES workers (id),
  -- 1 while a rotated token is unused: its first use revokes the worker's other tokens.
  fresh BIGINT NOT NULL DEFAULT 0,
  revoked BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
);
CREATE INDEX worker_tokens_worker ON worker_tokens (worker_id);

-- Digests of the codes that link a worker to a GitHub account.
CREATE TABLE link_codes (
  code_hash TEXT PRIMARY KEY,
  worker_id TEXT NOT NULL REFERENCES workers (id),
  -- The claimed login, in lower case.
  handle_key TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
-- Codes are found by worker and by expiry, without reading the whole table.
CREATE INDEX link_codes_worker ON link_codes (worker_id);
CREATE INDEX link_codes_ended ON link_codes (expires_at);

-- Sessions of people who signed in on the pages.
CREATE TABLE sessions (
  -- Hash of the secret in the browser's cookie.
  token_hash TEXT PRIMARY KEY,
  -- The GitHub user; NULL for the operator.
  github_id BIGINT,
  login TEXT,
  -- Digest of the admin token that opened an operator's session.
  admin_mark TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (github_id);
CREATE INDEX sessions_end ON sessions (expires_at);

-- Responses kept for repeated requests with one idempotency key.
CREATE TABLE idempotency (
  -- A digest of the caller, the route and the caller's key.
  scope TEXT PRIMARY KEY,
  -- A digest of the request body, which detects another body under the same key.
  body TEXT NOT NULL,
  -- Deadline of the request that reserved the key.
  busy_until BIGINT NOT NULL,
  -- The response; NULL until the request was answered.
  status BIGINT,
  media_type TEXT,
  answer TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX idempotency_age ON idempotency (created_at);

--
-- Tasks and leases
--

-- Units of work, made from issues or by hand.
CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  -- The issue number; NULL in a manual repository.
  issue BIGINT,
  -- The caller's own id of a task added by hand: a task that exists is not added again.
  external_id TEXT,
  created_at BIGINT NOT NULL,

  -- The approved text.
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  estimate BIGINT NOT NULL,
  priority BIGINT NOT NULL,
  skills TEXT NOT NULL DEFAULT '[]',
  area TEXT,
  tier BIGINT NOT NULL,
  -- The operator's fields whose names begin with x_, as JSON; kept and passed through.
  extra TEXT NOT NULL DEFAULT '{}',

  state TEXT NOT NULL,
  -- Time since which it is in that state.
  state_since BIGINT NOT NULL DEFAULT 0,
  epoch BIGINT NOT NULL DEFAULT 0,
  ready_since BIGINT NOT NULL,
  -- The reason a maintainer must approve the task first; NULL if nobody must.
  hold TEXT,
  -- The reason the task is not granted although nobody must approve it, and the earliest time at which a retry may
  -- help; NULL while it can be granted.
  withheld TEXT,
  withheld_until BIGINT,
  blocked_reason TEXT,
  reserved_person TEXT,
  reserved_until BIGINT,
  assignee TEXT,
  last_holder TEXT,
  last_lease TEXT,
  -- The pull request that passed the gates.
  pull BIGINT,

  -- The GitHub users that the issue is assigned to, as JSON.
  assignees TEXT NOT NULL DEFAULT '[]',
  -- The labelling event that was judged last, so that each is judged once.
  opt_in_event BIGINT,
  -- Problems with the labels, for the issue's notes comment.
  problems TEXT NOT NULL DEFAULT '[]',
  -- The issue's last change, according to GitHub; an older view of the issue is ignored.
  issue_updated_at BIGINT NOT NULL DEFAULT 0,
  -- Time at which the text was approved, by setting the label or by a command.
  approved_at BIGINT NOT NULL DEFAULT 0,
  -- 1 while the text that counts as approved was read after the approval and no signed payload confirms it.
  text_unproven BIGINT NOT NULL DEFAULT 0,
  -- The current text of the issue while it differs from the approved text.
  later_title TEXT,
  later_description TEXT,
  -- The issue's last change when that text was noticed.
  later_at BIGINT NOT NULL DEFAULT 0,
  -- Time of the last request to GitHub about a task that is held until GitHub answers.
  asked_at BIGINT NOT NULL DEFAULT 0,
  -- Time since which the task is over and nobody offers it: GitHub showed its issue closed or without the label. NULL
  -- while GitHub may show the issue open and labelled, and for a task with an external id, which can be added again.
  past_since BIGINT,

  -- The planner finds candidates by class and rank. Tasks of one class have the same requirements and are assigned to
  -- the same users. A class that would be too long for an index is the task's own.
  class TEXT GENERATED ALWAYS AS (
    CASE WHEN LENGTH(skills) + LENGTH(COALESCE(area, '')) + LENGTH(assignees) <= 400
    THEN CAST(tier AS VARCHAR) || ' ' || CAST(estimate AS VARCHAR) || ' ' || skills || ' ' || COALESCE(area, '')
      || ' ' || assignees
    ELSE id END
  ) VIRTUAL,
  -- The lowest rank goes first. An hour of waiting counts as one point of priority, so the order of two tasks does not
  -- change while they wait.
  rank BIGINT GENERATED ALWAYS AS (ready_since - priority * 3600000) VIRTUAL
);
CREATE UNIQUE INDEX tasks_issue ON tasks (repo_id, issue) WHERE issue IS NOT NULL;
CREATE UNIQUE INDEX tasks_external ON tasks (repo_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX tasks_queue ON tasks (repo_id, rank, id) WHERE state = 'ready';
CREATE INDEX tasks_class ON tasks (repo_id, class, rank, id)
  WHERE state = 'ready' AND hold IS NULL AND withheld IS NULL;
-- A task keeps its last assignee, so only those that somebody works on are in it.
CREATE INDEX tasks_assignee ON tasks (assignee) WHERE state IN ('leased', 'in_progress', 'blocked', 'pr_opened');
CREATE INDEX tasks_reserved ON tasks (reserved_until) WHERE reserved_until IS NOT NULL;
-- Lists and counts walk along an index.
CREATE INDEX tasks_state ON tasks (repo_id, state, id);
CREATE INDEX tasks_of_state ON tasks (state, id);
CREATE INDEX tasks_of_repo ON tasks (repo_id, id);
CREATE INDEX tasks_past ON tasks (past_since, id) WHERE past_since IS NOT NULL;

-- Merged tasks of each contributor, counted by the moves that change them.
CREATE TABLE merges (
  person TEXT NOT NULL,
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  tasks BIGINT NOT NULL,
  PRIMARY KEY (person, repo_id)
);

-- Number of tasks of each repository in each state, counted by the writes that change them, under the lock of the
-- repository. Tasks that were removed as history stay counted.
CREATE TABLE task_counts (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  state TEXT NOT NULL,
  tasks BIGINT NOT NULL,
  PRIMARY KEY (repo_id, state)
);

-- Sums of each day (days since 1970, UTC) in each repository, counted by the moves and by samples of the slots. `class` is
-- the class of a duration, or 0. There is no foreign key, so that a sample does not wait for the lock of a repository.
CREATE TABLE daily (
  repo_id TEXT NOT NULL,
  day BIGINT NOT NULL,
  measure TEXT NOT NULL,
  class BIGINT NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (repo_id, day, measure, class)
);
-- Sums over all repositories are read from this index alone, in its order.
CREATE INDEX daily_day ON daily (day, measure, class, repo_id, n);

-- Contributors who cannot claim a task again until then, because a maintainer took it from them.
CREATE TABLE task_bars (
  task_id TEXT NOT NULL REFERENCES tasks (id),
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  person TEXT NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (task_id, person)
);
CREATE INDEX task_bars_until ON task_bars (until);
CREATE INDEX task_bars_repo ON task_bars (repo_id, until);

-- Leases and offers, live and ended.
CREATE TABLE leases (
  id TEXT PRIMARY KEY,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  worker_id TEXT NOT NULL REFERENCES workers (id),
  person TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  -- offered, active, or the reason it ended.
  state TEXT NOT NULL,
  -- rest or comment.
  via TEXT NOT NULL,
  estimate BIGINT NOT NULL,
  area TEXT,
  -- 1 if the area stays locked while the pull request is under review.
  keeps_area BIGINT NOT NULL DEFAULT 0,
  granted_at BIGINT NOT NULL,
  -- Deadline for the acknowledgement of an offer.
  ack_by BIGINT,
  expires_at BIGINT NOT NULL,
  ttl BIGINT NOT NULL,
  -- Latest possible expiry, whatever the renewals.
  max_until BIGINT NOT NULL,
  warned_at BIGINT,
  ended_at BIGINT,
  -- 1 once the end was reported to the worker. A mark of each lease, because one can be committed after another that
  -- ended later.
  told BIGINT NOT NULL DEFAULT 0
);
-- Invariant 1: at most one live lease per task.
CREATE UNIQUE INDEX leases_live_task ON leases (task_id) WHERE ended_at IS NULL;
-- Invariant 3: an epoch of a task is granted once.
CREATE UNIQUE INDEX leases_epoch ON leases (task_id, epoch);
CREATE INDEX leases_live_worker ON leases (worker_id) WHERE ended_at IS NULL;
CREATE INDEX leases_live_repo ON leases (repo_id) WHERE ended_at IS NULL;
CREATE INDEX leases_live_person ON leases (person, repo_id) WHERE ended_at IS NULL;
CREATE INDEX leases_due ON leases (expires_at) WHERE ended_at IS NULL;
CREATE INDEX leases_ended ON leases (repo_id, ended_at);
CREATE INDEX leases_past ON leases (ended_at, id) WHERE ended_at IS NOT NULL;
-- The end of a lease claimed by comment is reported on its issue.
CREATE INDEX leases_untold ON leases (worker_id, ended_at) WHERE ended_at IS NOT NULL AND told = 0 AND via = 'rest';
CREATE INDEX leases_lapsed ON leases (person, repo_id, ended_at) WHERE state IN ('expired', 'ack_timeout');
CREATE INDEX leases_released ON leases (person, ended_at) WHERE state = 'released';
CREATE INDEX leases_given_back ON leases (repo_id, ended_at)
  WHERE state IN ('nacked', 'ack_timeout') OR (state IN ('released', 'revoked') AND via = 'rest');

-- Number of ended leases of each repository by the reason of the end, counted when they end. Leases that were removed as
-- history stay counted.
CREATE TABLE lease_ends (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  reason TEXT NOT NULL,
  leases BIGINT NOT NULL,
  PRIMARY KEY (repo_id, reason)
);

-- Area locks. Invariant 2: an area of a repository has at most one holder.
CREATE TABLE area_holds (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  area TEXT NOT NULL,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  PRIMARY KEY (repo_id, area)
);
CREATE INDEX area_holds_task ON area_holds (task_id);

--
-- Pull requests
--

-- Pull requests as GitHub last showed them.
CREATE TABLE pulls (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  number BIGINT NOT NULL,
  author_id BIGINT,
  author_login TEXT,
  author_bot BIGINT NOT NULL DEFAULT 0,
  -- open, merged or closed.
  state TEXT NOT NULL,
  draft BIGINT NOT NULL,
  -- 1 if a maintainer set it aside with `/owp ignore`: while nobody claims the task that it answers, it takes no slot
  -- and does not keep others from the task.
  ignored BIGINT NOT NULL DEFAULT 0,
  -- The issues that its text or branch names, as a JSON list.
  issues TEXT NOT NULL DEFAULT '[]',
  checklist_items BIGINT NOT NULL DEFAULT 0,
  checklist_open BIGINT NOT NULL DEFAULT 0,
  base_ref TEXT NOT NULL DEFAULT '',
  head_ref TEXT NOT NULL,
  -- The repository of the branch, `owner/name`; NULL once that fork was deleted.
  head_repo TEXT,
  head_sha TEXT NOT NULL,
  -- The checks seen on head_sha, and the signatures of the commits, as JSON; a push clears both.
  checks TEXT,
  signatures TEXT,
  -- Its last change, according to GitHub; an older view of it is ignored.
  updated_at BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (repo_id, number)
);
CREATE INDEX pulls_open ON pulls (repo_id) WHERE state = 'open';
CREATE INDEX pulls_head ON pulls (repo_id, head_sha) WHERE state = 'open';

-- Links between pull requests and the tasks that they answer.
CREATE TABLE pull_links (
  repo_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  -- 1 if the worker's report made the link; such a link survives an edit of the text.
  reported BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (repo_id, number, task_id)
);
CREATE INDEX pull_links_task ON pull_links (task_id);

--
-- Webhook deliveries
--

-- Deliveries, stored before they are processed.
CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  event TEXT NOT NULL,
  -- Deliveries with the same key are processed one at a time; one that waits after a failure lets later ones pass.
  order_key TEXT NOT NULL,
  -- The comment that it reports as created.
  comment_id BIGINT,
  -- The account whose commands it contains, if any. In a repository, commands of one account run in order.
  speaker BIGINT,
  received_at BIGINT NOT NULL,
  -- pending, processing, done or dead.
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  -- End of the hold of the process that took it.
  taken_until BIGINT NOT NULL DEFAULT 0,
  -- Number of times it was taken. It identifies the process that has it, however long an earlier one continues.
  takes BIGINT NOT NULL DEFAULT 0,
  -- Number of times it was taken and not finished.
  rescues BIGINT NOT NULL DEFAULT 0,
  -- Number of attempts in which GitHub did not show its comment.
  misses BIGINT NOT NULL DEFAULT 0,
  error TEXT,
  -- What the pool read in it, as JSON; NULL once it is done. Last, because it can be long, and the search for the next
  -- delivery reads the columns before it.
  payload TEXT
);
CREATE INDEX deliveries_order ON deliveries (received_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_key ON deliveries (order_key, received_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_speaker ON deliveries (order_key, speaker, received_at, id)
  WHERE state = 'pending' AND speaker IS NOT NULL;
CREATE UNIQUE INDEX deliveries_processing ON deliveries (order_key) WHERE state = 'processing';
CREATE INDEX deliveries_received ON deliveries (received_at);
CREATE INDEX deliveries_dead ON deliveries (received_at) WHERE state = 'dead';
CREATE INDEX deliveries_comment ON deliveries (comment_id) WHERE comment_id IS NOT NULL;

-- Lines of comments whose commands were handled, so that each runs once.
CREATE TABLE commands_done (
  repo_id TEXT NOT NULL,
  comment_id BIGINT NOT NULL,
  line BIGINT NOT NULL,
  -- The author, and the time of writing; both NULL for a line that was rejected.
  person TEXT,
  said_at BIGINT,
  PRIMARY KEY (repo_id, comment_id, line)
);
-- A transferred issue keeps its comments; commands that ran in the former repository do not run again.
CREATE INDEX commands_done_comment ON commands_done (comment_id);
-- The rate limit of a contributor's commands.
CREATE INDEX commands_done_person ON commands_done (person, said_at) WHERE person IS NOT NULL;

-- The reading of GitHub's list of deliveries, which finds those that failed. One row.
CREATE TABLE missed (
  id BIGINT PRIMARY KEY,
  -- Time up to which the list was read, and due time of the next reading.
  looked_until BIGINT NOT NULL DEFAULT 0,
  look_due_at BIGINT NOT NULL DEFAULT 0,
  -- End of the hold of the process that reads the list.
  looking_until BIGINT NOT NULL DEFAULT 0,
  -- Redeliveries are requested one at a time; the next is not requested before this time.
  ask_due_at BIGINT NOT NULL DEFAULT 0
);
INSERT INTO missed (id) VALUES (1);

-- Failed deliveries that GitHub is asked to repeat.
CREATE TABLE redeliveries (
  guid TEXT PRIMARY KEY,
  -- The failed attempt to repeat.
  delivery BIGINT NOT NULL,
  first_failed_at BIGINT NOT NULL,
  -- 1 until GitHub was asked.
  wanted BIGINT NOT NULL
);
CREATE INDEX redeliveries_wanted ON redeliveries (first_failed_at, guid) WHERE wanted = 1;
CREATE INDEX redeliveries_age ON redeliveries (first_failed_at);

--
-- Comments on GitHub
--

-- Comments that the pool wants to exist; the sender makes GitHub match.
CREATE TABLE wanted_comments (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  issue BIGINT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  -- The version rises whenever the body changes; a send counts for the version that it took.
  version BIGINT NOT NULL,
  sent_version BIGINT NOT NULL DEFAULT 0,
  -- The comment's id on GitHub, once known.
  comment_id BIGINT,
  -- pending, sent or dead.
  state TEXT NOT NULL,
  -- Comments of leases, pull requests and warnings (0) are written before notes (1), and notes before replies (2).
  send_rank BIGINT NOT NULL DEFAULT 1,
  attempts BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  -- Set before a create is sent and cleared by the response: while it is set, the comment may already exist.
  attempt_at BIGINT,
  -- Number of lists of the issue's comments, read since that create, that left the comment out.
  absences BIGINT NOT NULL DEFAULT 0,
  -- Number of times the comment was written again after somebody deleted it.
  rewritten BIGINT NOT NULL DEFAULT 0,
  error TEXT,
  -- Time at which it became a dead letter.
  died_at BIGINT,
  -- The delivery or request because of which it was last wanted, for the log.
  cause TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, issue, key)
);
-- The next comment of a repository is the first of its rank in this index, however many wait behind it.
CREATE INDEX wanted_comments_due ON wanted_comments (repo_id, send_rank, due_at, created_at, issue, key)
  WHERE state = 'pending';
CREATE INDEX wanted_comments_dead ON wanted_comments (died_at, repo_id, issue, key) WHERE state = 'dead';

-- Parts of the one comment on an issue whose repository wants a single comment. The comment is composed from them and
-- wanted like any other.
CREATE TABLE comment_parts (
  repo_id TEXT NOT NULL REFERENCES repositories (id),
  issue BIGINT NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  -- 1 for a reply to a comment; only the last few are shown.
  answer BIGINT NOT NULL,
  -- Time of the last change of the body.
  said_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (repo_id, issue, key)
);

-- A repository's last comment write, and its number of writes in the hour of its installation that began then. There
-- is no foreign key, so that the sender does not wait for the lock of a repository.
CREATE TABLE comment_turns (
  repo_id TEXT PRIMARY KEY,
  wrote_at BIGINT NOT NULL,
  hour_began BIGINT NOT NULL,
  hour_writes BIGINT NOT NULL
);

--
-- Audit events
--

-- The last event of each hash chain. A chain is named by its repository; one more holds the events without a
-- repository.
CREATE TABLE chains (
  chain TEXT PRIMARY KEY,
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
);

-- The end of what was removed as history from a hash chain: the first event that is kept follows it.
CREATE TABLE chain_anchors (
  chain TEXT PRIMARY KEY,
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
);

-- Audit events.
CREATE TABLE events (
  chain TEXT NOT NULL,
  seq BIGINT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  task_id TEXT,
  worker_id TEXT,
  lease_id TEXT,
  payload TEXT NOT NULL,
  -- The chain covers the salted digest, so that a payload can be deleted and the chain still verifies.
  salt TEXT NOT NULL,
  digest TEXT NOT NULL,
  hash TEXT NOT NULL,
  at BIGINT NOT NULL,
  -- The number in the event feed; NULL until it has one.
  feed BIGINT,
  PRIMARY KEY (chain, seq)
);
CREATE UNIQUE INDEX events_id ON events (id);
CREATE INDEX events_task ON events (task_id, seq) WHERE task_id IS NOT NULL;
CREATE UNIQUE INDEX events_feed ON events (feed) WHERE feed IS NOT NULL;
-- Events without a number: the oldest, and their predecessors in their chains.
CREATE INDEX events_waiting ON events (id) WHERE feed IS NULL;
CREATE INDEX events_waiting_chain ON events (chain, seq) WHERE feed IS NULL;

-- The event feed: one order over the events of all chains. On PostgreSQL events are numbered after their commit,
-- under the lock of the one row here. Clients follow the numbers, so they never pass an event that was committed late.
CREATE TABLE feed (
  id BIGINT PRIMARY KEY,
  -- The last number given.
  head BIGINT NOT NULL
);
INSERT INTO feed (id, head) VALUES (1, 0);

-- The number in the feed of the last event that was removed as history. One row, which replicas lock to remove events
-- one after the other.
CREATE TABLE history (
  id BIGINT PRIMARY KEY,
  feed_floor BIGINT NOT NULL
);
INSERT INTO history (id, feed_floor) VALUES (1, 0);

--
-- Processes
--

-- Signs of life of the processes that serve this database. One row.
CREATE TABLE uptime (
  id BIGINT PRIMARY KEY,
  -- Time at which any process was last alive; 0 before the first.
  alive_at BIGINT NOT NULL,
  -- Time of the last clean shutdown; 0 if there was none.
  stopped_at BIGINT NOT NULL DEFAULT 0,
  -- Starts of the last complete reading of GitHub's lists of installations and repositories, and of the one before it:
  -- GitHub may leave a repository out once. 0 before the first.
  listed_at BIGINT NOT NULL DEFAULT 0,
  listed_before_at BIGINT NOT NULL DEFAULT 0,
  -- Time of the last samples of all repositories' slots.
  sampled_at BIGINT NOT NULL DEFAULT 0
);
INSERT INTO uptime (id, alive_at) VALUES (1, 0);
