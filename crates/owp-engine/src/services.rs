//! The services of the engine, one for each room. Each is a view of the engine that has the calls of its room, and
//! dereferences to the engine for what all rooms share.

use crate::Engine;
use std::ops::Deref;

macro_rules! services {
    ($($(#[$doc:meta])* $service:ident from $accessor:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $service<'e>(pub(crate) &'e Engine);

        impl Deref for $service<'_> {
            type Target = Engine;

            fn deref(&self) -> &Engine {
                self.0
            }
        }

        impl Engine {
            $(#[$doc])*
            #[must_use]
            pub fn $accessor(&self) -> $service<'_> {
                $service(self)
            }
        }
    )*};
}

services! {
    /// Webhook deliveries and installations: what GitHub reports.
    Intake from intake;
    /// Issues, pull requests and commits as the pool tracks them.
    Tracking from tracking;
    /// Assignment of tasks: claims, pulls, leases, expiry, explanations.
    Scheduler from scheduler;
    /// Wanted comments and their delivery to GitHub.
    Comments from comments;
    /// Reconciliation with GitHub's state: counts, comparisons, downtime.
    Reconciler from reconciler;
    /// Policy files, and the rules in force.
    Policies from policies;
    /// The operator's calls.
    Operator from operator;
    /// Sessions of people who signed in on the pages.
    Sessions from sessions;
    /// Registration, identity and calls of workers.
    Workers from workers;
    /// The event feed.
    Feed from feed;
    /// Removal of old history, and samples of the present.
    History from history;
    /// Read-only views for pages and lists.
    Views from views;
}
