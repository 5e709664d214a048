//! Reconciliation with GitHub on timers: counts, comparisons, lost comments, silences and absent repositories.

pub(crate) mod absent;
pub(crate) mod compare;
pub(crate) mod count;
pub(crate) mod grace;
pub(crate) mod histories;
pub(crate) mod lost_commands;
pub(crate) mod sync;
pub(crate) mod uptime;
pub(crate) mod watch;
