//! The columns of each table that is read whole. Statements name them: PostgreSQL prepares a statement once, and refuses it
//! after a migration has added a column to a `*`.

/// The columns of a table, for a `SELECT` or a `RETURNING`, each with this prefix (such as `"t."`).
macro_rules! columns {
    ($table:ident) => {
        columns!($table, "")
    };
    (comment_parts, $of:literal) => {
        columns!(@ $of repo_id issue key body answer said_at created_at)
    };
    (deliveries, $of:literal) => {
        columns!(@ $of
            id event order_key comment_id speaker payload received_at state attempts due_at taken_until takes rescues
            misses error)
    };
    (events, $of:literal) => {
        columns!(@ $of
            chain seq id kind task_id worker_id lease_id payload salt digest hash at feed)
    };
    (leases, $of:literal) => {
        columns!(@ $of
            id task_id repo_id worker_id person epoch state via estimate area keeps_area granted_at ack_by expires_at
            ttl max_until warned_at ended_at told)
    };
    (pulls, $of:literal) => {
        columns!(@ $of
            repo_id number author_id author_login author_bot state draft ignored issues checklist_items checklist_open
            base_ref head_ref head_repo head_sha checks signatures updated_at)
    };
    (repositories, $of:literal) => {
        columns!(@ $of
            id github_id installation_id name name_key former_names managed private inactive inactive_since ask_again
            created_at ceiling command_budget manual_area_locks paused_until pause_reason policy policy_file
            policy_digest policy_error policy_read_at policy_allowed policy_allowed_at policy_said_issue policy_said_at
            former_branches counted_at count_failed_at count_from sync_due_at sync_until compared_at compares_asked
            compares_answered watch_due_at heard_until heard_at unlabelled_until unlabelled_said_issue)
    };
    (tasks, $of:literal) => {
        columns!(@ $of
            id repo_id issue external_id created_at title description estimate priority skills area tier extra state
            state_since epoch ready_since hold withheld withheld_until blocked_reason reserved_person reserved_until assignee
            last_holder last_lease pull assignees opt_in_event problems issue_updated_at approved_at text_unproven
            later_title later_description later_at asked_at class rank)
    };
    (wanted_comments, $of:literal) => {
        columns!(@ $of
            repo_id issue key body version sent_version comment_id state send_rank attempts due_at attempt_at absences
            rewritten error died_at cause created_at)
    };
    (workers, $of:literal) => {
        columns!(@ $of
            id name person by_comment joined scored skills capacity max_concurrent capabilities extra status paused note
            revoked last_seen told_until created_at)
    };
    (@ $of:literal $first:ident $($column:ident)*) => {
        concat!($of, stringify!($first) $(, ", ", $of, stringify!($column))*)
    };
}
pub(super) use columns;
