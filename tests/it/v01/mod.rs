//! OWP v0.1 over HTTP as a client written for it sees it, against the whole server. What touches the database runs on
//! both databases.

mod faces;
mod input;
mod lifecycle;
mod offers;
mod process;
mod rules;
mod webhooks;

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
