//! Does the conformance suite find what it should? It passes against our server, and in front of that server stand broken
//! ones, each of which fails exactly the checks of what it breaks.

mod broken;
mod healthy;
mod proxy;
mod reports;
mod server;
mod specification;
mod table;
