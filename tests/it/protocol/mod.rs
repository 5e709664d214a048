//! Additions of OWP v1 to v0.1, over HTTP against the whole server. Tests that touch the database run on both databases.

mod clients;
mod events;
mod external_ids;
mod hostile;
mod letters;
mod limits;
mod linking;
mod me;
mod once;
mod openapi;
mod outages;
mod resources;
mod specification;
mod sse;
mod steward;
mod streams;
mod trials;

/// Tests, written once and run on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            use crate::support::database::Db;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                Box::pin(super::$name(Db::Sqlite)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                Box::pin(super::$name(Db::Postgres)).await;
            }
        })*
    };
}
pub(crate) use on_both;
