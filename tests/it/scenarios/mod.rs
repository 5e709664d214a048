//! Stories: what maintainers and contributors do on GitHub, and what the pool makes of it. Each runs on both databases.

mod acts;
mod agents;
mod budget;
mod claims;
mod commands;
mod contention;
mod credit;
mod deliveries;
mod doubts;
mod edits;
mod faults;
mod gates;
mod hearing;
mod hostile;
mod labels;
mod life;
mod linking;
mod losses;
mod main_story;
mod missed;
mod noise;
mod order;
mod outages;
mod own_tool;
mod policy;
mod pulls;
mod quiet;
mod quota;
mod rest;
mod restart;
mod reviews;
mod same_words;
mod silence;
mod storm;
mod strangers;
mod unclaimed;
mod unlabelled;
mod uptime;
mod vanished;
mod watch;
mod words;

/// Stories, told once and run on both databases.
macro_rules! stories {
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
pub(crate) use stories;
