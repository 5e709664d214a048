//! Selects the pool and the credentials of a command. The pool is the flag, else the environment, else the last one
//! registered with, else the one on this machine. A token from the environment goes only to a pool named there or on
//! this machine: the stored registration does not say which pool that token belongs to.

use super::failure::{Failure, print_error};
use super::print::warn_if_unencrypted;
use super::profile::Profile;
use super::untrusted::visible_line;
use clap::Args;
use owp_client::{Auth, Client};
use owp_config::{Environment, admin_token, listen_address, reachable, worker_token};
use std::io::IsTerminal;

/// Options of every client command: the pool's address and the output format.
#[derive(Debug, Clone, Args)]
pub(super) struct ConnectionArgs {
    /// Address of the pool, such as https://pool.example.org
    #[arg(long, value_name = "URL", global = true)]
    pub server: Option<String>,
    /// Prints the answer as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl ConnectionArgs {
    /// Connects as the operator; warns if the admin token is sent unencrypted.
    ///
    /// # Errors
    /// Without an admin token (exit code 4), or if the pool's address is invalid.
    pub(super) fn operator(&self, env: &Environment) -> Result<Client, Failure> {
        let base = self.named(env).map_or_else(|| on_this_machine(env), Ok)?;
        let token = admin_token(env)?.ok_or_else(|| {
            Failure::no_access("This command needs the admin token.")
                .next("Set OWP_ADMIN_TOKEN, or OWP_ADMIN_TOKEN_FILE to a file that holds it.")
        })?;
        let client = Client::new(&base, Auth::Operator(token))?.on_delay(still_waiting);
        warn_if_unencrypted(&client);
        Ok(client)
    }

    /// Connects without credentials.
    ///
    /// # Errors
    /// If the pool's address is invalid.
    pub(super) fn nobody(&self, env: &Environment, profile: &Profile) -> Result<Client, Failure> {
        let kept = || profile.server().map(str::to_owned);
        let base = self.named(env).or_else(kept).map_or_else(|| on_this_machine(env), Ok)?;
        Ok(Client::new(&base, Auth::None)?.on_delay(still_waiting))
    }

    /// Connects like [`Self::nobody`], but reads the stored registrations only if no pool is named.
    pub(super) fn stranger(&self, env: &Environment) -> Result<Client, Failure> {
        match self.named(env) {
            Some(base) => Ok(Client::new(&base, Auth::None)?.on_delay(still_waiting)),
            None => self.nobody(env, &Profile::open(env)?),
        }
    }

    /// Connects as a worker: with the token from the environment, else as the worker registered with this pool.
    ///
    /// # Errors
    /// Without a token for this pool (exit code 4), and as [`Self::nobody`].
    pub(super) fn worker(&self, env: &Environment) -> Result<Client, Failure> {
        if let Some(token) = worker_token(env)? {
            // This token may not belong to the pool registered with last, so it is not sent there.
            let base = self.named(env).map_or_else(|| on_this_machine(env), Ok)?;
            return Ok(Client::new(&base, Auth::Worker(token))?.on_delay(still_waiting));
        }
        let profile = Profile::open(env)?;
        let client = self.nobody(env, &profile)?;
        let worker = profile.worker(client.base()).ok_or_else(|| {
            Failure::no_access(format!("No worker is registered with {} from here.", client.base())).next(format!(
                "Run `owp worker register --server {}`, or set OWP_WORKER_TOKEN to the token of a registered worker.",
                client.base()
            ))
        })?;
        // `owp worker token rotate` may replace the token while another command runs. A worker registered meanwhile
        // has another id and is not used.
        let (env, base, id) = (env.clone(), client.base().to_owned(), worker.worker_id);
        let read = move || Profile::open(&env).ok()?.worker(&base).filter(|kept| kept.worker_id == id);
        Ok(client.with_auth(Auth::Worker(worker.token)).with_stored_token(move || Some(read()?.token)))
    }

    /// Connects as the worker if there is one, else without credentials; for public resources.
    pub(super) fn anybody(&self, env: &Environment) -> Result<Client, Failure> {
        let profile = Profile::open(env)?;
        let client = self.nobody(env, &profile)?;
        let is_known = worker_token(env)?.is_some() || profile.worker(client.base()).is_some();
        if is_known { self.worker(env) } else { Ok(client) }
    }

    fn named(&self, env: &Environment) -> Option<String> {
        self.server.clone().or_else(|| env.get("OWP_SERVER"))
    }
}

/// Tells a terminal user that the pool has not responded yet.
fn still_waiting(pool: &str) {
    if std::io::stderr().is_terminal() {
        print_error(&format!("still waiting for {}; Ctrl-C stops", visible_line(pool)));
    }
}

fn on_this_machine(env: &Environment) -> Result<String, Failure> {
    let address = reachable(listen_address(env, None)?);
    if env.is_from_file("OWP_LISTEN") && !address.ip().is_loopback() {
        // Otherwise the author of that file would receive a token.
        return Err(Failure::usage_error(format!("OWP_LISTEN in a file of this folder names {address}."))
            .next(format!("If that is the pool, name it with `--server http://{address}` or OWP_SERVER.")));
    }
    Ok(format!("http://{address}"))
}
