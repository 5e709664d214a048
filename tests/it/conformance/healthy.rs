//! The suite against our own server: it conforms, on both engines, also when it has been running for a while.

use crate::conformance::proxy::{Ask, How, Proxy, Reply};
use crate::conformance::server::{Server, judged, options};
use crate::conformance::table::faults;
use crate::support::database::Db;
use owp_base::clock::Clock;
use owp_conformance::report::summary;
use owp_conformance::{Profile, SetupError, Status, run};
use serde_json::{Value, json};

async fn conforms(db: Db) {
    let server = Server::start(db, "off").await;
    // The second time around there are hundreds of workers, tasks and events already.
    for time in ["the first time", "the second time"] {
        let faults = faults(&judged(&options(&server.url)).await, &[]);
        assert!(faults.is_empty(), "{time}:\n  {}", faults.join("\n  "));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_server_conforms_on_sqlite() {
    conforms(Db::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_server_conforms_on_postgres() {
    conforms(Db::Postgres).await;
}

#[tokio::test]
async fn a_server_that_holds_callers_back_passes_the_check_of_it() {
    let server = Server::start(Db::Sqlite, "5/20").await;
    let mut options = options(&server.url);
    options.only = ["RATE", "HTTP", "WORK", "TASK", "STREAM"].map(str::to_owned).to_vec();
    let report = judged(&options).await;
    let others: Vec<_> = report.outcomes.iter().filter(|outcome| outcome.status != Status::Pass).collect();
    assert!(others.is_empty() && report.outcomes.iter().any(|outcome| outcome.id == "RATE-1"), "{others:?}");
}

/// The calls of 0.1, and nothing of what came later.
const OF_0_1: [&str; 9] = [
    "POST /v1/workers/register",
    "POST /v1/workers/heartbeat",
    "GET /v1/work",
    "POST /v1/tasks/*/status",
    "POST /v1/admin/repos",
    "POST /v1/admin/tasks",
    "GET /v1/admin/state",
    "GET /healthz",
    "GET /",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_0_1_conforms_and_is_checked_for_nothing_else() {
    let server = Server::start(Db::Sqlite, "off").await;
    let only_0_1 = How::Instead(|ask, _| (!OF_0_1.iter().any(|call| ask.is(call))).then(|| Reply::problem(404)));
    let proxy = Proxy::before(&server.url, only_0_1).await;
    let report = judged(&options(&proxy.url)).await;
    for outcome in &report.outcomes {
        // Nobody told that leases are short there, and it cannot be asked to make them so.
        let waits = outcome.id.starts_with("EXPIRY");
        let expected = if outcome.profile == Profile::Extended || waits { Status::Skip } else { Status::Pass };
        assert_eq!(outcome.status, expected, "{outcome:?}");
    }
    let unchecked = ["EXPIRY-1", "EXPIRY-2", "EXPIRY-3", "EXPIRY-4", "EXPIRY-5"];
    assert_eq!(report.unchecked(), unchecked);
    let said = summary(&report);
    let without = format!(" conforms as far as it was checked, without {}: ", unchecked.join(", "));
    assert!(said.contains(&without), "{said}");

    let mut extended = options(&proxy.url);
    extended.profile = Some(Profile::Extended);
    let report = judged(&extended).await;
    assert!(!report.conforms() && summary(&report).contains(" was not checked: 0 passed"), "{}", summary(&report));
}

#[tokio::test]
async fn leases_that_are_longer_than_was_said_are_not_waited_for() {
    let server = Server::start(Db::Sqlite, "off").await;
    let mut options = options(&server.url);
    options.lease_ttl = Some(std::time::Duration::from_secs(2));
    options.only = vec!["EXPIRY-1".to_owned()];
    let report = judged(&options).await;
    let (status, why) = (report.outcomes[0].status, report.outcomes[0].why.as_deref().unwrap_or_default());
    assert!(status == Status::Error && why.ends_with(" s ahead, where leases should last 2 s"), "{status:?}: {why}");
}

/// The same answer to every call but the one for what it announces.
fn always(ask: &Ask, status: u16, body: &Value) -> Option<Reply> {
    (!ask.is("GET /.well-known/owp")).then(|| Reply::of(status, body))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_judged_and_not_stumbled_over() {
    let server = Server::start(Db::Sqlite, "off").await;
    let nonsense = [
        How::Instead(|ask, _| always(ask, 200, &json!({}))),
        How::Instead(|ask, _| {
            always(ask, 200, &json!({ "worker_id": "", "token": "", "task_id": "", "leases": [{}], "events": [1] }))
        }),
    ];
    for how in nonsense {
        let proxy = Proxy::before(&server.url, how).await;
        let report = judged(&options(&proxy.url)).await;
        assert!(!report.conforms() && report.count(Status::Pass) < report.outcomes.len() / 4, "{:?}", report.outcomes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_server_of_the_protocol_is_said_once_and_not_judged() {
    let server = Server::start(Db::Sqlite, "off").await;
    let others = [
        How::Instead(|ask, _| always(ask, 200, &json!([[], null, "é"]))),
        How::Instead(|ask, _| always(ask, 500, &json!("out of order"))),
        How::Instead(|ask, _| always(ask, 204, &Value::Null)),
    ];
    for how in others {
        let proxy = Proxy::before(&server.url, how).await;
        let began = run(&options(&proxy.url), &Clock::System, |_| {}).await;
        let Err(SetupError::NotAPool(what)) = began else { panic!("{began:?}") };
        assert!(what.starts_with("GET /healthz was answered ") && what.ends_with("without a JSON object"), "{what}");
    }
}
