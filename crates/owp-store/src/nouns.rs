//! The statements of a transaction by noun: `tx.tasks().insert(&task)`. The files of this crate implement them.

use super::tx::Tx;
use std::ops::{Deref, DerefMut};

macro_rules! nouns {
    ($($(#[$doc:meta])* $noun:ident from $accessor:ident;)*) => {
        $(
            $(#[$doc])*
            pub struct $noun<'t>(&'t mut Tx);

            impl Deref for $noun<'_> {
                type Target = Tx;

                fn deref(&self) -> &Tx {
                    self.0
                }
            }

            impl DerefMut for $noun<'_> {
                fn deref_mut(&mut self) -> &mut Tx {
                    self.0
                }
            }
        )*

        impl Tx {
            $(
                $(#[$doc])*
                pub fn $accessor(&mut self) -> $noun<'_> {
                    $noun(self)
                }
            )*
        }
    };
}

nouns! {
    /// Responses kept under idempotency keys.
    Answers from answers;
    /// The chained audit log.
    Audit from audit;
    /// Commands in comments that already ran.
    Commands from commands;
    /// Wanted comments, their parts, and dead letters.
    Comments from comments;
    /// Webhook deliveries in the inbox.
    Deliveries from deliveries;
    /// Objects that GitHub may have stopped showing.
    Doubts from doubts;
    /// Events, as they are written.
    Events from events;
    /// The numbered event feed.
    Feed from feed;
    /// Sums of each day.
    Figures from figures;
    /// History that is removed.
    History from history;
    /// Installations of the App.
    Installations from installations;
    /// Leases.
    Leases from leases;
    /// Codes that link a worker to a contributor.
    LinkCodes from link_codes;
    /// Contributors, known by their GitHub accounts, and the agents that work for them.
    People from people;
    /// Policy files and operator policies.
    Policies from policies;
    /// Pull requests.
    Pulls from pulls;
    /// Missed deliveries and requested redeliveries.
    Redeliveries from redeliveries;
    /// Repositories.
    Repos from repos;
    /// Sessions of people who signed in on the pages.
    Sessions from sessions;
    /// Inputs of a repository's slot count.
    Slots from slots;
    /// Outcomes, trust and bars of contributors.
    Standings from standings;
    /// Schedule of counts and comparisons.
    SyncSchedule from sync;
    /// Tasks.
    Tasks from tasks;
    /// Worker tokens.
    Tokens from tokens;
    /// Times at which the pool ran, and time given back.
    Uptime from uptime;
    /// Workers.
    Workers from workers;
}
