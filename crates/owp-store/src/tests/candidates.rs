//! Candidates for the planner: the first few of each class, however long the backlog is.

use super::bench::{START, grant_to, pull_row, ready_task};
use super::*;
use crate::{Bounds, Dialect, Store};
use owp_pool::admission::TaskFacts;
use owp_pool::lease::{EndReason, Via};
use owp_pool::moves::{Grant, Move};
use owp_pool::planner::{Apart, is_apart};
use owp_pool::slots::NamingPull;
use owp_pool::task::{Assignee, Reservation, Task, TaskSpec, Withheld};
use owp_pool::{Person, RepoId, Span, TaskId, Timestamp, WorkerId};
use sqlx::Row;
use std::collections::BTreeSet;

/// The time for which the planner remembers a refusal.
const DECLINED_FOR: Span = Span::hours(1);
const BOUNDS: Bounds = Bounds { per_class: 3, classes: 500, declined_since: START };

async fn candidates(bench: &Bench, repo: &RepoId, bounds: Bounds) -> Vec<String> {
    let id = repo.clone();
    let tasks = bench.read(move |tx| Box::pin(async move { tx.tasks().candidates(&id, bounds).await })).await;
    tasks.unwrap().into_iter().map(|task| task.id.to_string()).collect()
}

/// Inserts ready tasks `t_1`, `t_2` … in so many classes with one statement, each a second older than the one before.
async fn backlog(bench: &Bench, repo: &RepoId, tasks: i64, classes: i64) {
    let sql = format!(
        "INSERT INTO tasks (id, repo_id, issue, title, description, estimate, priority, skills, tier, state,
            ready_since, created_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {tasks})
        SELECT 't_' || CAST(i AS VARCHAR), '{repo}', i, 'One of many', '', 1 + i % {classes}, 50, '[\"rust\"]', 0,
            'ready', {} - 1000 * i, {} FROM n",
        START.0, START.0
    );
    bench.meddle(&sql).await;
}

/// Inserts tasks in the order `t_1`, `t_2` …, all of one class unless `change` differs.
async fn queue(bench: &Bench, repo: &RepoId, length: i64, change: impl Fn(i64, &mut Task)) {
    for n in 1..=length {
        let mut task = ready_task(&TaskId::new(format!("t_{n}")), repo, n, TaskSpec::default());
        task.ready_since = START - Span::hours(100 - n);
        change(n, &mut task);
        bench
            .change(move |tx| {
                Box::pin(async move {
                    tx.tasks().insert(&task).await?;
                    tx.tasks().update(&task).await
                })
            })
            .await;
    }
}

/// Returns the query plan of a statement, with numbers in place of its parameters.
async fn plan_of(bench: &Bench, repo: &RepoId, name: &str) -> String {
    let statements = Store::statements();
    let (_, sql) = statements.iter().find(|(known, _)| *known == name).unwrap();
    let mut sql = sql.replace("$1", &format!("'{repo}'")).replace("x.class = $4", "x.class = '0 1 []  []'");
    for (place, value) in [("$2", START.0), ("$3", 3), ("$4", 500), ("$5", START.0)] {
        sql = sql.replace(place, &format!("CAST({value} AS BIGINT)"));
    }
    let (explain, column) = match bench.dialect() {
        Dialect::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        Dialect::Postgres => ("EXPLAIN", 0),
    };
    bench.meddle("ANALYZE").await;
    let rows = bench.look(&format!("{explain} {sql}")).await;
    rows.iter().map(|row| row.try_get::<String, _>(column).unwrap()).collect::<Vec<_>>().join("\n")
}

/// Puts a task into the state that a case names.
async fn prepare(bench: &Bench, repo: &RepoId, worker: &WorkerId, id: &TaskId, case: &str) {
    let (case, task) = (case.to_owned(), id.clone());
    match case.as_str() {
        "declined" | "declined long ago" => {
            bench.step(id, Move::Grant(grant_to(worker, 1))).await.unwrap();
            bench.step(id, Move::Return(EndReason::Nacked)).await.unwrap();
        }
        "given back by comment" => {
            let grant = Grant { via: Via::Comment, ..grant_to(worker, 1) };
            bench.step(id, Move::Grant(grant)).await.unwrap();
            bench.step(id, Move::Return(EndReason::Released)).await.unwrap();
        }
        "taken" => drop(bench.step(id, Move::Grant(grant_to(worker, 1))).await.unwrap()),
        "answered" => bench.pull(repo, 3, 7, false, &[id]).await,
        "answered by a draft" => bench.pull(repo, 4, 7, true, &[id]).await,
        "answered once" => {
            bench.pull(repo, 5, 7, false, &[id]).await;
            bench.meddle("UPDATE pulls SET state = 'closed' WHERE number = 5").await;
        }
        _ => {
            bench
                .change(move |tx| {
                    Box::pin(async move {
                        let mut fresh = tx.tasks().get(&task).await?.unwrap();
                        let until = tx.now() + Span::minutes(30);
                        let reserved = |until| Some(Reservation { person: Person::GitHub(9), until });
                        match case.as_str() {
                            "reserved" => fresh.reservation = reserved(until),
                            "reserved until now" => fresh.reservation = reserved(tx.now()),
                            "held" => fresh.hold = Some("edited".into()),
                            "withheld" => fresh.withheld = Some(Withheld { why: "not shown".into(), until: None }),
                            "barred" | "barred long ago" => {
                                tx.standings().bar_from_task(&task, &Person::GitHub(9), until).await?;
                            }
                            _ => {}
                        }
                        tx.tasks().describe(&fresh).await?;
                        tx.tasks().update(&fresh).await
                    })
                })
                .await;
        }
    }
}

/// Loads a task as the planner sees it.
async fn facts_of(bench: &Bench, id: &TaskId) -> (TaskFacts, Timestamp) {
    let id = id.clone();
    bench
        .read(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                let task = tx.tasks().get(&id).await?.unwrap();
                let declined = tx.leases().declines(&id, now - DECLINED_FOR).await?;
                let declined = declined.into_iter().map(|(worker, at)| (worker, at + DECLINED_FOR)).collect();
                let open = tx.pulls().of_task(&id).await?.into_iter().filter(|pull| pull.facts.open);
                let answer = |number| NamingPull {
                    number,
                    login: String::new(),
                    people: [].into(),
                    counts: false,
                    keeps: false,
                };
                let answers = open.map(|pull| answer(pull.facts.number)).collect();
                let barred = tx.standings().bars_of(&id).await?;
                Ok((TaskFacts { task, holder: None, reserved_for: None, answers, declined, barred }, now))
            })
        })
        .await
}

on_both_engines! {
    /// Each case is the first task of its own class, before an ordinary one. The walk stops at the first task that it
    /// counts, so the second comes along exactly when the first is set apart.
    async fn sql_sets_apart_the_same_tasks_as_the_planner(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 50, 20).await;
        let before = ["declined long ago", "barred long ago"];
        let cases = [
            "ordinary", "reserved", "reserved until now", "answered", "answered by a draft", "answered once", "declined",
            "given back by comment", "barred", "held", "withheld", "taken",
        ];
        let numbered: Vec<(i64, &str)> = (1..).zip(before.into_iter().chain(cases)).collect();
        let id = |n: i64, place: &str| TaskId::new(format!("t_{n}_{place}"));
        for (n, case) in &numbered {
            for (place, issue, hours) in [("a", 2 * n, 2), ("b", 2 * n + 1, 1)] {
                let spec = TaskSpec { estimate: *n, ..TaskSpec::default() };
                let mut task = ready_task(&id(*n, place), &repo, issue, spec);
                task.ready_since = START - Span::hours(hours);
                bench.change(move |tx| Box::pin(async move { tx.tasks().insert(&task).await })).await;
            }
            if before.contains(case) {
                prepare(bench, &repo, &worker, &id(*n, "a"), case).await;
            }
        }
        bench.advance(Span::hours(2));
        for (n, case) in numbered.iter().filter(|(_, case)| !before.contains(case)) {
            prepare(bench, &repo, &worker, &id(*n, "a"), case).await;
        }
        // A task that returns to the queue waits anew; put these back to their old positions.
        bench.meddle(&format!("UPDATE tasks SET ready_since = {} WHERE id LIKE '%_a'", START.0 - 2 * 3_600_000)).await;
        let since = START + Span::hours(2) - DECLINED_FOR;
        let found = candidates(bench, &repo, Bounds { per_class: 1, declined_since: since, ..BOUNDS }).await;
        let mut apart = Vec::new();
        for (n, case) in &numbered {
            let (facts, now) = facts_of(bench, &id(*n, "a")).await;
            assert_eq!(now, START + Span::hours(2));
            assert_eq!(found.contains(&id(*n, "b").to_string()), is_apart(&facts, now), "{case}");
            assert_eq!(found.contains(&id(*n, "a").to_string()), facts.task.is_queued(), "{case}");
            apart.extend(Apart::ALL.into_iter().filter(|reason| reason.applies(&facts, now)));
        }
        for reason in Apart::ALL {
            assert!(apart.contains(&reason), "no case for {reason:?}");
        }
    }

    async fn of_ten_thousand_tasks_in_three_classes_the_first_of_each_come_back(bench) {
        let repo = bench.repo("acme/rocket").await;
        backlog(bench, &repo, 10_000, 3).await;
        let mut found = candidates(bench, &repo, BOUNDS).await;
        found.sort_unstable();
        let oldest = (9_992..=10_000).map(|n| format!("t_{n}"));
        let mut oldest: Vec<_> = oldest.collect();
        oldest.sort_unstable();
        assert_eq!(found, oldest);
        assert_eq!(candidates(bench, &repo, Bounds { per_class: 1, ..BOUNDS }).await.len(), 3);
        assert_eq!(candidates(bench, &repo, Bounds { per_class: 0, ..BOUNDS }).await.len(), 3, "one of each class");
        let elsewhere = bench.repo("acme/comet").await;
        assert!(candidates(bench, &elsewhere, BOUNDS).await.is_empty());
    }

    /// Checks the plan, because it keeps the cost from growing; the number of returned rows would not show it.
    async fn the_walk_reads_the_index_and_never_the_backlog(bench) {
        let repo = bench.repo("acme/rocket").await;
        backlog(bench, &repo, 10_000, 3).await;
        for (name, condition) in [
            ("TASKS_BY_CLASS", ["(class,rank,id)>(?,?,?)", "ROW(class, rank, id) > ROW("]),
            ("TASKS_OF_CLASS", ["class=? AND (rank,id)>(?,?)", "ROW(rank, id) > ROW("]),
            ("CLASSES_IN", ["class>?", "(class > w"]),
        ] {
            let plan = plan_of(bench, &repo, name).await;
            assert!(plan.contains("tasks_class"), "{name}: {plan}");
            assert!(condition.iter().any(|part| plan.contains(part)), "{name} walks past what it has seen: {plan}");
            for whole in ["SCAN t ", "SCAN t\n", "SCAN x ", "Seq Scan on tasks", "Hash", "TEMP B-TREE FOR LAST"] {
                assert!(!plan.contains(whole), "{name}, {whole}: {plan}");
            }
        }
    }

    /// Whoever is assigned can take one of them, so they are a class of their own, and many of them cost no more than few.
    async fn of_tasks_that_are_assigned_to_the_same_users_the_first_come_along(bench) {
        let repo = bench.repo("acme/rocket").await;
        let user = |id, login: &str| Assignee { id, login: login.into() };
        queue(bench, &repo, 12, |n, task| task.assigned_to = match n {
            1..=4 => vec![user(9, "bo")],
            5..=8 => vec![user(9, "bo"), user(7, "cy")],
            _ => Vec::new(),
        }).await;
        let found = candidates(bench, &repo, Bounds { per_class: 2, ..BOUNDS }).await;
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["t_1", "t_2", "t_5", "t_6", "t_9", "t_10"].into());
    }

    async fn tasks_differ_in_class_by_tier_estimate_skills_and_area_and_by_nothing_else(bench) {
        let repo = bench.repo("acme/rocket").await;
        let spec = |n| match n {
            1 | 2 => TaskSpec::default(),
            3 => TaskSpec { tier: 1, ..TaskSpec::default() },
            4 => TaskSpec { estimate: 11, ..TaskSpec::default() },
            5 => TaskSpec { skills: vec!["rust".into()], ..TaskSpec::default() },
            6 => TaskSpec { area: Some("rust".into()), ..TaskSpec::default() },
            // Requirements that are too long for an index form a class of their own.
            7 | 8 => TaskSpec { skills: vec!["ö".repeat(2_000)], ..TaskSpec::default() },
            _ => TaskSpec { priority: 40, ..TaskSpec::default() },
        };
        queue(bench, &repo, 9, |n, task| task.spec = spec(n)).await;
        let mut found = candidates(bench, &repo, Bounds { per_class: 1, ..BOUNDS }).await;
        found.sort_unstable();
        assert_eq!(found, ["t_1", "t_3", "t_4", "t_5", "t_6", "t_7", "t_8"]);
    }

    async fn an_hour_of_waiting_is_worth_a_point_of_priority(bench) {
        let repo = bench.repo("acme/rocket").await;
        queue(bench, &repo, 4, |n, task| {
            let (priority, hours) = [(20, 0), (10, 11), (19, 2), (50, 1)][usize::try_from(n - 1).unwrap()];
            task.spec.priority = priority;
            task.ready_since = START - Span::hours(hours);
        }).await;
        assert_eq!(candidates(bench, &repo, BOUNDS).await, ["t_4", "t_2", "t_3"], "21 points each: the id decides");
    }

    async fn tasks_that_only_some_may_take_come_along_and_do_not_count(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 50, 20).await;
        queue(bench, &repo, 12, |n, task| match n {
            1 => task.hold = Some("edited after approval".into()),
            2 => task.reservation = Some(Reservation { person: Person::GitHub(9), until: START + Span::hours(1) }),
            3 => task.reservation = Some(Reservation { person: Person::GitHub(9), until: START }),
            _ => {}
        }).await;
        for (n, reason) in [(4, EndReason::Nacked), (6, EndReason::Expired)] {
            let task = TaskId::new(format!("t_{n}"));
            bench.step(&task, Move::Grant(grant_to(&worker, 1))).await.unwrap();
            bench.advance(Span(1));
            bench.step(&task, Move::Return(reason)).await.unwrap();
        }
        // A task that returns to the queue waits anew; put these back to their old positions.
        bench.meddle(&format!("UPDATE tasks SET ready_since = {} WHERE id IN ('t_4', 't_6')", START.0 - 95 * 3_600_000)).await;
        let (id, answered) = (repo.clone(), TaskId::new("t_5"));
        bench.change(move |tx| Box::pin(async move {
            tx.pulls().save(&id, &pull_row(3, 7, false)).await?;
            tx.pulls().link(&id, 3, &answered, false).await.map(drop)
        })).await;
        let found = candidates(bench, &repo, BOUNDS).await;
        assert_eq!(found, ["t_2", "t_3", "t_4", "t_5", "t_6", "t_7"], "three that every worker can take: 3, 6 and 7");
        let later = Bounds { declined_since: Timestamp(START.0 + 10), ..BOUNDS };
        assert_eq!(candidates(bench, &repo, later).await.last().unwrap(), "t_6", "a refusal is forgotten in time");
    }

    async fn very_many_classes_are_listed_in_the_order_of_their_first_tasks_and_read_one_by_one(bench) {
        let repo = bench.repo("acme/rocket").await;
        queue(bench, &repo, 40, |n, task| task.spec.estimate = 60 - n / 2).await;
        let few = Bounds { per_class: 2, classes: 20, ..BOUNDS };
        let id = repo.clone();
        let (all, classes, second) = bench.read(move |tx| Box::pin(async move {
            let all = tx.tasks().candidates(&id, few).await?;
            let classes = tx.tasks().classes(&id, 30).await?;
            let second = tx.tasks().candidates_of(&id, &classes[1], few).await?;
            Ok((all, classes, second))
        })).await;
        assert!(all.is_none(), "21 classes are too many");
        let estimates: Vec<i64> = classes.iter().map(|class| class.spec.estimate).collect();
        assert_eq!(estimates, (40..=60).rev().collect::<Vec<_>>());
        let second: Vec<_> = second.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(second, ["t_2", "t_3"]);
        assert_eq!(candidates(bench, &repo, Bounds { per_class: 1, classes: 21, ..few }).await.len(), 21);
    }
}
