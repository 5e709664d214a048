//! Public lists: their cost does not grow with the number of entries they hide.

use super::*;
use crate::{Dialect, TaskFilter};
use owp_pool::task::{TaskSpec, TaskState};
use owp_pool::{RepoId, TaskId};
use sqlx::Row;

async fn many(bench: &Bench, repo: &RepoId, count: i64) {
    bench
        .meddle(&format!(
            "INSERT INTO tasks (id, repo_id, title, description, estimate, priority, tier, state, ready_since, created_at)
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
            SELECT 't_zz' || CAST(100000 + i AS VARCHAR), '{repo}', 'x', '', 1, 1, 0, 'merged', 0, 0 FROM n"
        ))
        .await;
}

async fn page(bench: &Bench, filter: &TaskFilter, after: &str) -> (usize, Option<TaskId>) {
    let (filter, after) = (filter.clone(), after.to_owned());
    let (tasks, next) = bench.read(move |tx| Box::pin(async move { tx.tasks().page(&filter, &after, 10).await })).await;
    (tasks.len(), next)
}

on_both_engines! {
    async fn a_page_of_tasks_looks_at_a_bounded_number_and_goes_on_where_it_stopped(bench) {
        let repo = bench.repo("acme/rocket").await;
        many(bench, &repo, 2_500).await;
        let spec = TaskSpec { skills: vec!["go".into()], ..TaskSpec::default() };
        // Its id sorts before all others, so it is read last.
        let wanted = bench.task(&repo, 1, spec).await;
        assert!(wanted.as_str() < "t_zz");
        let filter = TaskFilter { skill: Some("go".into()), ..TaskFilter::default() };
        let (mut after, mut found, mut pages) = (String::new(), 0, 0);
        loop {
            let (tasks, next) = page(bench, &filter, &after).await;
            (found, pages) = (found + tasks, pages + 1);
            let Some(next) = next else { break };
            assert!(after.is_empty() || next.as_str() < after.as_str());
            after = next.to_string();
        }
        assert_eq!((found, pages), (1, 3));
        let ready = TaskFilter { state: Some(TaskState::Ready), ..TaskFilter::default() };
        assert_eq!(page(bench, &ready, "").await, (1, None), "an index skips the other states");
        let all = TaskFilter::default();
        let (tasks, next) = page(bench, &all, "").await;
        assert_eq!((tasks, next.is_some()), (10, true));
        assert_eq!(page(bench, &all, "t_zz100001").await, (1, None));
        let elsewhere = TaskFilter { repo: Some("acme/none".into()), ..TaskFilter::default() };
        assert_eq!(page(bench, &elsewhere, "").await, (0, None));
    }

    async fn what_is_asked_for_with_every_call_has_its_own_index(bench) {
        if bench.dialect() == Dialect::Postgres {
            return; // Its plans depend on the amount of data.
        }
        let expected = [
            ("TASKS_OF_WORKER", "tasks_assignee (assignee=?)"),
            ("DECLINES_IN", "leases_given_back (repo_id=? AND ended_at>?)"),
            ("BARS_IN", "task_bars_repo (repo_id=? AND until>?)"),
            ("RELEASES_IN", "leases_released (person=? AND ended_at>?)"),
            ("STANDINGS", "leases_released (person=? AND ended_at>?)"),
            ("STANDINGS", "leases_live_person (person=?)"),
            ("STANDINGS", "leases_lapsed (person=?)"),
            ("STANDINGS", "trust_person (person=?)"),
            ("STANDINGS", "workers_person (person=?)"),
            ("STANDINGS", "readers_person (person=?)"),
            ("REPO_FIRST_TASK", "tasks_queue (repo_id=?)"),
            ("WORKER_HAS_NEWS", "leases_untold (worker_id=? AND ended_at>?)"),
            ("LEASES_TELL", "leases_untold (worker_id=?"),
            ("TASKS_AHEAD", "tasks_queue (repo_id=? AND (rank,id)<(?,?))"),
            ("TASKS_PAGE_HOLDER", "workers_person (person=?)"),
            ("TASKS_PAGE_HOLDER", "tasks_assignee (assignee=?)"),
            ("EVENTS_OF_TASK", "events_task (task_id=?)"),
            ("LEASES_LIVE", "leases_due"),
        ];
        for (name, index) in expected {
            let (_, sql) = crate::Store::statements().into_iter().find(|(own, _)| *own == name).unwrap();
            let steps = bench.look(&format!("EXPLAIN QUERY PLAN {sql}")).await;
            let steps: Vec<String> = steps.iter().map(|step| step.try_get("detail").unwrap()).collect();
            assert!(steps.iter().any(|step| step.contains(index)), "{name}: {steps:#?}");
        }
    }

    async fn what_everybody_may_ask_for_walks_along_indexes(bench) {
        if bench.dialect() == Dialect::Postgres {
            return; // Its plans depend on the amount of data.
        }
        let asked = ["TASKS_PAGE", "TASKS_PAGE_STATE", "TASKS_PAGE_REPO", "TASKS_PAGE_BOTH", "COUNTS_OF_REPO",
            "COUNTS_BETWEEN", "TASKS_BY_STATE", "GRANTS_LIVE", "GRANTS_ENDED", "DEAD_COMMENTS", "DELIVERIES_PENDING", "WANTED_OPEN",
            "LEASES_TELL", "STANDING", "NEWCOMERS_HOLDING", "ANSWERS_PURGE", "ANSWERS_OLD", "OUTCOMES", "SCORED",
            "DEAD_PAGE", "WANTED_FIRST", "TASKS_OF_WORKER", "DECLINES", "DECLINES_IN", "BARS_IN", "RELEASES_IN", "STANDINGS", "REPO_FIRST_TASK", "WORKER_HAS_NEWS"];
        for name in asked {
            let (_, sql) = crate::Store::statements().into_iter().find(|(own, _)| *own == name).unwrap();
            for step in bench.look(&format!("EXPLAIN QUERY PLAN {sql}")).await {
                let step: String = step.try_get("detail").unwrap();
                // The result of a sub-select with a limit, and the few counts of each repository.
                let is_short = ["SCAN releases", "SCAN task_counts", "SCAN lease_ends"].contains(&step.as_str());
                let walks = !step.starts_with("SCAN") || step.contains("INDEX") || step.contains("CONSTANT ROW") || is_short;
                assert!(walks && !step.contains("TEMP B-TREE FOR ORDER BY t.id"), "{name}: {step}");
            }
        }
    }

    async fn no_statement_reads_what_grows_with_time(bench) {
        if bench.dialect() == Dialect::Postgres {
            return; // Its plans depend on the amount of data.
        }
        // Kept short by what they hold: what waits, what is held, what somebody has to look at, what the App serves.
        let short = ["deliveries_order", "deliveries_processing", "deliveries_dead", "wanted_comments_due",
            "wanted_comments_dead", "redeliveries_wanted", "events_waiting", "leases_due", "leases_live", "repositories",
            "installations", "comment_turns", "doubts", "task_counts", "lease_ends", "CONSTANT ROW", "VALUES CLAUSE"];
        // Walked in order, up to a limit.
        let limited = ["EVENTS_RECENT", "EVENTS_READABLE"];
        // What a start, or a clock that was set back, costs once.
        let rare = ["ANSWERS_ABANDONED", "BACK_LEASES", "BACK_DELIVERIES"];
        // Aliases of the repositories, and of results that a limit or a walk keeps short.
        let aliases = ["r", "o", "w", "e", "waiting", "oldest", "early", "releases", "waits", "ahead", "added"];
        for (name, sql) in crate::Store::statements() {
            if limited.contains(&name) || rare.contains(&name) {
                continue;
            }
            for step in bench.look(&format!("EXPLAIN QUERY PLAN {sql}")).await {
                let step: String = step.try_get("detail").unwrap();
                let Some(read) = step.strip_prefix("SCAN ") else { continue };
                let known = aliases.contains(&read) || short.iter().any(|short| read.contains(short));
                assert!(known, "{name}: {step}");
            }
        }
    }
}
