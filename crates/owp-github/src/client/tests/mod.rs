//! Tests of the client against a server that imitates GitHub, including its faults.

mod commits;
mod credentials;
mod deliveries;
mod faults;
mod histories;
mod limits;
mod octocrab;
mod permissions;
mod quota;
mod reading;
mod slots;
mod writing;
