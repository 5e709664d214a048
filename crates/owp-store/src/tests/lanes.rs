//! Guarantees of a job: alone in its repository, all or nothing, answered after the commit.

use super::bench::{START, grant_to, open, step_in};
use super::*;
use crate::{Dialect, Scope, StoreError, Tx};
use futures_util::future::join_all;
use owp_pool::event::{Event, EventKind};
use owp_pool::moves::Move;
use owp_pool::task::TaskSpec;
use owp_pool::{RepoId, Span};
use serde_json::json;
use sqlx::Connection;
use std::time::Duration;

/// Raises a repository's ceiling by one in separate steps: read, yield, write.
async fn raise(tx: &mut Tx, repo: &RepoId) -> Result<(), StoreError> {
    let row = tx.repos().get(repo).await?.unwrap();
    tokio::task::yield_now().await;
    tx.repos().set_ceiling(repo, row.ceiling.unwrap_or(0) + 1, row.manual_area_locks).await
}

async fn ceiling(bench: &Bench, repo: &RepoId) -> Option<i64> {
    let id = repo.clone();
    bench.read(move |tx| Box::pin(async move { tx.repos().get(&id).await })).await.unwrap().ceiling
}

on_both_engines! {
    async fn jobs_of_one_repository_are_serial_and_lose_nothing(bench) {
        let repo = bench.repo("acme/rocket").await;
        let replica = bench.replica().await;
        let jobs = (0..50).map(|n| {
            let (id, store) = (repo.clone(), if n % 2 == 0 { &bench.store } else { &replica });
            store.write(Scope::repo(&repo), move |tx| Box::pin(async move { raise(tx, &id).await }))
        });
        for done in join_all(jobs).await {
            done.unwrap();
        }
        assert_eq!(ceiling(bench, &repo).await, Some(50));
    }

    async fn a_job_that_fails_undoes_only_itself(bench) {
        let repo = bench.repo("acme/rocket").await;
        let jobs = (0..20).map(|n| {
            let id = repo.clone();
            bench.write(Scope::repo(&repo), move |tx| {
                Box::pin(async move {
                    raise(tx, &id).await?;
                    if n % 2 == 0 { Err(StoreError::Corrupt(format!("job {n} gives up"))) } else { Ok(()) }
                })
            })
        });
        for (n, done) in join_all(jobs).await.into_iter().enumerate() {
            match done {
                Err(StoreError::Corrupt(why)) => assert_eq!(why, format!("job {n} gives up")),
                other => assert!(n % 2 == 1 && other.is_ok(), "{other:?}"),
            }
        }
        assert_eq!(ceiling(bench, &repo).await, Some(10));
    }

    async fn a_job_whose_statement_fails_undoes_only_itself(bench) {
        let repo = bench.repo("acme/rocket").await;
        let jobs = (0..20).map(|n| {
            let id = repo.clone();
            bench.write(Scope::repo(&repo), move |tx| {
                Box::pin(async move {
                    raise(tx, &id).await?;
                    if n % 2 == 0 { tx.repos().insert("acme/rocket").await.map(drop) } else { Ok(()) }
                })
            })
        });
        for (n, done) in join_all(jobs).await.into_iter().enumerate() {
            assert_eq!(done.is_err_and(|e| e.is_unique_violation()), n % 2 == 0);
        }
        assert_eq!(ceiling(bench, &repo).await, Some(10));
    }

    async fn a_job_that_makes_light_of_a_failed_statement_takes_nobody_with_it(bench) {
        let repo = bench.repo("acme/rocket").await;
        let jobs = (0..10).map(|n| {
            let id = repo.clone();
            bench.write(Scope::repo(&repo), move |tx| {
                Box::pin(async move {
                    raise(tx, &id).await?;
                    if n == 4 {
                        assert!(tx.repos().insert("acme/rocket").await.is_err());
                    }
                    Ok(())
                })
            })
        });
        let kept = join_all(jobs).await.iter().filter(|done| done.is_ok()).count();
        // The engines differ by necessity: PostgreSQL keeps nothing after a failed statement, SQLite goes on. Either
        // way the results match what was kept, and the other jobs keep their changes.
        assert_eq!(kept, if bench.dialect() == Dialect::Sqlite { 10 } else { 9 });
        assert_eq!(ceiling(bench, &repo).await, i64::try_from(kept).ok());
    }

    async fn a_job_that_panics_undoes_only_itself_and_the_lane_goes_on(bench) {
        let repo = bench.repo("acme/rocket").await;
        let jobs = (0..20).map(|n| {
            let id = repo.clone();
            bench.write(Scope::repo(&repo), move |tx| {
                Box::pin(async move {
                    raise(tx, &id).await?;
                    assert!(n % 2 == 1, "job {n} panics on purpose");
                    Ok(())
                })
            })
        });
        for (n, done) in join_all(jobs).await.into_iter().enumerate() {
            assert_eq!(matches!(done, Err(StoreError::Panicked)), n % 2 == 0, "{done:?}");
        }
        let id = repo.clone();
        bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { raise(tx, &id).await })).await.unwrap();
        assert_eq!(ceiling(bench, &repo).await, Some(11));
    }

    async fn jobs_one_at_a_time_end_as_they_do_together(bench) {
        let repo = bench.repo("acme/rocket").await;
        let mut kept = 0;
        for n in 0..8 {
            let id = repo.clone();
            let outcome = bench.write(Scope::repo(&repo), move |tx| {
                Box::pin(async move {
                    raise(tx, &id).await?;
                    match n % 4 {
                        0 => return Err(StoreError::Corrupt("it gives up".to_owned())),
                        1 => assert!(tx.repos().insert("acme/rocket").await.is_err()),
                        2 => panic!("on purpose"),
                        _ => {}
                    }
                    Ok(())
                })
            });
            match (n % 4, outcome.await) {
                (0, Err(StoreError::Corrupt(_))) | (2, Err(StoreError::Panicked)) => {}
                (1, Err(StoreError::Commit(_))) if bench.dialect() == Dialect::Postgres => {}
                (1, Ok(())) if bench.dialect() == Dialect::Sqlite => kept += 1,
                (3, Ok(())) => kept += 1,
                (kind, other) => panic!("{kind}: {other:?}"),
            }
        }
        assert_eq!(ceiling(bench, &repo).await, Some(kept));
    }

    async fn a_panic_before_the_first_statement_is_answered_too(bench) {
        let outcome: Result<(), _> = bench.write(Scope::global(), |_| panic!("on purpose")).await;
        assert!(matches!(outcome, Err(StoreError::Panicked)), "{outcome:?}");
        bench.repo("acme/rocket").await;
    }

    async fn an_answer_comes_after_the_commit(bench) {
        for n in 0..20 {
            bench.repo(&format!("acme/rocket{n}")).await;
            // Another connection sees only committed changes.
            assert_eq!(bench.number("SELECT COUNT(*) FROM repositories").await, n + 1);
        }
    }

    async fn a_caller_that_goes_away_does_not_undo_its_change(bench) {
        let repo = bench.repo("acme/rocket").await;
        let id = repo.clone();
        let job = bench.write(Scope::repo(&repo), move |tx| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                raise(tx, &id).await
            })
        });
        assert!(tokio::time::timeout(Duration::from_millis(30), job).await.is_err());
        // A later job of the repository waits for it.
        let id = repo.clone();
        bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { raise(tx, &id).await })).await.unwrap();
        assert_eq!(ceiling(bench, &repo).await, Some(2));
    }

    async fn a_read_sees_one_snapshot_and_keeps_nothing_it_writes(bench) {
        let repo = bench.repo("acme/rocket").await;
        let (id, other) = (repo.clone(), bench.store.clone());
        let (before, after) = bench.read(move |tx| Box::pin(async move {
            let before = tx.repos().get(&id).await?.unwrap().ceiling;
            let raised = id.clone();
            other.write(Scope::repo(&id), move |tx| Box::pin(async move { raise(tx, &raised).await })).await?;
            Ok((before, tx.repos().get(&id).await?.unwrap().ceiling))
        })).await;
        assert_eq!((before, after), (None, None));
        assert_eq!(ceiling(bench, &repo).await, Some(1));

        let id = repo.clone();
        let _refused_or_undone: Result<(), StoreError> =
            bench.store.read(move |tx| Box::pin(async move { raise(tx, &id).await })).await;
        assert_eq!(ceiling(bench, &repo).await, Some(1));
    }

    async fn everything_in_a_job_agrees_on_the_time(bench) {
        let clock = bench.clock.clone();
        let (first, second) = bench.change(move |tx| Box::pin(async move {
            let first = tx.now();
            clock.advance_ms(5_000);
            Ok((first, tx.now()))
        })).await;
        assert_eq!((first, second), (START, START));
        assert_eq!(bench.change(|tx| Box::pin(async move { Ok(tx.now()) })).await, START + Span::secs(5));
    }

    async fn ids_sort_in_the_order_in_which_they_were_made(bench) {
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.extend(bench.change(|tx| Box::pin(async move { Ok([tx.new_id(), tx.new_id(), tx.new_id()]) })).await);
        }
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id[6] >> 4 == 7 && id[8] >> 6 == 2), "they are UUIDv7");
    }

    /// Jobs of two repositories lock the same two workers, named in opposite orders.
    async fn jobs_that_lock_the_same_workers_do_not_wait_in_a_circle(bench) {
        let (a, b) = (bench.repo("acme/a").await, bench.repo("acme/b").await);
        let (ada, bob) = (bench.client_of(1, 5, 2).await, bench.client_of(2, 5, 2).await);
        let jobs = (0..40).map(|n| {
            let (repo, workers) =
                if n % 2 == 0 { (&a, [ada.clone(), bob.clone()]) } else { (&b, [bob.clone(), ada.clone()]) };
            let id = repo.clone();
            let scope = Scope::repo(repo).with_workers(workers);
            bench.write(scope, move |tx| Box::pin(async move { raise(tx, &id).await }))
        });
        for done in join_all(jobs).await {
            done.unwrap();
        }
        assert_eq!((ceiling(bench, &a).await, ceiling(bench, &b).await), (Some(20), Some(20)));
    }

    /// Two replicas grant to one worker in twelve repositories at once.
    async fn grants_in_several_repositories_never_overshoot_a_workers_capacity(bench) {
        let worker = bench.client_of(1, 5, 9).await;
        // On SQLite there is one process; PostgreSQL gets a second replica.
        let replica = bench.replica().await;
        let mut tasks = Vec::new();
        for n in 0..12 {
            let repo = bench.repo(&format!("acme/rocket{n}")).await;
            let spec = TaskSpec { estimate: 2, ..TaskSpec::default() };
            let task = bench.task(&repo, 1, spec).await;
            tasks.push((repo, task));
        }
        let jobs = tasks.into_iter().enumerate().map(|(n, (repo, task))| {
            let worker = worker.clone();
            let scope = Scope::repo(&repo).with_workers([worker.clone()]);
            let store = if n % 2 == 0 { &bench.store } else { &replica };
            store.write(scope, move |tx| {
                Box::pin(async move {
                    let load = tx.workers().load(&worker).await?;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    let fits = load.points + 2 <= 5;
                    if fits {
                        step_in(tx, &task, Move::Grant(grant_to(&worker, 1))).await?;
                    }
                    Ok::<_, StoreError>(fits)
                })
            })
        });
        let granted = join_all(jobs).await.into_iter().filter(|granted| *granted.as_ref().unwrap()).count();
        assert_eq!(granted, 2);
        let load = bench.read(move |tx| Box::pin(async move { tx.workers().load(&worker).await })).await;
        assert_eq!((load.points, load.leases), (4, 2));
    }

    async fn events_of_a_job_that_is_undone_leave_no_gap(bench) {
        let repo = bench.repo("acme/rocket").await;
        let jobs = (0..20).map(|n| {
            bench.write(Scope::repo(&repo), move |tx| {
                Box::pin(async move {
                    tx.events().append(&[Event::new(EventKind::BudgetSet, json!({ "n": n }))])?;
                    if n % 3 == 0 { Err(StoreError::Corrupt("on purpose".into())) } else { Ok(()) }
                })
            })
        });
        join_all(jobs).await;
        let chain = repo.to_string();
        assert_eq!(bench.read(move |tx| Box::pin(async move { tx.audit().verify(&chain).await })).await, 13);
    }
}

/// PostgreSQL only: SQLite has no connection to lose and no row to wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_fails_the_change_and_the_next_one_works() {
    let bench = &begin(Dialect::Postgres).await;
    let repo = bench.repo("acme/rocket").await;
    let (id, outside) = (repo.clone(), bench.outside().await);
    let outcome = bench
        .write(Scope::repo(&repo), move |tx| {
            Box::pin(async move {
                raise(tx, &id).await?;
                let mut outside = outside;
                sqlx::raw_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
                .execute(&mut outside)
                .await?;
                outside.close().await?;
                raise(tx, &id).await
            })
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(ceiling(bench, &repo).await, None);
    let id = repo.clone();
    bench.write(Scope::repo(&repo), move |tx| Box::pin(async move { raise(tx, &id).await })).await.unwrap();
    assert_eq!(ceiling(bench, &repo).await, Some(1));
}

/// PostgreSQL only: a manual clock would show nothing, so this store uses the server's clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waited_for_its_repository_does_not_live_in_the_past() {
    let bench = &begin(Dialect::Postgres).await;
    let repo = bench.repo("acme/rocket").await;
    let store = open(&bench.url, &owp_base::clock::Clock::System).await.unwrap();
    let mut outside = bench.outside().await;
    let mut holder = outside.begin().await.unwrap();
    sqlx::query("SELECT id FROM repositories WHERE id = $1 FOR UPDATE")
        .bind(repo.as_str())
        .execute(&mut *holder)
        .await
        .unwrap();
    let job = {
        let (store, scope) = (store.clone(), Scope::repo(&repo));
        tokio::spawn(
            async move { store.write(scope, |tx| Box::pin(async move { Ok::<_, StoreError>(tx.now()) })).await },
        )
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let released: i64 = sqlx::Row::try_get(
        &sqlx::query("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
            .fetch_one(&mut *holder)
            .await
            .unwrap(),
        0,
    )
    .unwrap();
    holder.commit().await.unwrap();
    assert!(job.await.unwrap().unwrap().0 >= released);
}

/// PostgreSQL only. A worker that is linked to a GitHub account while a job waits: the job locks the account's contributor,
/// whose row was not there when it began to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contributor_is_locked_whom_a_worker_belongs_to_after_the_wait() {
    let bench = &begin(Dialect::Postgres).await;
    let repo = bench.repo("acme/rocket").await;
    let worker = bench.client_of(1, 5, 2).await;
    let (mut outside, mut other) = (bench.outside().await, bench.outside().await);
    let mut holder = outside.begin().await.unwrap();
    let lock = "SELECT id FROM repositories WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(repo.as_str()).execute(&mut *holder).await.unwrap();
    let (in_job, is_in_job) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = tokio::sync::oneshot::channel::<()>();
    let job = {
        let (store, scope) = (bench.store.clone(), Scope::repo(&repo).with_workers([worker.clone()]));
        tokio::spawn(async move {
            let wait = async move {
                in_job.send(()).unwrap();
                may_go_on.await.unwrap();
                Ok::<_, StoreError>(())
            };
            store.write(scope, move |_| Box::pin(wait)).await
        })
    };
    // Until the job waits for the repository. It must not have the worker yet: repositories come first.
    let waiting = "SELECT CAST(COUNT(*) AS BIGINT) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut other).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let linked = "UPDATE workers SET person = 'gh:7' WHERE id = $1";
    sqlx::query(linked).bind(worker.as_str()).execute(&mut *holder).await.unwrap();
    let person = "INSERT INTO people (person, github_id, login, is_bot) VALUES ('gh:7', 7, 'seven', 0)";
    sqlx::raw_sql(person).execute(&mut *holder).await.unwrap();
    holder.commit().await.unwrap();
    is_in_job.await.unwrap();
    for row in ["workers WHERE person = 'gh:7'", "people WHERE person = 'gh:7'"] {
        let free = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT 1 FROM {row} FOR UPDATE NOWAIT")));
        assert!(free.execute(&mut other).await.is_err(), "nobody holds {row}");
    }
    go_on.send(()).unwrap();
    job.await.unwrap().unwrap();
}
