//! Policy files: read from repositories, replaced by operators, put in force.

pub(crate) mod file;
pub(crate) mod in_force;
pub(crate) mod reads;
