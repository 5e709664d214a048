//! A table of broken servers, and the judgement: the suite finds in each of them exactly what is broken.

use crate::conformance::proxy::{How, Proxy};
use crate::conformance::server::{Server, judged, options};
use crate::support::database::Db;
use futures_util::{StreamExt, stream};
use owp_conformance::{Report, Status, all};

/// Number of servers judged at once. Most of a run is waiting.
const AT_ONCE: usize = 3;
/// Checks that wait for seconds. They are made where one of them should fail, and left out elsewhere.
pub(crate) const WAITING: [&str; 9] =
    ["EXPIRY-1", "EXPIRY-2", "EXPIRY-3", "EXPIRY-4", "EXPIRY-5", "LEASE-9", "LEASE-11", "OFFER-5", "WAIT-2"];

/// A server that breaks something.
pub(crate) struct Broken {
    /// Description of the fault.
    pub name: &'static str,
    /// The checks that must fail; every other one must pass.
    pub fails: &'static [&'static str],
    /// The fault.
    pub how: How,
}

/// Judges every server of a table; fails with all that was found wrong.
pub(crate) async fn judge(table: &[Broken]) {
    let tasks = table.iter().map(one);
    let faults = stream::iter(tasks).buffer_unordered(AT_ONCE);
    let faults: Vec<String> = faults.filter_map(|fault| async { fault }).collect().await;
    assert!(faults.is_empty(), "\n{}", faults.join("\n\n"));
}

/// `WORK` of `WORK-3`.
fn chapter(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

/// Makes the chapters of the checks that should fail.
async fn one(broken: &Broken) -> Option<String> {
    let server = Server::start(Db::Sqlite, "off").await;
    let proxy = Proxy::before(&server.url, broken.how).await;
    let mut options = options(&proxy.url);
    let waits = broken.fails.iter().any(|id| WAITING.contains(id));
    let near = |id: &str| broken.fails.iter().any(|failed| chapter(failed) == chapter(id));
    let made = all().into_iter().map(|check| check.id);
    let made = made.filter(|id| near(id) && (waits || !WAITING.contains(id)));
    options.only = made.map(str::to_owned).collect();
    let found = faults(&judged(&options).await, broken.fails);
    (!found.is_empty()).then(|| format!("A server that {}:\n  {}", broken.name, found.join("\n  ")))
}

/// Returns the differences between a report and the expected one.
pub(crate) fn faults(report: &Report, fails: &[&str]) -> Vec<String> {
    let made = report.outcomes.iter().filter_map(|outcome| {
        let expected = match outcome.id {
            id if fails.contains(&id) => Status::Fail,
            // The servers here hold nobody back.
            "RATE-1" => Status::Skip,
            // What is not told is not tried.
            "BULK-4" if fails.contains(&"DISC-1") => Status::Skip,
            _ => Status::Pass,
        };
        let why = outcome.why.as_deref().unwrap_or("it passed");
        (outcome.status != expected).then(|| format!("{} should {expected:?}: {:?}, {why}", outcome.id, outcome.status))
    });
    let unmade = fails.iter().filter(|id| !report.outcomes.iter().any(|outcome| outcome.id == **id));
    made.chain(unmade.map(|id| format!("{id} was not made"))).collect()
}
