//! Many at once: the last slot, the one issue, the last point of capacity are given exactly once.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use futures_util::future::join_all;
use owp_engine::Registration;
use owp_pool::WorkerId;
use owp_pool::worker::Capabilities;
use owp_store::Extra;
use secrecy::ExposeSecret;

on_both!(
    fifty_people_claim_one_issue_at_once,
    fifty_workers_pull_the_last_slot_at_once,
    one_worker_in_two_repositories_never_passes_its_capacity,
    claims_and_pulls_race_for_the_last_slot,
    links_and_new_codes_race_for_the_same_workers,
    a_link_never_waits_in_a_circle,
);

/// Several inbox loops, as several replicas run them, until nothing waits.
async fn process_concurrently(w: &World, loops: usize) {
    let one = || async {
        let mut idle = 0;
        while idle < 20 {
            if w.engine.intake().step_inbox().await.unwrap() {
                idle = 0;
            } else {
                idle += 1;
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    };
    join_all((0..loops).map(|_| one())).await;
}

/// A client of `login` that nobody linked yet, and the code that would.
async fn unlinked(w: &World, login: &str, capacity: i64) -> (WorkerId, String) {
    w.github.add_user(login);
    let registration = Registration {
        name: format!("{login}'s client"),
        github_handle: Some(login.to_owned()),
        skills: vec![],
        capacity,
        max_concurrent: 20,
        capabilities: Capabilities::default(),
        extra: Extra::new(),
    };
    let registered = w.engine.workers().register(registration).await.unwrap();
    (registered.worker, registered.link.unwrap().code.expose_secret().to_owned())
}

async fn linked_workers(w: &World, issue: u64, count: usize, capacity: i64) -> Vec<WorkerId> {
    let mut workers = Vec::new();
    for n in 0..count {
        let login = format!("person{n}");
        let (worker, code) = unlinked(w, &login, capacity).await;
        w.github.as_user(&login).comment(REPO, issue, &format!("/owp link {code}")).unwrap();
        workers.push(worker);
    }
    w.settle().await;
    workers
}

async fn fifty_people_claim_one_issue_at_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Parse dates", &[]).await;
    for n in 0..50 {
        let login = format!("person{n}");
        w.github.add_user(&login);
        w.github.as_user(&login).comment(REPO, issue, "/owp claim").unwrap();
    }
    w.receive().await;
    process_concurrently(&w, 8).await;
    w.settle().await;
    assert_eq!(w.events("lease.granted").await, 1);
    assert_eq!(w.state(issue).await, "leased");
    let ours = w.ours(issue);
    assert_eq!(ours.iter().filter(|c| c.contains("this task is yours until")).count(), 1);
    assert_eq!(ours.iter().filter(|c| c.contains("[task_state]")).count(), 49, "everybody else is told");
    w.check_promises().await;
}

async fn fifty_workers_pull_the_last_slot_at_once(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("Task 0", &[]).await;
    let workers = linked_workers(&w, issue, 50, 5).await;
    for n in 1..5 {
        w.task(&format!("Task {n}"), &[]).await;
    }
    w.say("mona", issue, "/owp budget 1").await;
    let pool = w.engine.workers();
    let listed = join_all(workers.iter().map(|worker| pool.pull_work(worker))).await;
    let given: usize = listed.into_iter().map(|items| items.unwrap().items.len()).sum();
    assert_eq!(given, 1);
    assert_eq!(w.events("lease.granted").await, 1);
    assert_eq!(w.slots().await, (1, 1));
    w.settle().await;
    w.check_promises().await;
}

async fn one_worker_in_two_repositories_never_passes_its_capacity(db: Db) {
    let w = World::new(db).await;
    let other = "acme/second";
    w.github.add_repo(other).unwrap();
    w.github.add_collaborator(other, "mona", owp_sandbox::Role::Admin).unwrap();
    let installation = w.installation().await;
    w.github.change_installation(installation, &[other], &[]).unwrap();
    w.settle().await;
    let issue = w.task("In the first", &["estimate:3"]).await;
    let elsewhere =
        w.github.as_user("mona").open_issue(other, "In the second", "Please.", &["pool:ready", "estimate:3"]).unwrap();
    assert!(elsewhere > 0);
    let workers = linked_workers(&w, issue, 1, 5).await;
    let worker = &workers[0];
    // The same worker asks many times at once; its claim in each repository is another transaction.
    let pool = w.engine.workers();
    join_all((0..20).map(|_| pool.pull_work(worker))).await.into_iter().for_each(|work| drop(work.unwrap()));
    w.settle().await;
    let held = w.engine.workers().pull_work(worker).await.unwrap().items;
    let points: i64 = held.iter().map(|item| item.task.spec.estimate).sum();
    assert_eq!((held.len(), points), (1, 3), "two would be six points of five");
    assert_eq!(w.events("lease.granted").await, 1);
    w.check_promises().await;
}

async fn claims_and_pulls_race_for_the_last_slot(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("One", &[]).await;
    let workers = linked_workers(&w, issue, 10, 5).await;
    // Three of each side are no newcomers; of all the others two at most get something.
    for n in 0..3 {
        w.seasoned(&format!("person{n}")).await;
        w.github.add_user(&format!("claimer{n}"));
        w.seasoned(&format!("claimer{n}")).await;
    }
    let before = w.events("lease.granted").await;
    let mut issues = vec![issue];
    for n in 0..9 {
        issues.push(w.task(&format!("Task {n}"), &[]).await);
    }
    w.say("mona", issue, "/owp budget 3").await;
    for (n, issue) in issues.iter().enumerate() {
        if n >= 3 {
            w.github.add_user(&format!("claimer{n}"));
        }
        w.github.as_user(&format!("claimer{n}")).comment(REPO, *issue, "/owp claim").unwrap();
    }
    w.receive().await;
    let pool = w.engine.workers();
    let pulls = join_all(workers.iter().map(|worker| pool.pull_work(worker)));
    let (listed, ()) = tokio::join!(pulls, process_concurrently(&w, 4));
    listed.into_iter().for_each(|items| drop(items.unwrap()));
    w.settle().await;
    assert_eq!(w.events("lease.granted").await - before, 3);
    assert_eq!(w.live_leases(&issues).await, 3);
    assert_eq!(w.slots().await, (3, 3));
    w.check_promises().await;
}

async fn links_and_new_codes_race_for_the_same_workers(db: Db) {
    let w = World::new(db).await;
    let issue = w.task("One", &[]).await;
    let mut workers = Vec::new();
    for n in 0..20 {
        let login = format!("person{n}");
        let (worker, code) = unlinked(&w, &login, 5).await;
        w.github.as_user(&login).comment(REPO, issue, &format!("/owp link {code}")).unwrap();
        workers.push((worker, login));
    }
    w.receive().await;
    let ask = async |worker: &WorkerId, login: &str| match w.engine.workers().link_code(worker, login.to_owned()).await
    {
        Ok(made) => Some(made.code.expose_secret().to_owned()),
        Err(refused) => {
            assert!(refused.to_string().contains(&format!("linked to @{login} already")), "{refused}");
            None
        }
    };
    let asked = join_all(workers.iter().map(|(worker, login)| ask(worker, login)));
    let (codes, ()) = tokio::join!(asked, process_concurrently(&w, 4));
    w.settle().await;
    let linked = w.events("worker.linked").await;
    assert_eq!(
        linked,
        codes.iter().filter(|code| code.is_none()).count(),
        "who has a new code was not linked by the old"
    );
    for ((_, login), code) in workers.iter().zip(&codes) {
        if let Some(code) = code {
            w.say(login, issue, &format!("/owp link {code}")).await;
        }
    }
    assert_eq!(w.events("worker.linked").await, workers.len());
    w.check_promises().await;
}

/// Locks the worker's row and then its link codes, as making a new code does.
async fn a_link_never_waits_in_a_circle(db: Db) {
    if db == Db::Sqlite {
        return; // One writer, no row locks.
    }
    let w = World::new(db).await;
    let issue = w.task("One", &[]).await;
    let (worker, code) = unlinked(&w, "dan", 5).await;
    w.github.as_user("dan").comment(REPO, issue, &format!("/owp link {code}")).unwrap();
    w.receive().await;
    let outside = sqlx::AnyPool::connect(w.database_url()).await.unwrap();
    let mut asking = outside.begin().await.unwrap();
    let lock = "SELECT id FROM workers WHERE id = $1 FOR UPDATE";
    sqlx::query(lock).bind(worker.as_str()).execute(&mut *asking).await.unwrap();
    let ask = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        sqlx::query("UPDATE link_codes SET expires_at = expires_at").execute(&mut *asking).await.unwrap();
        asking.commit().await.unwrap();
    };
    tokio::join!(process_concurrently(&w, 1), ask);
    outside.close().await;
    assert_eq!(w.events("worker.linked").await, 1);
    w.check_promises().await;
}
