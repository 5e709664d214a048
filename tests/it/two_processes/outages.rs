//! The database fails under load: it is killed, stopped for an update, has no connection left, or its disk is full.
//! Nothing that was acknowledged is lost, and the service goes on by itself.

use super::cluster::Cluster;
use super::stage::Stage;
use super::under_load::survive;
use owp_testing::rounds;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use std::time::Duration;

const REPLICAS: usize = 3;
/// Number of outages; the variable is for longer runs.
const OUTAGES: &str = "OWP_TEST_OUTAGES";
const DEFAULT_OUTAGES: usize = 4;

/// Takes every connection that the server has left, for a second.
async fn use_up_connections(url: &str) {
    let mut taken = Vec::new();
    while let Ok(connection) = PgConnection::connect(url).await {
        taken.push(connection);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!taken.is_empty(), "all connections were in use before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_whose_database_fails_under_load_keeps_what_it_acknowledged() {
    let cluster = Cluster::start().await;
    let stage = Arc::new(Stage::start_on(Some(&cluster.url), REPLICAS).await);
    let outage = async |round: usize| match round % 4 {
        0 => {
            cluster.kill();
            cluster.run().await;
        }
        1 => {
            cluster.stop();
            tokio::time::sleep(Duration::from_millis(500)).await;
            cluster.run().await;
        }
        2 => {
            cluster.fill_disk();
            tokio::time::sleep(Duration::from_secs(1)).await;
            cluster.kill();
            cluster.run().await;
        }
        _ => {
            // Without a restart the replicas would keep the connections that they have.
            cluster.stop();
            cluster.run().await;
            use_up_connections(&cluster.url).await;
        }
    };
    let _lost = Box::pin(survive(&stage, rounds(OUTAGES, DEFAULT_OUTAGES), outage)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_whose_disk_is_full_for_moments_keeps_what_it_acknowledged() {
    let stage = Arc::new(Stage::start().await);
    let outage = async |_| {
        stage.fill_disk(0, true);
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.fill_disk(0, false);
    };
    let _lost = Box::pin(survive(&stage, rounds(OUTAGES, DEFAULT_OUTAGES), outage)).await;
}
