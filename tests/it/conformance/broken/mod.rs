//! The broken servers, a table for every few chapters of the specification, and the count of what they cover.
//!
//! Each of them stands in front of a real server of its own and breaks one thing. It is tried with the chapters of the
//! checks it fails, because a run of the whole suite is hundreds of calls. Checks that wait for seconds (`table::WAITING`)
//! are made where one of them should fail.

mod areas;
mod calls;
mod claims;
mod events;
mod leases;
mod lists;
mod offers;
mod operator;
mod people;
mod rules;
mod status;
mod waiting;
mod work;

use crate::conformance::table::{Broken, judge};
use owp_conformance::all;
use std::collections::BTreeSet;

const TABLES: [&[Broken]; 13] = [
    areas::TABLE,
    calls::TABLE,
    claims::TABLE,
    events::TABLE,
    leases::TABLE,
    lists::TABLE,
    offers::TABLE,
    operator::TABLE,
    people::TABLE,
    rules::TABLE,
    status::TABLE,
    waiting::TABLE,
    work::TABLE,
];

/// A test for every table, so that they can run side by side.
macro_rules! found {
    ($($test:ident $table:ident;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            judge($table::TABLE).await;
        })*
    };
}

found! {
    what_breaks_leases_that_end_is_found waiting;
    what_breaks_calls_is_found calls;
    what_breaks_people_is_found people;
    what_breaks_the_operators_calls_is_found operator;
    what_breaks_handing_out_is_found work;
    what_breaks_areas_and_budgets_is_found areas;
    what_breaks_statuses_is_found status;
    what_breaks_leases_is_found leases;
    what_breaks_offers_is_found offers;
    what_breaks_claims_is_found claims;
    what_breaks_the_rules_of_grants_is_found rules;
    what_breaks_lists_is_found lists;
    what_breaks_events_is_found events;
}

#[test]
fn every_check_is_failed_by_a_broken_server() {
    let servers: Vec<&Broken> = TABLES.into_iter().flatten().collect();
    let failed: BTreeSet<&str> = servers.iter().flat_map(|broken| broken.fails).copied().collect();
    let checks: BTreeSet<&str> = all().iter().map(|check| check.id).collect();
    assert_eq!(checks.difference(&failed).collect::<Vec<_>>(), Vec::<&&str>::new(), "nobody fails these");
    assert_eq!(failed.difference(&checks).collect::<Vec<_>>(), Vec::<&&str>::new(), "there are no such checks");
    assert!(servers.len() >= 60, "{} broken servers", servers.len());
    let names: BTreeSet<&str> = servers.iter().map(|broken| broken.name).collect();
    assert_eq!(names.len(), servers.len(), "two broken servers have one name");
}
