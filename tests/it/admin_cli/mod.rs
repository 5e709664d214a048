//! `owp admin` as people run it: the real program against a real pool, and for issues a real sandbox.

mod audit;
mod events;
mod failures;
mod github;
mod help;
mod import;
mod import_broken;
mod import_files;
mod lists;
mod proxy;
mod repos;
mod stage;
mod state;
mod tasks;
mod why;
