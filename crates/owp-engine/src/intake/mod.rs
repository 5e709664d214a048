//! Deliveries and lost deliveries: stored, looked up, turned into state.

pub(crate) mod comment;
pub(crate) mod dead_deliveries;
pub(crate) mod hints;
pub(crate) mod inbox;
pub(crate) mod installations;
pub(crate) mod missed;
